"""Files in and out: values and geometry survive, hostile files are refused, nothing half-written stays behind."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior.imaging.io import read_image, write_mask, write_probability
from topoprior.imaging.new_file import new_file

RNG = np.random.default_rng(0)
PROBABILITY = RNG.random((5, 7, 3), dtype=np.float32)
OBLIQUE = np.array([[1.4, 0.2, -0.3, 12.0], [-0.1, 1.5, 0.4, -7.5], [0.3, -0.4, 7.9, 3.25], [0, 0, 0, 1]])


def save_nifti(path: Path, values: np.ndarray, affine: np.ndarray = OBLIQUE) -> Path:
    image = nibabel.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)
    return path


def only(folder: Path, *names: str) -> bool:
    return {path.name for path in folder.iterdir()} == set(names)


# What is read


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_values_and_geometry(tmp_path, ending):
    path = save_nifti(tmp_path / f"map{ending}", PROBABILITY)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, PROBABILITY)
    np.testing.assert_array_equal(image.affine, nibabel.load(path).affine)
    assert image.array.dtype == np.float32


def test_spacing_is_that_of_the_header_in_millimetres(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((5, 7, 3), np.uint8), np.eye(4))
    image.header.set_zooms((1.4, 2.0, 8.0))  # beside an affine of ones, as in the images of the ACDC challenge
    nibabel.save(image, tmp_path / "sizes.nii")
    np.testing.assert_array_equal(np.abs(np.diag(nibabel.load(tmp_path / "sizes.nii").affine)), 1)
    assert read_image(tmp_path / "sizes.nii").spacing == (1.4, 2.0, 8.0)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "small.nii")
    assert read_image(tmp_path / "small.nii").spacing == (0.0014, 0.002, 0.008)
    np.save(tmp_path / "none.npy", PROBABILITY)
    assert read_image(tmp_path / "none.npy").spacing is None


def test_nifti_slope_is_applied(tmp_path):
    raw = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
    image = nibabel.Nifti1Image(raw, np.eye(4))
    image.header.set_slope_inter(1 / 255, 0)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    probability = read_image(tmp_path / "scaled.nii.gz").probability()
    np.testing.assert_allclose(probability, raw / 255, atol=1e-6)
    assert probability.max() <= 1  # 255 times a single-precision 1/255 is a little more than 1


def test_only_trailing_axes_of_size_one_are_left_out(tmp_path):
    assert read_image(save_nifti(tmp_path / "a.nii", PROBABILITY[:, :, :1, None])).array.shape == (5, 7)
    assert read_image(save_nifti(tmp_path / "b.nii", PROBABILITY[:, :1])).array.shape == (5, 1, 3)
    assert read_image(save_nifti(tmp_path / "c.nii", PROBABILITY[:, :1, :1])).array.shape == (5, 1)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 255), (np.uint16, 65535)])
def test_png_gray_values_are_scaled(tmp_path, dtype, scale):
    gray = np.array([[0, scale // 3, scale], [5, 6, 7]], dtype)
    Pillow.fromarray(gray).save(tmp_path / "map.png")
    image = read_image(tmp_path / "map.png")
    np.testing.assert_array_equal(image.array, gray)
    np.testing.assert_allclose(image.probability(), gray / scale, rtol=1e-6)
    np.testing.assert_allclose(image.intensity(), gray / scale, rtol=1e-6)


def test_black_and_white_png(tmp_path):
    mask = PROBABILITY[..., 0] > 0.5
    Pillow.fromarray(mask).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_image(tmp_path / "mask.png").foreground()[0], mask)


@pytest.mark.parametrize(
    ("stored", "read"), [(">f4", np.float32), ("f2", np.float32), (">i2", np.int16), ("f8", float)]
)
def test_npy_comes_in_a_type_that_torch_knows(tmp_path, stored, read):
    values = np.array([[0, 1, 2], [3, 4, 5]], stored)
    np.save(tmp_path / "a.npy", np.asfortranarray(values))
    array = read_image(tmp_path / "a.npy").array
    assert array.dtype == read
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)


# What the values mean


def image_of(tmp_path: Path, values: np.ndarray):
    np.save(tmp_path / "values.npy", values)
    return read_image(tmp_path / "values.npy")


def test_threshold_is_met_from_above(tmp_path):
    image = image_of(tmp_path, np.array([[0.25, 0.5, 0.75]]))
    assert image.foreground()[0].tolist() == [[False, True, True]]
    assert image.foreground(threshold=0.75)[0].tolist() == [[False, False, True]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_labels(tmp_path, dtype):
    image = image_of(tmp_path, np.array([[0, 1, 3], [3, 2, 0]], dtype))
    assert image.foreground(label=3)[0].tolist() == [[False, False, True], [True, False, False]]
    assert image.foreground(label=9)[0].sum() == 0
    with pytest.raises(ValueError, match=r"values.npy: .* got the labels 1, 2, 3; choose one with --label"):
        image.foreground()


def test_many_labels_are_cut_short_in_the_error(tmp_path):
    with pytest.raises(ValueError, match=r"got the labels 1, 2, .*, 10 and 89 more;"):
        image_of(tmp_path, np.arange(100)).foreground()


@pytest.mark.parametrize("values", [[[0, 7, 7]], [[False, True, True]], [[0.0, 3.0, 3.0]]])
def test_a_mask_is_zero_and_one_other_value(tmp_path, values):
    assert image_of(tmp_path, np.array(values)).foreground()[0].tolist() == [[False, True, True]]


def test_a_png_of_small_gray_values_is_a_label_map(tmp_path):
    Pillow.fromarray(np.array([[0, 1, 2]], np.uint8)).save(tmp_path / "labels.png")
    image = read_image(tmp_path / "labels.png")
    with pytest.raises(ValueError, match="labels 1, 2; choose one with --label"):
        image.foreground()
    assert image.foreground(label=2)[0].tolist() == [[False, False, True]]
    assert image.foreground(threshold=0.005)[0].tolist() == [[False, False, True]]  # said to be a map: 2 / 255


def test_a_fraction_has_no_label(tmp_path):
    with pytest.raises(ValueError, match="a label map has whole numbers, got float64"):
        image_of(tmp_path, np.array([0.5, 1])).foreground(label=1)


@pytest.mark.parametrize("values", [[0, 1, 1], [True, False, True], [-3, 300, 4]])
def test_integers_are_no_probabilities(tmp_path, values):
    with pytest.raises(ValueError, match=r"floating-point values in \[0, 1\], got (int64|bool) values from"):
        image_of(tmp_path, np.array(values)).probability()


@pytest.mark.parametrize("values", [[-0.01, 0.5], [0.5, 1.01], [-7.5, 4.25]])
def test_logits_are_refused(tmp_path, values):
    image = image_of(tmp_path, np.array(values))
    for reading in (image.probability, image.foreground):
        with pytest.raises(ValueError, match=rf"must lie in \[0, 1\], got values from {values[0]} .* sigmoid"):
            reading()


@pytest.mark.parametrize("activation", ["softmax", "tanh"])
def test_activations_that_a_map_cannot_have(tmp_path, activation):
    with pytest.raises(ValueError, match=f"activation of a map must be 'sigmoid' or None, got '{activation}'"):
        image_of(tmp_path, PROBABILITY).probability(activation=activation)


def test_logits_are_turned_into_probabilities_when_asked(tmp_path):
    logits = np.array([-1000.0, -2.0, 0.0, 3.0, 1000.0])
    probability = image_of(tmp_path, logits).probability(activation="sigmoid")
    np.testing.assert_allclose(probability, [0, 1 / (1 + np.e**2), 0.5, 1 / (1 + np.e**-3), 1], atol=1e-15)
    with pytest.raises(ValueError, match="logits must be floating point, got int64"):
        image_of(tmp_path, np.arange(3)).probability(activation="sigmoid")


@pytest.mark.parametrize("threshold", [0, -0.5, 1.5, float("nan")])
def test_thresholds_out_of_range(tmp_path, threshold):
    with pytest.raises(ValueError, match="threshold must be greater than 0 and at most 1, got"):
        image_of(tmp_path, PROBABILITY).foreground(threshold=threshold)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stack_is_cut_and_joined_along_the_given_axis(tmp_path, axis):
    image = image_of(tmp_path, PROBABILITY)
    slices = image.cut(image.array, axis)
    assert len(slices) == PROBABILITY.shape[axis]
    for index, part in enumerate(slices):
        np.testing.assert_array_equal(part, PROBABILITY.take(index, axis))
    np.testing.assert_array_equal(image.join(slices, axis), PROBABILITY)


def test_whole_images_and_stacks_of_one_slice(tmp_path):
    image = image_of(tmp_path, PROBABILITY[:, :, :1])
    assert image.array.shape == (5, 7)
    for axis in (None, 2):
        slices = image.cut(image.array, axis)
        assert slices.shape == (1, 5, 7)
        np.testing.assert_array_equal(image.join(slices, axis), image.array)


@pytest.mark.parametrize(("shape", "axis"), [((5, 7), 2), ((5, 7, 3), 3), ((5, 7, 3), -1), ((5,), 0)])
def test_no_such_axis(tmp_path, shape, axis):
    image = image_of(tmp_path, np.ones(shape))
    with pytest.raises(ValueError, match=f"got axis {axis} for shape"):
        image.cut(image.array, axis)


# What is refused

GOOD_NPY = b"\x93NUMPY\x01\x00"


def truncated_gzip() -> bytes:
    return nifti_bytes()[:-40]


def flipped_gzip() -> bytes:
    """One wrong byte in uncompressed blocks: nothing but the check sum at the end of the file can tell."""
    values = RNG.random((20, 30, 40), dtype=np.float32)
    content = bytearray(gzip.compress(nibabel.Nifti1Image(values, OBLIQUE).to_bytes(), compresslevel=0))
    content[len(content) // 2] ^= 1
    return bytes(content)


def nifti_bytes(values: np.ndarray = PROBABILITY) -> bytes:
    return gzip.compress(nibabel.Nifti1Image(values, OBLIQUE).to_bytes())


def png_bytes(tmp_path: Path, mode: str) -> bytes:
    Pillow.new(mode, (40, 30)).save(tmp_path / "x.png")
    return (tmp_path / "x.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.nii.gz", truncated_gzip()),
        ("head.nii.gz", nifti_bytes()[:60]),
        ("damaged.nii.gz", flipped_gzip()),
        ("plain.nii.gz", b"these are words"),
        ("words.nii.gz", gzip.compress(b"these are words" * 100)),
        ("empty.nii.gz", b""),
        ("cut.nii", gzip.decompress(nifti_bytes())[:-40]),
        ("words.nii", b"these are words" * 100),
        ("words.npy", b"these are words"),
        ("empty.npy", b""),
        ("head.npy", GOOD_NPY),
        ("words.png", b"these are words"),
    ],
)
def test_broken_and_foreign_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} cannot be read as (NIfTI|NPY|PNG): "):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1, {}], object), "cannot be read as NPY: .*[Oo]bjects"),
        (np.zeros((0, 5)), r"at least one pixel and one axis, got shape \(0, 5\)"),
        (np.float64(3), r"at least one pixel and one axis, got shape \(\)"),
        (np.zeros((2, 3, 4, 5)), r"1 to 3 spatial axes, got shape \(2, 3, 4, 5\)"),
        (np.zeros(4, complex), "real numbers, got complex128"),
        (np.array(["a", "b"]), "real numbers, got <U1"),
        (np.array([[0.5, 0.5], [np.nan, 0.5]]), r"must be finite, got nan at index \(1, 0\), 1 such values"),
        (np.array([[0.5, -np.inf], [np.inf, 0.5]]), r"must be finite, got -inf at index \(0, 1\), 2 such values"),
    ],
)
def test_arrays_that_are_no_image(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ValueError, match=message):
        read_image(tmp_path / "a.npy")


def test_a_pickle_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "opened",))

    np.save(tmp_path / "a.npy", np.array([Trap()], object))
    with pytest.raises(ValueError, match="cannot be read as NPY"):
        read_image(tmp_path / "a.npy")
    assert only(tmp_path, "a.npy")


def test_a_header_that_claims_a_huge_array(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    with pytest.raises(ValueError, match="cannot be read as NPY"):
        read_image(tmp_path / "a.npy")
    image = nibabel.Nifti1Image(PROBABILITY, OBLIQUE)
    image.header["dim"][1:4] = 30000
    (tmp_path / "a.nii").write_bytes(image.header.binaryblock + bytes(100))
    with pytest.raises(ValueError, match=r"at most 2\^29 pixels, got shape \(30000, 30000, 30000\)"):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_colour_png(tmp_path, mode):
    png_bytes(tmp_path, mode)
    with pytest.raises(ValueError, match=f"must be grayscale without transparency, got mode {mode}"):
        read_image(tmp_path / "x.png")


def test_truncated_png(tmp_path):
    Pillow.fromarray((PROBABILITY[..., 0] * 255).astype(np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:-30])
    with pytest.raises(ValueError, match="cannot be read as PNG: "):
        read_image(tmp_path / "x.png")


def test_missing_files_folders_and_unknown_formats(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none.npy does not exist"):
        read_image(tmp_path / "none.npy")
    with pytest.raises(FileNotFoundError, match=r"folder.npy is a folder"):
        read_image(tmp_path / "folder.npy")
    with pytest.raises(ValueError, match=r"scan.dcm: the file name must end in .nii.gz, .nii, .png, .npy"):
        read_image(tmp_path / "scan.dcm")


# What is written


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7), (5, 7, 1, 1)])
def test_nifti_round_trip_keeps_the_oblique_geometry(tmp_path, ending, shape):
    path = save_nifti(tmp_path / f"image{ending}", (1000 * RNG.random(shape)).astype(np.int16))
    image, mask, probability = read_image(path), RNG.random(shape) > 0.5, RNG.random(shape, dtype=np.float32)
    write_mask(tmp_path / "mask.nii.gz", mask.reshape(image.array.shape), like=image)
    write_probability(tmp_path / "probability.nii.gz", probability.reshape(image.array.shape), like=image)
    before = nibabel.load(path)
    for name, values, dtype in (("mask", mask, np.uint8), ("probability", probability, np.float32)):
        after = nibabel.load(tmp_path / f"{name}.nii.gz")
        assert after.shape == shape
        assert after.get_data_dtype() == dtype
        np.testing.assert_array_equal(np.asanyarray(after.dataobj), values)
        np.testing.assert_array_equal(after.affine, before.affine)
        assert after.header.get_zooms() == before.header.get_zooms()
        assert after.header.get_xyzt_units() == ("mm", "sec")
        assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (1, 1)
    assert only(tmp_path, path.name, "mask.nii.gz", "probability.nii.gz")


def test_a_scaled_input_does_not_scale_the_mask(tmp_path):
    image = nibabel.Nifti1Image(PROBABILITY * 100, OBLIQUE)
    image.set_data_dtype(np.uint8)  # nibabel now stores slope and intercept
    nibabel.save(image, tmp_path / "image.nii.gz")
    mask = PROBABILITY > 0.5
    write_mask(tmp_path / "mask.nii.gz", mask, like=read_image(tmp_path / "image.nii.gz"))
    np.testing.assert_array_equal(np.asanyarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj), mask)


def test_nifti2_stays_nifti2(tmp_path):
    nibabel.save(nibabel.Nifti2Image(PROBABILITY, OBLIQUE), tmp_path / "image.nii")
    write_mask(tmp_path / "mask.nii", PROBABILITY > 0.5, like=read_image(tmp_path / "image.nii"))
    assert isinstance(nibabel.load(tmp_path / "mask.nii"), nibabel.Nifti2Image)


@pytest.mark.parametrize("ending", [".png", ".npy", ".nii.gz"])
def test_mask_and_probability_come_back(tmp_path, ending):
    probability = PROBABILITY[..., 0]
    write_mask(tmp_path / f"mask{ending}", probability > 0.5)
    write_probability(tmp_path / f"map{ending}", probability)
    np.testing.assert_array_equal(read_image(tmp_path / f"mask{ending}").foreground()[0], probability > 0.5)
    np.testing.assert_allclose(read_image(tmp_path / f"map{ending}").probability(), probability, atol=0.5 / 65535)


def test_png_mask_is_black_and_white(tmp_path):
    write_mask(tmp_path / "mask.png", np.array([[False, True]]))
    assert np.asarray(Pillow.open(tmp_path / "mask.png")).tolist() == [[0, 255]]


def test_a_volume_is_no_png(tmp_path):
    with pytest.raises(ValueError, match=r"a PNG holds an image with 2 axes, got 3; write .npy or .nii.gz"):
        write_mask(tmp_path / "mask.png", PROBABILITY > 0.5)
    assert only(tmp_path)


def test_an_existing_file_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "mask.npy"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"mask.npy exists already: .* --overwrite"):
        write_mask(path, PROBABILITY > 0.5)
    assert path.read_text() == "precious"
    write_mask(path, PROBABILITY > 0.5, overwrite=True)
    np.testing.assert_array_equal(read_image(path).array, PROBABILITY > 0.5)
    assert only(tmp_path, "mask.npy")


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_text("precious")
    written = []

    def fail() -> None:
        with new_file(path, overwrite=True) as temporary:
            temporary.write_text("half")
            written.append(temporary)
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        fail()
    assert written[0].parent == tmp_path
    assert written[0].name.endswith(".nii.gz")
    assert path.read_text() == "precious"
    assert only(tmp_path, "a.nii.gz")


def test_places_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none is no folder, so a.npy cannot be written there"):
        write_mask(tmp_path / "none" / "a.npy", PROBABILITY > 0.5)
    (tmp_path / "b.npy").mkdir()
    with pytest.raises(IsADirectoryError, match=r"b.npy is a folder; the output must be a file"):
        write_mask(tmp_path / "b.npy", PROBABILITY > 0.5, overwrite=True)
    monkeypatch.setattr("os.access", lambda *_: False)  # file permissions do not bind an administrator
    with pytest.raises(PermissionError, match="cannot be written to"):
        write_mask(tmp_path / "c.npy", PROBABILITY > 0.5)
    assert only(tmp_path, "b.npy")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (10**30, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000000000000000000, 3), }",
        "{'descr': '<f4', 'fortran_order': 'no', 'shape': 7}",
        "(((((",
        "\\x00'",
    ],
)
def test_npy_with_a_broken_header(tmp_path, header):
    text = header.encode().ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(24)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npy cannot be read as NPY"):
        read_image(tmp_path / "a.npy")


def test_nifti_with_a_negative_side(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.uint8), np.eye(4)), tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[42:44] = (-4).to_bytes(2, "little", signed=True)  # dim[1]
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.nii cannot be read as NIfTI: .*got shape \(-4, 5, 6\)"):
        read_image(tmp_path / "a.nii")
