"""Patients as the ACDC challenge lays them out: every fault is named, and the heart is found without its label."""

import gzip

import nibabel
import numpy as np
import pytest
import torch

from acdc_patients import AFFINE, SPACING, heart, save, stack, write_patient
from topoprior.imaging.datasets.acdc import find_patients, heart_centre, inside, read_patient
from topoprior.imaging.file_grid import FileGrid
from topoprior.imaging.io import read_image, write_labels
from topoprior.imaging.preparation import Preparation

SIDE = 36.0  # mm: the heart is 21 mm wide, the image 60


def frames(place, phase="ED"):
    number = {"ED": "01", "ES": "07"}[phase]
    return place / f"{place.name}_frame{number}.nii.gz", place / f"{place.name}_frame{number}_gt.nii.gz"


def one(folder, side=SIDE):
    [patient] = find_patients(folder)
    return read_patient(patient, side=side)


def test_patients_are_found_by_name_with_their_phases(tmp_path):
    write_patient(tmp_path, 12, group="DCM")
    write_patient(tmp_path, 3, labels=False)
    (tmp_path / "MANDATORY_CITATION.md").write_text("...")
    third, twelfth = find_patients(tmp_path)
    assert (third.name, third.group, twelfth.name, twelfth.group) == ("patient003", "NOR", "patient012", "DCM")
    assert [frame.label for frame in third.frames] == [None, None]
    ed, es = twelfth.frames
    assert (ed.name, es.name) == ("patient012_ED", "patient012_ES")
    assert (ed.image, ed.label) == frames(tmp_path / "patient012", "ED")
    assert (es.image, es.label) == frames(tmp_path / "patient012", "ES")


def test_frames_come_with_labels_and_the_part_around_the_heart(tmp_path):
    write_patient(tmp_path, 1)
    ed, es = one(tmp_path)
    assert np.array_equal(ed.labels, stack("ED"))
    assert np.array_equal(es.labels, stack("ES"))
    assert ed.part.array.shape == (24, 24, 3)  # 36 mm of 1.5
    assert ed.part.spacing == SPACING
    assert ed.region == es.region
    assert inside(ed)
    assert inside(es)


@pytest.mark.parametrize("centre", [(44.0, 36.0), (28.0, 62.0), (66.0, 40.0)])
def test_the_heart_is_found_where_it_beats(tmp_path, centre):
    write_patient(tmp_path, 1, labels=False, slices=2, shape=(90, 100), centre=centre, scale=3.0)
    ed, es = one(tmp_path)
    found = heart_centre(ed.image, es.image)
    # Pixels; the image's centre is 20 away from the last two. The weighting of the centre pulls a little.
    assert np.hypot(*np.subtract(found, centre)) < 6
    middle = [(side.start + side.stop - 1) / 2 for side in ed.region]
    assert np.allclose(middle, found, atol=1)


def test_the_part_stays_in_the_image(tmp_path):
    write_patient(tmp_path, 1, centre=(8.0, 34.0))
    ed, _ = one(tmp_path)
    assert ed.part.array.shape == (24, 24, 3)
    ed, _ = one(tmp_path, side=500.0)
    assert ed.part.array.shape == ed.image.array.shape


def test_a_heart_outside_the_part_is_told(tmp_path):
    write_patient(tmp_path, 1)
    assert not inside(one(tmp_path, side=12.0)[0])


def test_a_phase_twice_is_cut_about_the_centre(tmp_path):
    place = write_patient(tmp_path, 1, labels=False)
    values = np.asarray(nibabel.load(frames(place)[0]).dataobj)
    save(frames(place, "ES")[0], values)
    ed, _ = one(tmp_path)
    assert [(side.start, side.stop) for side in ed.region] == [(8, 32), (10, 34)]


def test_masks_go_back_over_the_original_image(tmp_path):
    place = write_patient(tmp_path, 1)
    ed, _ = one(tmp_path)
    preparation = Preparation(slices=2, spacing=(1.5, 1.5), size=(24, 24))
    assert preparation.prepare(ed.part).shape == (3, 24, 24)
    ring = preparation.restore((preparation.prepare_labels(ed.part_labels, ed.part) == 2)[:, None], ed.part)[0] >= 0.5
    written = tmp_path / "mask.nii.gz"
    write_labels(written, ed.whole(ring.astype(np.uint8) * 2), like=ed.image)
    image, mask = nibabel.load(frames(place)[0]), nibabel.load(written)
    assert np.array_equal(mask.affine, image.affine)
    assert np.array_equal(mask.affine, AFFINE)
    assert mask.shape == image.shape
    assert np.array_equal(np.asarray(mask.dataobj) == 2, stack("ED") == 2)


def test_the_grid_of_the_file_is_reached_through_the_network(tmp_path):
    write_patient(tmp_path, 1)
    ed, _ = one(tmp_path)
    preparation = Preparation(slices=2, spacing=(1.0, 1.0), size=(40, 40), normalisation="none")
    prepared = torch.from_numpy(preparation.prepare(ed.part) / 300)[:, None].requires_grad_()
    network = FileGrid(torch.nn.Identity(), "sigmoid", preparation.restorer(ed.part))
    found = network(prepared)
    expected = preparation.restore(torch.sigmoid(prepared).detach().numpy(), ed.part)[0]
    assert torch.equal(found[:, 0].detach(), torch.from_numpy(np.moveaxis(expected, 2, 0).copy()))
    found.sum().backward()
    assert (prepared.grad != 0).float().mean() > 0.7  # 36 of 40 mm each way are in the file


def refused(tmp_path, error, match):
    with pytest.raises(error, match=match):
        one(tmp_path)


def test_no_such_folder_or_no_patient(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        find_patients(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="must hold folders patient001, patient002"):
        find_patients(tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ES: 7\n", r"Info.cfg must say which frame is ED, as in ED: 1, got ''"),
        ("ED: 1\nES: last\n", r"Info.cfg must say which frame is ES, as in ES: 1, got 'last'"),
    ],
)
def test_info_that_does_not_tell_the_frames(tmp_path, text, match):
    (write_patient(tmp_path, 1) / "Info.cfg").write_text(text)
    refused(tmp_path, ValueError, match)


def test_missing_files(tmp_path):
    place = write_patient(tmp_path, 1)
    image, label = frames(place, "ES")
    label.unlink()
    refused(tmp_path, FileNotFoundError, "patient001_frame07.nii.gz has no ground truth beside it, though")
    image.unlink()
    refused(tmp_path, FileNotFoundError, "patient001_frame07.nii.gz does not exist, though Info.cfg says that frame 7")
    (place / "Info.cfg").unlink()
    refused(tmp_path, FileNotFoundError, "Info.cfg does not exist")


def test_a_label_of_another_shape(tmp_path):
    save(frames(write_patient(tmp_path, 1))[1], stack("ED")[:, :-1])
    refused(tmp_path, ValueError, r"got \(40, 44, 3\) in .*frame01.nii.gz and \(40, 43, 3\) in .*frame01_gt.nii.gz")


def test_a_label_that_should_not_be_there(tmp_path):
    labels = stack("ED")
    labels[0, 0, 0] = 7
    save(frames(write_patient(tmp_path, 1))[1], labels)
    refused(tmp_path, ValueError, r"frame01_gt.nii.gz: labels must be 0, 1, 2 or 3, got 7$")
    save(frames(tmp_path / "patient001")[1], stack("ED").astype(np.float32) * 0.4)
    refused(tmp_path, ValueError, r"frame01_gt.nii.gz: labels must be whole numbers, got 0.4")


def test_frames_of_different_shapes(tmp_path):
    image, label = frames(write_patient(tmp_path, 1), "ES")
    for path in (image, label):
        save(path, np.asarray(nibabel.load(path).dataobj)[:, :, :2])
    refused(tmp_path, ValueError, r"one shape, got \(40, 44, 3\) in .*frame01.nii.gz and \(40, 44, 2\) in .*frame07")


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_files(tmp_path, which):
    path = frames(write_patient(tmp_path, 1))[which]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(tmp_path, ValueError, f"{path.name} cannot be read as NIfTI")
    path.write_bytes(b"no gzip at all")
    refused(tmp_path, ValueError, f"{path.name} cannot be read as NIfTI")
    damaged = bytearray(gzip.decompress(content))
    path.write_bytes(gzip.compress(bytes(damaged[:1000])))
    refused(tmp_path, ValueError, f"{path.name} cannot be read as NIfTI")


def test_a_picture_is_no_stack(tmp_path):
    image, label = frames(write_patient(tmp_path, 1))
    for path in (image, label):
        save(path, heart("ED"))
    refused(tmp_path, ValueError, r"frame01.nii.gz must be a stack of slices with 3 axes, got shape \(40, 44\)")


def test_a_stack_of_one_slice(tmp_path):
    place = write_patient(tmp_path, 1)
    for phase in ("ED", "ES"):
        for path in frames(place, phase):
            save(path, np.asarray(nibabel.load(path).dataobj)[:, :, 1:2])
    ed, _ = one(tmp_path)
    assert ed.part.array.shape == (24, 24, 1)
    assert Preparation(slices=2, size=(24, 24)).prepare(ed.part).shape == (1, 24, 24)
    assert read_image(frames(place)[0]).array.shape == (40, 44)
