"""Short-axis slices from the four places they come from."""

import nibabel
import numpy as np
import pytest
import torch

from topoprior.imaging.datasets.short_axis import phantom_slices, read_crops
from topoprior.imaging.datasets.short_axis_folders import read_acdc, read_biobank
from topoprior.topology.betti import betti_numbers


def ring(shape, centre, radius=12):
    """A wall (2) around a cavity (1), and a picture that shows it brighter to the right; axes x, y."""
    x, y = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(x - centre[0], y - centre[1])
    label = np.where(distance < radius, 1, np.where(distance < radius + 5, 2, 0)).astype(np.uint8)
    return (50 * label + x).astype(np.float32), label


def write(path, array, spacing):
    affine = np.diag([*spacing[:2], 10.0, 1.0])
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_zooms([*spacing[:2], 10.0, 1.0][: array.ndim])
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def subject(folder, *, shape=(100, 120), centre=(40, 70), spacing=(1.83, 1.83), label_name="label_sa.nii.gz", phases=2):
    """Five slices, the ring in the middle one of the first phase only."""
    picture, label = ring(shape, centre)
    image, labels = np.zeros((*shape, 5, phases), np.float32), np.zeros((*shape, 5, phases), np.uint8)
    image[:, :, 2, 0], labels[:, :, 2, 0] = picture, label
    write(folder / "sa.nii.gz", image, spacing)
    if label_name:
        write(folder / label_name, labels, spacing)


def centre_of(label):
    return [float(places.mean()) for places in np.nonzero(label)]


def test_biobank_subjects_are_cut_about_the_ventricle(tmp_path):
    subject(tmp_path / "1000123")
    subject(tmp_path / "1000124", centre=(60, 50), label_name="seg_sa.nii.gz")
    (tmp_path / "readme.txt").write_text("no subject")
    slices = read_biobank(tmp_path)
    assert slices.names == ("1000123", "1000124")
    assert slices.patients.tolist() == [0, 1]
    assert slices.images.shape == (2, 1, 80, 80)
    for label in slices.labels.numpy():
        np.testing.assert_allclose(centre_of(label), (40, 40), atol=1)
    assert betti_numbers(slices.labels[:, None])[:, 0].tolist() == [[1, 1]] * 2
    row = slices.images[0, 0, 0].numpy()  # x runs along a row: the picture rises with it
    assert row[40] > row[10]
    column = slices.images[0, 0, :, 0].numpy()
    assert column[10] == column[70]


def test_pixels_of_another_size_become_those_of_the_others(tmp_path):
    subject(tmp_path / "a", spacing=(1.8, 1.8))
    subject(tmp_path / "b", spacing=(3.6, 1.8), shape=(50, 120), centre=(20, 70))
    areas = read_biobank(tmp_path).labels.sum((1, 2)).tolist()
    assert areas[1] == pytest.approx(2 * areas[0], rel=0.05)


def test_biobank_subjects_without_a_label_or_a_ring(tmp_path):
    subject(tmp_path / "labelled", label_name="label_sa.nii.gz")
    subject(tmp_path / "unlabelled", label_name=None)
    subject(tmp_path / "broken")
    _, label = ring((100, 120), (40, 70))
    label[:, 70] = 0  # the ring is cut in two
    labels = np.zeros((100, 120, 5, 2), np.uint8)
    labels[:, :, 2, 0] = label
    write(tmp_path / "broken" / "label_sa.nii.gz", labels, (1.83, 1.83))
    slices = read_biobank(tmp_path)
    assert dict(zip(slices.names, slices.labelled.tolist(), strict=True)) == {"labelled": True, "unlabelled": False}
    assert "2 subjects, 1 with a label; 1 others left out" in slices.note
    # Without a label the picture's own middle is the crop's: the ring lies left of it and below.
    picture = slices.images[1, 0].numpy()
    assert picture[40 + 10, 40 - 10] > picture[40 + 10, 40 + 10] + 20


def test_the_value_of_the_myocardium_is_an_option(tmp_path):
    subject(tmp_path / "1")
    with pytest.raises(
        ValueError, match=r"the value 3 must be a ring .* got none in 1 subjects, .* values \[0, 1, 2\]"
    ):
        read_biobank(tmp_path, myocardium=3)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda folder: (folder / "sa.nii.gz").write_bytes(b"no"), "sa.nii.gz cannot be read as NIfTI"),
        (
            lambda folder: write(folder / "label_sa.nii.gz", np.zeros((100, 120, 4), np.uint8), (1.8, 1.8)),
            r"label_sa.nii.gz: it must have the shape of sa.nii.gz, \(100, 120, 5\), got \(100, 120, 4\)",
        ),
        (
            lambda folder: write(folder / "sa.nii.gz", np.full((100, 120, 5), -1.0, np.float32), (1.8, 1.8)),
            "sa.nii.gz: its values must be finite and at least 0, got -1.0 to -1.0",
        ),
        (
            lambda folder: write(folder / "sa.nii.gz", np.zeros((100, 120), np.float32), (1.8, 1.8)),
            r"sa.nii.gz: it must have 3 axes, or 4 .* got shape \(100, 120\)",
        ),
        (lambda folder: (folder / "sa.nii.gz").unlink(), "must hold a folder for each subject with sa.nii.gz"),
    ],
)
def test_biobank_files_that_do_not_fit_are_named(tmp_path, change, error):
    subject(tmp_path / "1", phases=1)
    change(tmp_path / "1")
    with pytest.raises(ValueError, match=error):
        read_biobank(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read_biobank(tmp_path / "elsewhere")


def patient(folder, *, truth=True):
    """Ten slices in two phases; the ring in all but one of the four in the middle, 3 to 6."""
    folder.mkdir(parents=True)
    (folder / "Info.cfg").write_text("ED: 1\nES: 7\nGroup: NOR\n")
    picture, label = ring((90, 110), (30, 60))
    for frame in (1, 7):
        write(folder / f"{folder.name}_frame{frame:02d}.nii.gz", np.stack([picture] * 10, 2), (1.5, 1.5))
        labels = np.stack([label] * 10, 2)
        labels[:, :, 5] = 0
        if truth:
            write(folder / f"{folder.name}_frame{frame:02d}_gt.nii.gz", labels, (1.5, 1.5))


def test_acdc_gives_the_rings_of_the_middle_of_both_phases(tmp_path):
    patient(tmp_path / "patient002")
    patient(tmp_path / "patient010")
    slices = read_acdc(tmp_path)
    assert slices.names[:3] == ("patient002 ED slice 3", "patient002 ED slice 4", "patient002 ED slice 6")
    assert len(slices) == 12
    assert slices.patients.tolist() == [0] * 6 + [1] * 6
    assert "12 slices of 2 patients" in slices.note
    assert "4 others left out" in slices.note
    np.testing.assert_allclose(centre_of(slices.labels[0].numpy()), (40, 40), atol=1)
    assert slices.labels[0].sum().item() == pytest.approx(np.pi * (17**2 - 12**2) * (1.5 / 1.8) ** 2, rel=0.03)


def test_acdc_without_ground_truth_or_ring_is_refused(tmp_path):
    patient(tmp_path / "a" / "patient001", truth=False)
    with pytest.raises(ValueError, match=r"patient001_frame01.nii.gz must have its ground truth beside it"):
        read_acdc(tmp_path / "a")
    patient(tmp_path / "b" / "patient001")
    with pytest.raises(ValueError, match=r"the value 7 must be a ring .* got none in 8"):
        read_acdc(tmp_path / "b", myocardium=7)


def test_crops_that_are_missing_damaged_or_of_another_kind_are_named(tmp_path):
    path = tmp_path / "crops.npz"
    with pytest.raises(FileNotFoundError, match=r"crops.npz does not exist; it must be the npz of short-axis crops"):
        read_crops(path)
    path.write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(ValueError, match=r"crops.npz cannot be read as the npz of short-axis crops"):
        read_crops(path)
    np.savez(path, image=np.zeros(3))
    with pytest.raises(ValueError, match="must be the npz of short-axis crops, but lacks 'label"):
        read_crops(path)


def test_phantoms_are_rings_and_their_digest_tells_them_apart():
    slices, others = phantom_slices(3, seed=4), phantom_slices(3, seed=5)
    assert betti_numbers(slices.labels[:, None])[:, 0].tolist() == [[1, 1]] * 3
    assert slices.images.dtype == torch.float32
    assert slices.digest() == phantom_slices(3, seed=4).digest() != others.digest()
