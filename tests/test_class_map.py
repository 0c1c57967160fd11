"""Maps with a channel axis: where it is, what comes back, what is refused."""

import nibabel
import numpy as np
import pytest

from topoprior.imaging.class_map import read_class_map, write_class_map

OBLIQUE = np.array([[1.4, 0.2, -0.3, 12.0], [-0.1, 1.5, 0.4, -7.5], [0.3, -0.4, 7.9, 3.25], [0, 0, 0, 1]])
MAP = np.random.default_rng(0).dirichlet([1, 1, 1], (5, 4, 2)).astype(np.float32).transpose(3, 0, 1, 2)  # (3, 5, 4, 2)


@pytest.mark.parametrize(
    ("name", "values", "axis", "shape"),
    [
        ("map.npy", MAP, None, (5, 4, 2)),
        ("map.npy", MAP.transpose(1, 0, 2, 3), 1, (5, 4, 2)),
        ("map.nii.gz", MAP.transpose(1, 2, 3, 0), None, (5, 4, 2)),
        ("map.nii", MAP.transpose(1, 2, 3, 0)[:, :, :, None], None, (5, 4, 2)),
        ("map.nii", MAP.transpose(1, 2, 3, 0)[:, :, :1], -1, (5, 4, 1)),
        ("map.nii", MAP[..., 0].transpose(1, 2, 0), None, (5, 4)),
    ],
)
def test_layouts(tmp_path, name, values, axis, shape):
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, values)
    else:
        nibabel.save(nibabel.Nifti1Image(values, OBLIQUE), path)
    read = read_class_map(path, 3, axis=axis)
    assert read.image.shape == shape
    expected = MAP[..., : (shape[2] if len(shape) == 3 else 1)]
    assert read.probability.shape == (3, *read.image.array.shape)
    np.testing.assert_allclose(read.probability.reshape(expected.shape), expected, atol=1e-6)
    again = tmp_path / f"again{name.removeprefix('map')}"
    write_class_map(again, read.probability, like=read.image)
    back = read_class_map(again, 3)
    np.testing.assert_allclose(back.probability, read.probability, atol=1e-6)
    assert (again.suffix == ".npy") == (back.image.affine is None)
    if back.image.affine is not None:
        np.testing.assert_allclose(back.image.affine, OBLIQUE, atol=1e-6)


def test_logits_and_rounded_values(tmp_path):
    path = tmp_path / "map.npy"
    np.save(path, np.log(MAP) + 50)
    np.testing.assert_allclose(read_class_map(path, 3, activation="softmax").probability, MAP, rtol=1e-3)
    np.save(path, np.rint(MAP * 255) / 255)
    np.testing.assert_allclose(read_class_map(path, 3).probability.sum(0), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "axis", "message"),
    [
        (MAP[:2], None, r"its channel axis 0 must have 3 channels, one for each class, got 2 .* --channel-axis"),
        (MAP, 4, r"there is no channel axis 4 in a file of shape \(3, 5, 4, 2\)"),
        (np.log(MAP), None, r"probabilities must lie in \[0, 1\]"),
        (MAP / 2, None, r"its channels must be a softmax, .* got a sum of 0.5 .*--activation softmax"),
        (np.zeros((3, 2, 2, 2, 2), np.float32), None, "it must have 1 to 3 spatial axes beside the channel axis 0"),
        (np.zeros((3, 2), np.uint8), None, "floating-point values"),
    ],
)
def test_what_is_no_class_map(tmp_path, values, axis, message):
    np.save(tmp_path / "map.npy", values)
    with pytest.raises(ValueError, match=message):
        read_class_map(tmp_path / "map.npy", 3, axis=axis)


def test_a_png_holds_one_channel(tmp_path):
    with pytest.raises(ValueError, match="a PNG holds one channel"):
        read_class_map(tmp_path / "map.png", 3)
