"""Open shells and necks in 3-D, of which the map shows no trace: closed and cut where they are narrow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn

import topoprior as tp
from strategies import constructions

SHAPE = (14, 15, 16)
PLACE = [axis - (side - 1) / 2 for axis, side in zip(np.indices(SHAPE), SHAPE, strict=True)]
RADIUS = np.sqrt(sum(axis**2 for axis in PLACE))


def channel(width):
    """A straight hole to the right."""
    return (np.hypot(PLACE[0], PLACE[1]) < width) & (PLACE[2] > 0)


def cross_section(width):
    return int(channel(width)[..., -1].sum())


def open_shell(width, outside=0.0):
    shell = (RADIUS >= 4) & (RADIUS < 6.5)
    return np.where(shell & ~channel(width), 0.9, outside)


def betti(result, **options):
    return tp.betti_numbers(result.mask, **options).flatten().tolist()


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("outside", [0.0, 0.3])
@pytest.mark.parametrize("width", [1.5, 2.5, 3.5])
def test_an_open_shell_gets_a_plug_in_its_mouth(width, outside, construction):
    image = open_shell(width, outside)
    result = tp.guarantee(image[None, None], tp.BettiPrior(1, 0, 1), construction=construction)
    assert result.betti_before.flatten().tolist() == [1, 0, 0]
    assert betti(result, construction=construction) == [1, 0, 1]
    turned = result.mask[0, 0].numpy() != (image >= 0.5)
    assert turned.sum() == cross_section(width)
    assert channel(width)[turned].all()


@pytest.mark.parametrize(("construction", "boundary"), [("T", "background"), ("V", "background"), ("T", "foreground")])
def test_two_balls_grown_together_are_cut_at_the_neck(construction, boundary):
    z, y, x = np.indices((12, 13, 24))
    neck = np.hypot(z - 6, y - 6) < 2
    balls = np.minimum(np.abs(x - 6), np.abs(x - 17)) ** 2 + (z - 6) ** 2 + (y - 6) ** 2 < 21
    image = np.where(balls | (neck & (x > 6) & (x < 17)), 0.9, 0.0)
    prior = tp.BettiPrior(3 if boundary == "foreground" else 2, 0, 0)
    result = tp.guarantee(image[None, None], prior, construction=construction, boundary=boundary)
    assert result.succeeded
    turned = result.mask[0, 0].numpy() != (image >= 0.5)
    assert turned.sum() == 9
    assert len(set(np.nonzero(turned)[2])) == 1  # one plane across the neck


def test_what_is_missing_is_seen_from_both_colours():
    """The shell and its complement are the same problem."""
    image = open_shell(2.5)
    shell = tp.guarantee(image[None, None], tp.BettiPrior(1, 0, 1))
    rest = tp.guarantee(1 - image[None, None], tp.BettiPrior(2, 0, 0), construction="V", boundary="foreground")
    assert rest.succeeded
    assert rest.pixels_changed == shell.pixels_changed == cross_section(2.5)


def test_a_dent_is_no_pocket():
    """It is as wide at its mouth as inside, so the cavity is made elsewhere."""
    image = np.where((RADIUS < 6.5) & ~(channel(2.0) & (PLACE[2] > 4.5)), 0.9, 0.0)
    result = tp.guarantee(image[None, None], tp.BettiPrior(1, 0, 1))
    assert betti(result) == [1, 0, 1]
    assert result.pixels_changed == 1
    assert not channel(2.0)[result.mask[0, 0].numpy() != (image >= 0.5)].any()


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize(("seed", "strength"), [(0, 0.04), (1, 0.04), (2, 0.04), (12, 0.15), (14, 0.15)])
def test_under_noise_the_cavity_stays_as_large_as_it_was(seed, strength, construction):
    noise = np.random.default_rng(seed).uniform(-strength, strength, SHAPE)
    image = np.where(open_shell(1.5) > 0, 0.9, 0.2 + noise)
    result = tp.guarantee(image[None, None], tp.BettiPrior(1, 0, 1), construction=construction)
    assert betti(result, construction=construction) == [1, 0, 1]
    outside = np.ones((3, 3, 3)) if construction == "V" else None
    rooms, _ = ndimage.label(~result.mask[0, 0].numpy(), outside)
    assert sorted(np.bincount(rooms.ravel())[1:])[0] > 0.75 * (RADIUS < 4).sum()


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**31), st.sampled_from([1.5, 2.5]), constructions)
def test_under_any_noise_it_is_right(seed, width, construction):
    noise = np.random.default_rng(seed).uniform(-0.45, 0.45, SHAPE)
    image = open_shell(width, 0.4) + noise * (open_shell(width) < 0.5) / 2
    result = tp.guarantee(image[None, None], tp.BettiPrior(1, 0, 1), construction=construction)
    assert betti(result, construction=construction) == [1, 0, 1]


SHELL = tp.ClassPriors(
    {"wall": (1, 0, 1), "inside": (1, 0, 0), ("wall", "inside"): (1, 0, 0)}, classes=("rest", "wall", "inside")
)


@pytest.mark.parametrize("leak", [0, 2])
@pytest.mark.parametrize("construction", ["T", "V"])
def test_a_shell_of_a_class_is_closed_around_another(leak, construction):
    labels = np.where(RADIUS < 4, 2, np.where(RADIUS < 6.5, 1, 0))
    labels[(labels == 1) & channel(1.5)] = leak
    image = nn.functional.one_hot(torch.from_numpy(labels)[None], 3).movedim(-1, 1).float()
    result = tp.guarantee(image, SHELL, construction=construction)
    assert tp.class_topology(result.labels, SHELL, construction=construction).success.all()
    turned = result.labels[0].numpy() != labels
    assert channel(1.5)[turned].all()
    pushed = tp.refine_map(image, SHELL, construction=construction, push=1, max_steps=30)
    assert torch.equal(pushed.labels, result.labels)
    assert not tp.refine_map(image, SHELL, construction=construction, max_steps=30).succeeded


@pytest.mark.parametrize("construction", ["T", "V"])
def test_the_push_closes_a_shell(construction):
    image = torch.from_numpy(open_shell(1.5))[None, None]
    options = {"construction": construction, "max_steps": 30}
    assert not tp.refine_map(image, tp.BettiPrior(1, 0, 1), **options).succeeded
    result = tp.refine_map(image, tp.BettiPrior(1, 0, 1), push=1, **options)
    assert (result.succeeded, result.pixels_changed) == (True, cross_section(1.5))
