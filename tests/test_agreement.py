"""A prediction beside its label: what is drawn, and where."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse

from topoprior import BettiPrior
from topoprior.viewing.agreement import agreement, worst_planes
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import OUTLINE, TARGET
from topoprior.viewing.style import COLOURS

RING = np.zeros((30, 44), dtype=bool)
RING[4:18, 6:24] = True
RING[8:14, 10:20] = False
WRONG = RING.copy()
WRONG[4:8, 14] = False  # a gap
WRONG[24, 30] = True  # a speck
IMAGE = np.random.default_rng(0).random(RING.shape).astype(np.float32)
PRIOR = BettiPrior(1, 1)


def rings(ax):
    """Colour, line and middle of each ring, without its white rim."""
    drawn = [patch for patch in ax.patches if isinstance(patch, Ellipse)][1::2]
    return [(to_hex(ring.get_edgecolor()), ring.get_linestyle(), ring.get_center()) for ring in drawn]


def outlines(ax):
    return {to_hex(collection.get_color()[0]): len(collection.get_segments()) for collection in ax.collections}


def test_rings_are_where_the_faults_are():
    alone, both = agreement(IMAGE, WRONG, RING, prior=PRIOR).axes
    assert not alone.collections
    (speck, solid, at_speck), (gap, dashed, at_gap) = rings(both)
    assert (speck, solid, gap) == (COLOURS[0], "solid", COLOURS[1])
    assert dashed != "solid"
    assert np.subtract(at_speck, at_gap).tolist() == [30 - 14, 24 - 5.5]  # column, row


def test_outlines_have_the_length_of_the_masks_edges():
    both = agreement(IMAGE, WRONG, RING).axes[1]
    edges = 2 * (14 + 18) + 2 * (6 + 10)
    assert outlines(both) == {TARGET: edges, OUTLINE: edges + 2 * 4 - 2 + 4}
    assert rings(both) == []


def test_the_picture_is_cut_to_the_masks():
    image = np.zeros((300, 200), np.float32)
    mask = np.zeros(image.shape, dtype=bool)
    mask[100:120, 50:60] = True
    shown = agreement(image, mask, mask).axes[0].images[0].get_array()
    assert shown.shape == (40, 40)  # 20 pixels, 35 % of them and 3 pixels on either side


def test_without_an_image_the_label_is_drawn():
    alone = agreement(None, WRONG, RING, prior=PRIOR).axes[0]
    np.testing.assert_array_equal(np.unique(alone.images[0].get_array()), [0, 0.45])


def test_a_probability_adds_its_barcode():
    probability = np.where(WRONG, 0.8, 0.1).astype(np.float32)
    figure = agreement(IMAGE, WRONG, RING, prior=PRIOR, probability=probability, threshold=0.4)
    assert figure.axes[-1].get_title() == "Betti numbers at 0.4: (2, 0)"


def test_a_volume_shows_its_worst_planes_as_they_lie():
    target = np.zeros((5, 12, 13), dtype=bool)
    target[:, 3:8, 4:9] = True
    prediction = target.copy()
    prediction[1, 3] = False
    prediction[3] = False
    view = View(transposed=True, aspect=2.0)
    prior = BettiPrior(1, 0, 0)
    first, second, third = agreement(np.zeros(target.shape), prediction, target, prior=prior, view=view).axes
    assert [ax.get_title() for ax in (first, second, third)] == ["plane 1", "plane 3", "plane 4"]
    assert (first.images[0].get_array().shape, first.get_aspect()) == ((13, 12), 2.0)
    assert rings(first) == []
    assert [(colour, line == "solid") for colour, line, _ in rings(second)] == [(COLOURS[0], False)]  # joins the two
    assert [(colour, line == "solid") for colour, line, _ in rings(third)] == [(COLOURS[0], True)]  # the smaller one


def test_worst_planes_are_at_most_three():
    prediction, target = np.zeros((2, 6, 2, 2), dtype=bool)
    prediction[[0, 2, 3, 5], 0, 0] = True
    prediction[5] = True
    assert worst_planes(prediction, target) == [0, 2, 5]
    place = np.zeros_like(target)
    place[4] = True
    assert worst_planes(prediction, target, places=[place]) == [0, 4, 5]


def test_empty_masks_are_shown_whole():
    empty = np.zeros((6, 9), dtype=bool)
    assert agreement(None, empty, empty, prior=PRIOR).axes[0].images[0].get_array().shape == (6, 9)


@pytest.mark.parametrize("name", ["target", "picture", "probability"])
def test_other_shapes_are_refused(name):
    arguments = {"picture": IMAGE, "target": RING, "probability": IMAGE}
    arguments[name] = arguments[name][1:]
    with pytest.raises(ValueError, match=rf"{name} must have the shape \(30, 44\) of the prediction, got \(29, 44\)"):
        agreement(arguments["picture"], WRONG, arguments["target"], probability=arguments["probability"])
    with pytest.raises(ValueError, match=r"\(height, width\) or \(planes, height, width\), got \(44,\)"):
        agreement(None, RING[0], RING[0])
