"""The stated Betti numbers are counted here by scipy's labelling, which shares nothing with the package's own core."""

import numpy as np
import pytest
from scipy import ndimage

from topoprior.imaging import phantoms

CORNERS, FACES = True, False


def connected(mask, corners):
    rank = mask.ndim
    structure = ndimage.generate_binary_structure(rank, rank if corners else 1)
    return ndimage.label(mask, structure)[1]


def betti_2d(mask, corners):
    """Components and holes; the background connects the other way."""
    return connected(mask, corners), connected(~np.pad(mask, 1), not corners) - 1


def betti_3d(mask):
    """Components, tunnels, cavities under the T-construction, the tunnels from the Euler number of the closed cells."""
    components, cavities = connected(mask, CORNERS), connected(~np.pad(mask, 1), FACES) - 1
    euler = 0
    padded = np.pad(mask, 1)
    for cell in np.ndindex(2, 2, 2):  # 1: the cell spans this axis; 0: it lies between two voxels of this axis
        present = padded
        for axis, spans in enumerate(cell):
            if not spans:
                sides = present.shape[axis]
                present = present.take(range(1, sides), axis) | present.take(range(sides - 1), axis)
        euler += (-1) ** sum(cell) * int(present.sum())
    return components, components + cavities - euler, cavities


@pytest.mark.parametrize("corners", [CORNERS, FACES])
@pytest.mark.parametrize("size", [40, 64, 97])
def test_every_ring_is_one_component_with_one_loop(size, corners):
    images, masks = phantoms.ring_segmentation(60, size=size, seed=size)
    assert images.shape == masks.shape == (60, 1, size, size)
    assert images.dtype == np.float32
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    assert {betti_2d(mask, corners) for mask in masks[:, 0]} == {(1, 1)}


def test_ring_images_are_set_by_the_seed_and_their_place():
    images, masks = phantoms.ring_segmentation(3, seed=5)
    again, masks_again = phantoms.ring_segmentation(2, seed=5)
    np.testing.assert_array_equal(images[:2], again)
    np.testing.assert_array_equal(masks[:2], masks_again)
    assert (images[0] != images[1]).any()
    assert (phantoms.ring_segmentation(2, seed=6)[0] != again).any()


def test_the_ring_is_hard_to_see_by_brightness_alone():
    """No threshold band separates the wall: a network must learn its shape, and can fail."""
    images, masks = phantoms.ring_segmentation(20, seed=0)
    wall, rest = images[masks], images[~masks]
    band = (rest > np.quantile(wall, 0.05)) & (rest < np.quantile(wall, 0.95))
    assert band.mean() > 0.4


@pytest.mark.parametrize("corners", [CORNERS, FACES])
@pytest.mark.parametrize("size", [40, 80, 121])
def test_blobs_and_loop_at_one_half(size, corners):
    image = phantoms.blobs_and_loop(size=size)
    assert image.shape == (size, size)
    assert betti_2d(image >= 0.5, corners) == (4, 1)


def test_blobs_and_loop_has_parts_of_different_heights():
    """At 0.9 the best blob and an arc of the ring are left; the ring closes only below its faint side."""
    image = phantoms.blobs_and_loop()
    assert betti_2d(image >= 0.9, CORNERS) == (2, 0)
    assert betti_2d(image >= 0.64, CORNERS) == (4, 1)


def test_blobs_and_loop_never_has_a_second_loop():
    image = phantoms.blobs_and_loop()
    assert {betti_2d(image >= p, CORNERS)[1] for p in np.unique(image[image > 0])} == {0, 1}


@pytest.mark.parametrize("corners", [CORNERS, FACES])
def test_noisy_ring_without_noise(corners):
    image = phantoms.noisy_ring(noise=0.0)
    assert betti_2d(image >= 0.5, corners) == (1, 1)


def test_noise_makes_many_short_lived_parts():
    clean, noisy = phantoms.noisy_ring(noise=0.0), phantoms.noisy_ring(seed=1)
    assert betti_2d(clean >= 0.15, CORNERS)[0] == 1
    assert betti_2d(noisy >= 0.25, CORNERS)[0] > 20
    assert (noisy != phantoms.noisy_ring(seed=2)).any()


@pytest.mark.parametrize("size", [12, 16, 31])
def test_volumes(size):
    assert betti_3d(phantoms.shell(size=size)) == (1, 0, 1)
    assert betti_3d(phantoms.tube(size=size)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: phantoms.blobs_and_loop(size=39), "size must be at least 40, got 39"),
        (lambda: phantoms.noisy_ring(size=0), "size must be at least 40, got 0"),
        (lambda: phantoms.noisy_ring(noise=-0.1), "noise must be at least 0, got -0.1"),
        (lambda: phantoms.noisy_ring(noise=float("nan")), "noise must be at least 0, got nan"),
        (lambda: phantoms.ring_segmentation(0), "count must be at least 1, got 0"),
        (lambda: phantoms.ring_segmentation(1, size=8), "size must be at least 40, got 8"),
        (lambda: phantoms.shell(size=11), "size must be at least 12, got 11"),
        (lambda: phantoms.tube(size=-1), "size must be at least 12, got -1"),
    ],
)
def test_bad_arguments(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
