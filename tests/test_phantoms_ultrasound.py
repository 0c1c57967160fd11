"""Betti numbers are counted without the package's own core."""

import re

import numpy as np
import pytest
from scipy import ndimage

from topoprior import phantoms
from topoprior.imaging.phantoms.random_field import random_field
from topoprior.imaging.phantoms.sonography import Sector, scan
from topoprior.imaging.phantoms.ultrasound_anatomy import SECTOR, _slab, draw_uterus

SMALL = (24, 48, 56)


def betti(mask, construction):
    """Components, tunnels, cavities: scipy labels components and cavities, the Euler number leaves the tunnels."""
    corners = {"T": True, "V": False}[construction]
    structures = [ndimage.generate_binary_structure(3, 3 if there else 1) for there in (corners, not corners)]
    components = ndimage.label(mask, structures[0])[1]
    cavities = ndimage.label(~np.pad(mask, 1), structures[1])[1] - 1
    euler, padded = 0, np.pad(mask, 1)
    for cell in np.ndindex(2, 2, 2):
        # T: cells that lie between two voxels of an axis are there if one of both is. V: edges if both are.
        present = padded
        for axis, between in enumerate(cell):
            if between:
                side = present.shape[axis]
                pair = present.take(range(1, side), axis), present.take(range(side - 1), axis)
                present = pair[0] | pair[1] if corners else pair[0] & pair[1]
        sign = (-1) ** (3 - sum(cell)) if corners else (-1) ** sum(cell)
        euler += sign * int(present.sum())
    return [components, components + cavities - euler, cavities]


def test_betti_numbers_of_a_ring_a_shell_and_two_corners():
    block = np.ones((3, 3, 3), bool)
    ring, shell, corners = block[:1].copy(), block.copy(), np.eye(2, dtype=bool)[None]
    ring[0, 1, 1] = shell[1, 1, 1] = False
    for construction in "TV":
        assert betti(ring, construction) == [1, 1, 0]
        assert betti(shell, construction) == [1, 0, 1]
    assert (betti(corners, "T"), betti(corners, "V")) == ([1, 0, 0], [2, 0, 0])


@pytest.mark.parametrize("sector", [True, False])
@pytest.mark.parametrize("shape", [(24, 48, 48), (30, 64, 50), (26, 48, 60)])
def test_every_placenta_is_one_solid_body(shape, sector):
    front = 0
    for seed in range(12):
        uterus = draw_uterus(np.random.default_rng([seed, 7]), shape, sector=sector)
        placenta = uterus.placenta(shape[1])
        front += uterus.anterior
        assert 0.03 < placenta.mean() < 0.25
        assert betti(placenta, "T") == [1, 0, 0]
        assert betti(placenta, "V") == [1, 0, 0]
    assert 0 < front < 12


@pytest.mark.parametrize("anterior", [True, False])
@pytest.mark.parametrize("steep", [0.0, 3.0, -4.0])
def test_a_slab_on_a_steep_wall_is_one_body(steep, anterior):
    """Columns as thick as 4 voxels would part where the wall climbs 4 voxels from one to the next."""
    elevation, lateral = (np.arange(side) * 3.0 - 40.0 for side in (27, 30))
    wall = 70.0 + steep * np.abs(lateral) * np.sign(elevation)[:, None] / 4 + 0 * elevation[:, None]
    wall += steep * (np.arange(30) % 2)
    first, end = _slab(np.random.default_rng(0), elevation, lateral, wall, 3.0, 48, anterior, False)
    steps = np.arange(48)[:, None]
    slab = (steps >= first[:, None]) & (steps < end[:, None])
    assert slab.sum() > 500
    assert betti(slab, "T") == betti(slab, "V") == [1, 0, 0]


@pytest.fixture(scope="module")
def three():
    return phantoms.ultrasound(3, shape=SMALL, seed=5)


def test_labels_are_those_of_the_images(three):
    assert three.images.shape == (3, 1, *SMALL)
    assert three.images.dtype == np.float32
    assert three.labels.shape == (3, *SMALL)
    assert three.labels.dtype == np.uint8
    assert three.spacing == 3.0
    for image, label in zip(three.images[:, 0], three.labels, strict=True):
        assert betti(label == 1, "T") == [1, 0, 0]
        assert image[label == 1].mean() > 1.3 * image[label == 0].mean()
    assert three.images.min() == 0.0
    assert 0.9 < three.images.max() <= 1.0


def test_volumes_are_set_by_the_seed_and_their_place(three):
    two = phantoms.ultrasound(2, shape=SMALL, seed=5)
    np.testing.assert_array_equal(three.images[:2], two.images)
    np.testing.assert_array_equal(three.labels[:2], two.labels)
    assert (three.labels[0] != three.labels[1]).any()
    assert (phantoms.ultrasound(1, shape=SMALL, seed=6).labels != two.labels[0]).any()


def test_beside_the_sector_all_is_black_and_nothing_is_labelled(three):
    depth, side = (np.arange(SMALL[1]) + 0.5)[:, None] * 3.0, (np.arange(SMALL[2]) + 0.5 - SMALL[2] / 2) * 3.0
    beside = np.abs(side) >= SECTOR.reach(1, depth)
    assert beside.sum() > 50
    assert (three.images[:, 0, :, beside] == 0.0).all()
    assert (three.labels[:, :, beside] == 0).all()
    whole = phantoms.ultrasound(1, shape=SMALL, seed=5, sector=False)
    assert whole.images[0, 0, :, beside].mean() > 0.2


def sonogram(level, absorption=0.0, contact=0.0, spacing=2.0, apex=42.0):
    shape = (40, 60, 50)
    return scan(
        np.random.default_rng(0),
        np.broadcast_to(np.float32(level), shape),
        np.broadcast_to(np.float32(absorption), shape),
        spacing=spacing,
        contact=np.full((160, 160), contact),
        sector=Sector(apex=apex, opening=(60.0 / apex,) * 2),
        dynamic_range=50.0,
        gain=0.0,
    )


def test_speckle_of_even_tissue_is_rayleigh_before_log_compression():
    """The mean of the squared amplitude over the square of its mean is 4 / pi."""
    amplitude = 10 ** ((sonogram(-22.0)[:, 10:40].astype(float) - 1.0) * 50.0 / 20.0)
    assert (amplitude**2).mean() / amplitude.mean() ** 2 == pytest.approx(4 / np.pi, rel=0.03)
    assert 10 * np.log10((amplitude**2).mean() / 2) == pytest.approx(-22.0, abs=0.6)


def test_the_grain_of_speckle_depends_on_the_depth():
    """Neighbours across the beam share more of their speckle far from the focus than near to it, 45 to 90 mm deep."""

    def shared(plane):
        return np.corrcoef(plane[:, 1:].ravel(), plane[:, :-1].ravel())[0, 1]

    image = sonogram(-22.0, spacing=1.0)
    assert shared(image[:, 5]) > shared(image[:, 55]) + 0.15


@pytest.mark.parametrize(("apex", "edge"), [(1e6, 37), (42.0, 43)])
def test_absorbing_tissue_casts_a_shadow_along_the_beam(apex, edge):
    """It ends 12 voxels beside the middle, 83 mm from the apex: half as far again its shadow ends at 18 voxels."""
    absorption = np.zeros((40, 60, 50), np.float32)
    absorption[:, 20, :37] = 5.0  # 10 dB over 2 mm
    darker = (sonogram(-22.0, apex=apex) - sonogram(-22.0, absorption, apex=apex)).mean(0)
    assert darker[:19].mean() == pytest.approx(0.0, abs=0.01)
    assert darker[22:, :36].mean() == pytest.approx(0.2, abs=0.01)
    assert darker[41, : edge - 1].mean() == pytest.approx(0.2, abs=0.02)
    assert darker[41, edge + 1 :].mean() == pytest.approx(0.0, abs=0.02)


def test_poor_contact_darkens():
    assert sonogram(-22.0).mean() - sonogram(-22.0, contact=5.0).mean() == pytest.approx(0.1, abs=0.01)


def test_a_random_field_is_as_smooth_as_it_should_be():
    """Blurred white noise: neighbours k apart correlate as exp(-k^2 / 4 s^2)."""
    field = random_field(np.random.default_rng(0), (300, 400), (3.0, 6.0))
    assert field.mean() == pytest.approx(0.0, abs=1e-9)
    assert field.std() == pytest.approx(1.0)
    for axis, steps in ((0, 3), (1, 6)):
        assert (field * np.roll(field, steps, axis)).mean() == pytest.approx(np.exp(-0.25), abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"count": 1, "views": 0}, "views must be at least 1, got 0"),
        ({"shape": (23, 48, 48)}, "shape must be three sides of at least (24, 48, 48), got (23, 48, 48)"),
        ({"shape": (96, 240)}, "shape must be three sides of at least (24, 48, 48), got (96, 240)"),
    ],
)
def test_bad_arguments(arguments, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        phantoms.ultrasound(**{"count": 1, **arguments})


def test_views_of_a_patient_share_the_label_and_nothing_else():
    seen = phantoms.ultrasound(3, shape=SMALL, seed=4, views=2)
    assert np.array_equal(seen.labels[0], seen.labels[1])
    assert not np.array_equal(seen.labels[0], seen.labels[2])
    inside = seen.labels[0] > 0
    assert np.corrcoef(seen.images[0, 0][inside], seen.images[1, 0][inside])[0, 1] < 0.5
    assert np.array_equal(phantoms.ultrasound(1, shape=SMALL, seed=4, views=2).images[0], seen.images[0])
    assert np.array_equal(phantoms.ultrasound(1, shape=SMALL, seed=4).labels[0], seen.labels[0])
