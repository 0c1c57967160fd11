"""Topology is counted by scipy's labelling, which shares nothing with the package's own core."""

import itertools
import re

import numpy as np
import pytest
from scipy import ndimage

from topoprior import phantoms
from topoprior.imaging.phantoms.magnetic_resonance import acquire
from topoprior.imaging.phantoms.short_axis_grid import grid_of
from topoprior.imaging.phantoms.short_axis_heart import draw_heart

CORNERS, FACES = True, False
RIGHT, WALL, CAVITY = 1, 2, 3
# After Byrne et al., arXiv 2008.09585: components and loops of each class and of each pair.
PRIORS = {(1,): (1, 0), (2,): (1, 1), (3,): (1, 0), (1, 2): (1, 1), (1, 3): (2, 0), (2, 3): (1, 0)}


def betti(mask, corners):
    """Components and holes; the background connects the other way."""
    structures = [ndimage.generate_binary_structure(2, 2 if there else 1) for there in (corners, not corners)]
    return ndimage.label(mask, structures[0])[1], ndimage.label(~np.pad(mask, 1), structures[1])[1] - 1


@pytest.mark.parametrize(("size", "spacing", "count"), [(80, 1.8, 40), (64, 2.25, 30), (40, 3.0, 60), (62, 1.8, 30)])
def test_six_priors_hold_in_both_constructions(size, spacing, count):
    made = phantoms.short_axis(count, size=size, spacing=spacing, seed=size)
    assert made.labels.shape == (count, size, size)
    assert made.spacing == spacing
    for labels, corners in itertools.product(made.labels, (CORNERS, FACES)):
        assert {classes: betti(np.isin(labels, classes), corners) for classes in PRIORS} == PRIORS


def test_images_are_set_by_the_seed_and_their_place():
    three, two = phantoms.short_axis(3, seed=5), phantoms.short_axis(2, seed=5)
    np.testing.assert_array_equal(three.images[:2], two.images)
    np.testing.assert_array_equal(three.labels[:2], two.labels)
    assert three.groups[:2] == two.groups
    assert (three.images[0] != three.images[1]).any()
    assert (phantoms.short_axis(2, seed=6).labels != two.labels).any()


@pytest.fixture(scope="module")
def many():
    return phantoms.short_axis(50, seed=1)


def test_images_have_the_range_and_contrast_of_bssfp(many):
    assert many.images.dtype == np.float32
    assert many.labels.dtype == np.uint8
    assert many.images.min() >= 0.0
    assert many.images.max() == 1.0
    levels = np.array([[image[labels == k].mean() for k in range(4)] for image, labels in _pairs(many)])
    assert (levels[:, CAVITY] > 1.2 * levels[:, WALL]).all()
    assert np.median(levels, axis=0) == pytest.approx([0.26, 0.55, 0.28, 0.70], abs=0.06)  # of ACDC's middle slices


@pytest.mark.parametrize(("tissue", "mean", "deviation"), [(0.0, 0.0627, 0.0328), (1.0, 1.0, 0.05)])
def test_noise_is_rician(tissue, mean, deviation):
    """The magnitude has no sign: Rayleigh noise in air, Gaussian noise in tissue."""
    even = np.full((200, 200), float(tissue))
    image = acquire(np.random.default_rng(0), even, oversampling=2, sensitivity=0.0, noise=0.05)
    assert image.shape == (100, 100)
    assert image.mean() == pytest.approx(mean, rel=0.03)
    assert image.std() == pytest.approx(deviation, rel=0.06)


def test_pixels_average_the_finer_grid_and_the_coil_is_not_even():
    tissue = np.tile(np.array([0.0, 1.0]), (40, 20))
    image = acquire(np.random.default_rng(0), tissue, oversampling=2, sensitivity=0.0, noise=0.0)
    np.testing.assert_allclose(image, 0.5)
    image = acquire(np.random.default_rng(0), tissue, oversampling=2, sensitivity=0.3, noise=0.0)
    assert 0.1 < np.log(image).std() < 0.5


def test_sizes_follow_group_and_phase(many):
    def typical(group, phase, measure):
        hearts = [draw_heart(np.random.default_rng(k), group, phase, spacing=1.8, within=54.0) for k in range(40)]
        return np.median([measure(heart).mean() for heart in hearts])

    def cavity(heart):
        return heart.endocardium

    def wall(heart):
        return heart.epicardium - heart.endocardium

    def right(heart):
        return heart.right - heart.epicardium

    assert typical("normal", "ES", cavity) < 0.75 * typical("normal", "ED", cavity)
    assert typical("dilated", "ED", cavity) > 1.25 * typical("normal", "ED", cavity)
    assert typical("hypertrophic", "ED", wall) > 1.4 * typical("normal", "ED", wall)
    assert typical("right ventricle", "ED", right) > 1.2 * typical("normal", "ED", right)
    assert len(set(many.groups)) == 5
    assert set(many.phases) == {"ED", "ES"}
    assert set(phantoms.short_axis(6, groups=["normal", "infarcted"]).groups) == {"normal", "infarcted"}


def test_no_threshold_finds_the_wall(many):
    """Papillary muscles, liver and stomach are as dark as the wall: a network must learn its shape, and can fail."""
    wall = many.labels[:, None] == WALL
    band = np.quantile(many.images[wall], (0.05, 0.95))
    rest = many.images[~wall]
    assert ((rest > band[0]) & (rest < band[1])).mean() > 0.35
    dark_in_cavity = [
        (image[labels == CAVITY] < 1.15 * np.median(image[labels == WALL])).mean() for image, labels in _pairs(many)
    ]
    assert np.median(dark_in_cavity) > 0.04  # 0.07 in ACDC


@pytest.mark.parametrize("turn", [0.0, 0.3, -1.0])
def test_the_part_of_a_grid_around_a_place_holds_all_that_is_near(turn):
    grid = grid_of(60, 2.0, (4.0, -3.0), turn)
    for x, y, distance in [(10.0, -25.0, 7.0), (-70.0, 0.0, 15.0), (0.0, 0.0, 1.5)]:
        near = np.hypot(grid.x - x, grid.y - y) <= distance
        part = np.zeros_like(near)
        part[grid.around(x, y, distance)] = True
        assert not (near & ~part).any()
        assert part.sum() <= (distance + 3.0) ** 2
    assert not grid.x[grid.around(500.0, 500.0, 3.0)].size


def _pairs(made):
    return zip(made.images[:, 0], made.labels, strict=True)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"size": 60}, "size * spacing must be from 110 to 300 mm, got 60 * 1.8 = 108"),
        ({"size": 400}, "size * spacing must be from 110 to 300 mm, got 400 * 1.8 = 720"),
        ({"spacing": 3.1}, "spacing must be more than 0 and at most 3.0 mm, got 3.1"),
        ({"spacing": float("nan")}, "spacing must be more than 0 and at most 3.0 mm, got nan"),
        ({"groups": ()}, "groups must be some of normal, dilated"),
        ({"groups": "normal"}, "groups must be some of normal, dilated"),
        ({"groups": ["DCM"]}, "got ['DCM']"),
    ],
)
def test_bad_arguments(arguments, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        phantoms.short_axis(**{"count": 1, **arguments})
