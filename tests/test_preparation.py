"""From the file's grid to the network's and back: the right pixels, in the right place, on unequal sides."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from topoprior.imaging.image import Image
from topoprior.imaging.preparation import Preparation

torch.set_num_threads(1)


def image(shape, spacing=None, values=None):
    """An image whose header tells the size of its pixels, and whose affine does not, as in the ACDC challenge."""
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) if values is None else values
    header = None
    if spacing is not None:
        header = nibabel.Nifti1Header()
        header.set_data_shape(shape)
        header.set_zooms(spacing)
    trimmed = values[..., 0] if shape[-1] == 1 and len(shape) == 3 else values
    return Image(trimmed, Path("scan.nii.gz"), shape=shape, affine=np.eye(4), header=header)


def bump(shape, centre, width):
    """A smooth hill, in pixels."""
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    distance = sum(((axis - at) / wide) ** 2 for axis, at, wide in zip(grid, centre, width, strict=True))
    return np.exp(-distance)


def test_whole_image_is_one_slice_and_untouched():
    scan = image((3, 5))
    np.testing.assert_array_equal(Preparation(normalisation="none").prepare(scan), scan.array[None].astype(np.float32))


@pytest.mark.parametrize(("axis", "count", "sides"), [(0, 4, (5, 6)), (1, 5, (4, 6)), (2, 6, (4, 5))])
def test_slices_along_each_axis(axis, count, sides):
    scan = image((4, 5, 6))
    parts = Preparation(slices=axis, normalisation="none").prepare(scan)
    assert parts.shape == (count, *sides)
    np.testing.assert_array_equal(parts[1], np.take(scan.array, 1, axis).astype(np.float32))


def test_a_stack_of_one_slice_comes_back_in_the_shape_of_its_array():
    scan = image((4, 5, 1), spacing=(2.0, 3.0, 8.0))
    preparation = Preparation(slices=2, size=(6, 3))
    assert preparation.prepare(scan).shape == (1, 6, 3)
    assert preparation.restore(np.ones((1, 2, 6, 3)), scan).shape == (2, 4, 5)
    assert preparation.spacing_of(scan) == pytest.approx((2.0, 3.0))


@pytest.mark.parametrize("sides", [(7, 10), (10, 7), (6, 9), (9, 6), (7, 7)])
@pytest.mark.parametrize("size", [(5, 8), (6, 11), (12, 7), (8, 9)])
def test_crop_and_pad_come_back_to_the_same_pixels(sides, size):
    """Every parity, cropped along one axis and padded along the other or both alike."""
    scan = image(sides, values=np.random.default_rng(0).random(sides) + 1)
    preparation = Preparation(size=size, normalisation="none")
    prepared = preparation.prepare(scan)
    assert prepared.shape == (1, *size)
    back = preparation.restore(prepared[:, None], scan)[0]
    kept = back != 0
    np.testing.assert_array_equal(back[kept], scan.array.astype(np.float32)[kept])
    assert kept.sum() == np.prod(np.minimum(sides, size))
    rows, columns = (np.flatnonzero(kept.any(axis)) for axis in (1, 0))
    for places, n in zip((rows, columns), sides, strict=True):
        assert abs(places[0] - (n - 1 - places[-1])) <= 1  # what is lost is lost on both ends


def test_what_was_padded_is_as_dark_as_the_darkest_pixel():
    parts = Preparation(size=(5, 4), normalisation="minmax").prepare(image((3, 4)))
    assert (parts[0, [0, 4]] == 0).all()
    assert parts[0, 1:4].max() == 1
    standard = Preparation(size=(5, 4)).prepare(image((3, 4)))[0]
    np.testing.assert_allclose(standard[[0, 4]], standard[1, 0])
    assert standard[1:4].mean() == pytest.approx(0, abs=1e-6)  # of the image alone, not of the padding


def test_slices_are_normalised_each_by_itself():
    parts = Preparation(slices=0, normalisation="minmax").prepare(image((3, 4, 5)))
    np.testing.assert_array_equal(parts.min((1, 2)), 0)
    np.testing.assert_array_equal(parts.max((1, 2)), 1)


def test_resampling_follows_the_spacing_of_each_axis():
    scan = image((6, 20, 30), spacing=(8.0, 1.5, 1.2))
    preparation = Preparation(slices=0, spacing=(3.0, 1.8), normalisation="none")
    assert preparation.prepare(scan).shape == (6, 10, 20)
    assert preparation.spacing_of(scan) == pytest.approx((3.0, 1.8))
    assert Preparation(slices=0).spacing_of(scan) == pytest.approx((1.5, 1.2))
    assert Preparation().spacing_of(image((4, 5))) is None


def test_resampling_keeps_the_place_in_millimetres():
    scan = image((40, 61), spacing=(1.0, 2.0), values=bump((40, 61), (13, 40), (5, 5)))
    preparation = Preparation(spacing=(2.0, 1.0), normalisation="none")
    prepared = preparation.prepare(scan)[0]
    top = np.unravel_index(prepared.argmax(), prepared.shape)
    # Pixel i covers [i, i + 1) spacings from the edge of the image.
    assert (top[0] + 0.5) * 2.0 == pytest.approx(13.5, abs=1.0)
    assert (top[1] + 0.5) * 1.0 == pytest.approx(2 * 40.5, abs=1.0)


def test_a_ramp_stays_the_ramp_in_millimetres():
    """Pixel i of an axis is centred (i + 1/2) spacings from the image's edge, before and after."""
    scan = image((30, 21), spacing=(1.5, 2.0), values=np.repeat((np.arange(30.0) + 0.5)[:, None] * 1.5, 21, axis=1))
    prepared = Preparation(spacing=(2.5, 1.0), normalisation="none").prepare(scan)[0]
    assert prepared.shape == (18, 42)
    np.testing.assert_allclose(prepared[:, 7], (np.arange(18) + 0.5) * 2.5, rtol=1e-5)


def test_labels_are_those_of_the_pixel_at_the_same_place():
    values = np.repeat(np.arange(9, dtype=np.uint8)[:, None], 5, axis=1)
    labels = Preparation(spacing=(3.0, 1.0)).prepare_labels(values, image((9, 5), spacing=(1.0, 1.0)))
    assert labels[0, :, 0].tolist() == [1, 4, 7]  # the centres of three pixels each


@pytest.mark.parametrize("sides", [(31, 44), (30, 45)])
@pytest.mark.parametrize("size", [None, (40, 41), (33, 30)])
def test_round_trip_with_anisotropic_spacing(sides, size):
    centre = [side / 2 - 2 for side in sides]
    scan = image(sides, spacing=(1.3, 0.9), values=bump(sides, centre, (5, 5)))
    preparation = Preparation(spacing=(0.8, 1.1), size=size, normalisation="none")
    back = preparation.restore(preparation.prepare(scan)[:, None], scan)[0]
    assert back.shape == sides
    near = scan.array > 0.05
    assert np.abs(back - scan.array)[near].max() < 0.06


def test_round_trip_in_3d():
    sides = (12, 15, 10)
    scan = image(sides, spacing=(1.0, 1.5, 2.0), values=bump(sides, (6, 7, 4), (4, 4, 3)))
    preparation = Preparation(spacing=(1.0, 1.0, 1.0), size=(13, 20, 21), normalisation="none")
    prepared = preparation.prepare(scan)
    assert prepared.shape == (1, 13, 20, 21)
    back = preparation.restore(prepared[:, None], scan)[0]
    assert np.abs(back - scan.array).max() < 0.12


def test_labels_go_with_their_image_and_stay_classes():
    values = np.zeros((20, 30), np.uint8)
    values[4:10, 8:20] = 1
    values[12:16, 5:25] = 3
    scan = image((20, 30), spacing=(1.0, 1.0), values=values.astype(float))
    preparation = Preparation(spacing=(0.5, 2.0), size=(44, 13), normalisation="none")
    labels = preparation.prepare_labels(values, scan)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 3}
    image_itself = preparation.prepare(scan)
    exact = np.isin(image_itself, (0, 1, 3))
    inner = exact & (np.abs(image_itself - labels) > 0)
    assert inner.mean() < 0.02
    assert exact.mean() > 0.8


def test_restored_probability_is_background_where_the_image_was_cropped():
    scan = image((8, 9))
    back = Preparation(size=(4, 5)).restore(np.ones((1, 1, 4, 5)), scan)
    assert back.sum() == 20
    assert (back[0, 2:6, 2:7] == 1).all()


def test_errors_state_rule_and_value():
    with pytest.raises(ValueError, match=r"slices must be an axis, 0, 1 or 2, got 3"):
        Preparation(slices=3)
    with pytest.raises(ValueError, match=r"spacing must be 1 to 3 numbers greater than 0, got \[-1.0\]"):
        Preparation(spacing=(-1.0,))
    with pytest.raises(ValueError, match=r"size must be 1 to 3 whole numbers from 1, got \[0, 4\]"):
        Preparation(size=(0, 4))
    with pytest.raises(ValueError, match="spacing and size must have a number for each axis both, got 2 and 3"):
        Preparation(size=(3, 4, 5), spacing=(1.0, 1.0))
    with pytest.raises(ValueError, match="normalisation must be none, standard or minmax, got 'z'"):
        Preparation(normalisation="z")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"scan.nii.gz: its pixels have no size in millimetres.*\[1.0, 1.0\]"):
        Preparation(spacing=(1.0, 1.0)).prepare(image((4, 5)))
    with pytest.raises(ValueError, match=r"size must have one number for each axis of a slice.*\(5, 6\), got \[4\]"):
        Preparation(slices=0, size=(4,)).prepare(image((4, 5, 6)))
    with pytest.raises(ValueError, match="slices run along one of the axes 0 to 1"):
        Preparation(slices=2).prepare(image((4, 5)))
    with pytest.raises(ValueError, match=r"prepared slices have shape \(1, 4, 5\).*got \(1, 1, 4, 6\)"):
        Preparation().restore(np.zeros((1, 1, 4, 6)), image((4, 5)))


def test_json_and_back():
    preparation = Preparation(slices=2, spacing=(1.8, 1.8), size=(80, 81), normalisation="minmax")
    assert Preparation.from_dict(preparation.as_dict()) == preparation
    with pytest.raises(ValueError, match="a preparation has no sizes"):
        Preparation.from_dict({"sizes": [3]})
