"""Where masks would have to change: broken rings, tunnels, and masks that need no mending."""

import numpy as np
import pytest

import topoprior as tp
from topoprior.viewing.class_changes import class_before_after
from topoprior.viewing.labels import broken_label
from topoprior.viewing.mended import mended_places

RING = np.zeros((9, 12), dtype=bool)
RING[1:8, 2:9] = True
RING[3:6, 4:7] = False


def regions(mask, *prior, **options):
    return [np.argwhere(place.region).tolist() for place in mended_places(mask, tp.BettiPrior(*prior), **options)]


def test_the_gap_of_a_ring():
    broken = RING.copy()
    broken[4, 2:4] = False  # two pixels wide: one closes it
    [place] = mended_places(broken, tp.BettiPrior(1, 1))
    assert (place.dimension, place.mendable, int(place.region.sum())) == (1, True, 1)
    assert np.argwhere(place.region).tolist() in ([[4, 2]], [[4, 3]])
    assert regions(RING, 1, 1) == []
    assert regions(np.zeros_like(RING), 1, 1) == []


def test_a_tunnel_too_many():
    solid = np.zeros((6, 7, 8), dtype=bool)
    solid[1:5, 1:6, 1:7] = True
    solid[1:5, 3, 3] = False
    [place] = mended_places(solid, tp.BettiPrior(1, 0, 0), construction="V")
    assert place.dimension == 1
    assert place.region[:, 3, 3].any()
    assert not (place.region & solid).any()


def test_what_the_box_has_no_room_for():
    assert regions(np.ones((1, 2), dtype=bool), 40, 0) == []


@pytest.mark.parametrize("broken", [False, True])
def test_pictures_have_a_dashed_ring_there(broken):
    labels = RING.astype(int)
    labels[3:6, 4:7] = 2
    if broken:
        labels[4, 2:4] = 0
    prior = tp.BettiPrior(1, 1)
    [ax] = broken_label(labels, [1], prior).axes
    assert len(ax.patches) == 2 * broken  # a white one below the coloured one
    priors = tp.ClassPriors({1: (1, 1)}, classes=3)
    figure = class_before_after(np.zeros(labels.shape), labels, RING + 2 * (labels == 2), priors)
    assert [len(ax.patches) for ax in figure.axes] == [2 * broken, 0, 0]
    with pytest.raises(ValueError, match=r"before must have the shape \(9, 12\) of the image, got \(12, 9\)"):
        class_before_after(np.zeros(labels.shape), labels.T, labels, priors)
