"""Folders become cases; every way in which a folder can be wrong is told before training starts."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from topoprior import BettiPrior
from topoprior.imaging.datasets.classes import class_numbers, class_values, find_classes
from topoprior.imaging.datasets.folders import load_cases
from topoprior.imaging.datasets.pairs import files_at, labelled_images, unlabelled_images
from topoprior.imaging.datasets.priors import read_priors
from topoprior.imaging.datasets.settings import DataSettings, ValidationSettings
from topoprior.imaging.datasets.split import split_files
from topoprior.imaging.image import Image
from topoprior.imaging.preparation import Preparation

AS_IT_IS = Preparation(normalisation="none")


def save(path: Path, values, spacing=(1.0, 1.0, 1.0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(values)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".png":
        Pillow.fromarray(values.astype(np.uint8)).save(path)
    else:
        nibabel.save(nibabel.Nifti1Image(values, np.diag([*spacing, 1.0])), path)
    return path


def label(shape=(5, 6), value=2):
    values = np.zeros(shape, np.uint8)
    values[1:3, 2:4] = value
    return values


def folders(tmp_path, images=("a.npy", "b.npy"), labels=None, shape=(5, 6)):
    for number, name in enumerate(images):
        save(tmp_path / "images" / name, np.full(shape, float(number) + 1, np.float32))
    for name in labels or images:
        save(tmp_path / "labels" / name, label(shape))
    return tmp_path / "images", tmp_path / "labels"


def names(found):
    return [(one.name, [path.name for path in one.channels], one.label and one.label.name) for one in found]


# Which files belong together


def test_same_names_in_any_format(tmp_path):
    pairs = labelled_images(*folders(tmp_path, ("b.nii.gz", "a.png"), ("a.npy", "b.png")))
    assert names(pairs) == [("a.png", ["a.png"], "a.npy"), ("b.nii.gz", ["b.nii.gz"], "b.png")]


@pytest.mark.parametrize("word", ["_gt", "_label", "-labels", "_mask", "_seg", "_GT"])
def test_labels_with_a_word_at_the_end(tmp_path, word):
    pairs = labelled_images(
        *folders(tmp_path, ("p1_frame01.npy", "p2.npy"), (f"p1_frame01{word}.npy", f"p2{word}.npy"))
    )
    assert [(one.name, one.label.name) for one in pairs] == [
        ("p1_frame01.npy", f"p1_frame01{word}.npy"),
        ("p2.npy", f"p2{word}.npy"),
    ]


def test_words_at_the_end_of_both(tmp_path):
    pairs = labelled_images(*folders(tmp_path, ("a_image.npy", "b_image.npy"), ("a_mask.npy", "b_mask.npy")))
    assert [(one.name, one.label.name) for one in pairs] == [
        ("a_image.npy", "a_mask.npy"),
        ("b_image.npy", "b_mask.npy"),
    ]


def test_acdc_as_its_publisher_ships_it(tmp_path):
    for patient in ("patient001", "patient002"):
        for name in ("_frame01.nii.gz", "_frame01_gt.nii.gz", "_4d.nii.gz"):
            save(tmp_path / patient / f"{patient}{name}", np.zeros((4, 5, 2), np.uint8))
    pairs = labelled_images(f"{tmp_path}/*/*_frame??.nii.gz", f"{tmp_path}/*/*_gt.nii.gz")
    assert [(one.name, one.label.name) for one in pairs] == [
        (f"patient00{n}_frame01.nii.gz", f"patient00{n}_frame01_gt.nii.gz") for n in (1, 2)
    ]


def test_channels_of_nnunet(tmp_path):
    images = [f"{case}_{channel:04d}.nii.gz" for case in ("x_1", "x_2") for channel in (0, 1)]
    pairs = labelled_images(*folders(tmp_path, images, ("x_1.nii.gz", "x_2.nii.gz")))
    assert names(pairs) == [
        (f"{c}.nii.gz", [f"{c}_0000.nii.gz", f"{c}_0001.nii.gz"], f"{c}.nii.gz") for c in ("x_1", "x_2")
    ]
    assert pairs[0].path == tmp_path / "images" / "x_1.nii.gz"


def test_numbers_at_the_end_are_no_channels_if_the_labels_have_them_too(tmp_path):
    pairs = labelled_images(*folders(tmp_path, ("img_0000.npy", "img_0001.npy")))
    assert names(pairs) == [(name, [name], name) for name in ("img_0000.npy", "img_0001.npy")]


def test_unlabelled_channels():
    files = [Path("u/a_0001.png"), Path("u/a_0000.png")]
    assert names(unlabelled_images(files, channels=True)) == [("a.png", ["a_0000.png", "a_0001.png"], None)]
    assert names(unlabelled_images(files, channels=False))[0] == ("a_0001.png", ["a_0001.png"], None)
    with pytest.raises(ValueError, match=r"names must end in the number of a channel.*got b\.png$"):
        unlabelled_images([*files, Path("u/b.png")], channels=True)


def test_hidden_and_foreign_files_are_no_images(tmp_path):
    images, _ = folders(tmp_path)
    (images / ".hidden.npy").touch()
    (images / "notes.txt").touch()
    assert [path.name for path in files_at(images)] == ["a.npy", "b.npy"]


def test_missing_partners_are_named(tmp_path):
    images, labels = folders(tmp_path, [f"{n}.npy" for n in range(9)], ["0.npy", "8.npy"])
    with pytest.raises(
        ValueError, match=r"7 of 9 images in .*images have no label in .*labels: 1.npy, .*5.npy and 2 more$"
    ):
        labelled_images(images, labels)
    save(labels / "c_gt.npy", label())
    for n in range(9):
        save(labels / f"{n}.npy", label())
    with pytest.raises(ValueError, match=r"1 of 10 labels in .*labels have no image in .*images: c_gt.npy$"):
        labelled_images(images, labels)


def test_folders_that_are_wrong(tmp_path):
    images, labels = folders(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        files_at(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"a.npy is a file, not a folder"):
        files_at(images / "a.npy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty holds no image \(.nii.gz, .nii, .png, .npy\)"):
        files_at(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"x\*.npy holds no image"):
        files_at(f"{images}/x*.npy")
    with pytest.raises(ValueError, match="is the place of images and labels both: tell them apart by patterns"):
        labelled_images(images, images)
    save(images / "a.png", label())
    with pytest.raises(ValueError, match=r"two files have the name a: .*a.npy and .*a.png"):
        labelled_images(images, labels)


def test_two_labels_for_one_image(tmp_path):
    with pytest.raises(ValueError, match=r"two files are named after a: .*a_gt.npy and .*a_mask.npy"):
        labelled_images(*folders(tmp_path, ("a.npy",), ("a_gt.npy", "a_mask.npy")))


def test_a_missing_channel(tmp_path):
    images = ["a_0000.npy", "a_0001.npy", "b_0001.npy"]
    with pytest.raises(ValueError, match="b must have the channels 0000 to 0001 as other images do, got 0001"):
        labelled_images(*folders(tmp_path, images, ("a.npy", "b.npy")))


# Split


def test_split_keeps_groups_together_and_follows_the_seed():
    files = unlabelled_images([Path(f"p{n:02d}_{phase}.png") for n in range(10) for phase in "ab"], channels=False)
    splits = {}
    for seed in range(5):
        train, validation = split_files(files, share=0.3, group=r"p(\d+)_", seed=seed)
        assert len(validation) == 6
        patients = [{one.name[:3] for one in part} for part in (train, validation)]
        assert not patients[0] & patients[1]
        assert sorted(one.name for one in [*train, *validation]) == sorted(one.name for one in files)
        assert split_files(files, share=0.3, group=r"p(\d+)_", seed=seed) == (train, validation)
        splits[frozenset(patients[1])] = seed
    assert len(splits) > 1


def test_split_leaves_something_on_both_sides():
    files = unlabelled_images([Path("a.png"), Path("b.png")], channels=False)
    assert [len(part) for part in split_files(files, share=0.01)] == [1, 1]
    assert [len(part) for part in split_files(files, share=0.99)] == [1, 1]
    with pytest.raises(ValueError, match="there is only one image"):
        split_files(files[:1], share=0.5)
    with pytest.raises(ValueError, match=r"only one group \('png', by the expression 'png'\)"):
        split_files(files, share=0.5, group="png")
    with pytest.raises(ValueError, match=r"b.png: the expression of the groups, 'a', finds nothing in it"):
        split_files(files, share=0.5, group="a")


# Classes


def test_classes_of_both_forms_of_dataset_json(tmp_path):
    images, _ = folders(tmp_path)
    description = tmp_path / "dataset.json"
    description.write_text(json.dumps({"labels": {"background": 0, "RV": 1, "MYO": 2, "LV": [3, 4]}}))
    assert find_classes(None, images=images, labels=[]) == {"RV": (1,), "MYO": (2,), "LV": (3, 4)}
    description.write_text(json.dumps({"labels": {"0": "background", "1": "Anterior", "2": "Posterior"}}))
    assert find_classes(None, images=images, labels=[]) == {"Anterior": (1,), "Posterior": (2,)}
    assert find_classes({"all": (1, 2)}, images=images, labels=[]) == {"all": (1, 2)}
    description.write_text(json.dumps({"labels": {"background": 0, "whole": [1, 2], "core": 2}}))
    with pytest.raises(
        ValueError, match=r"dataset.json do not tell the classes: .*got 2 for whole and core; give classes"
    ):
        find_classes(None, images=images, labels=[])
    description.write_text(json.dumps({"labels": {"background": 0, "a": 1, "ignore": 2}}))
    with pytest.raises(ValueError, match="it has pixels to ignore"):
        find_classes(None, images=images, labels=[])
    description.write_text("{}")
    with pytest.raises(ValueError, match="no entry 'labels'; give classes"):
        find_classes(None, images=images, labels=[])


def test_the_only_value_is_the_class(tmp_path):
    images, labels = folders(tmp_path)
    assert find_classes(None, images=images, labels=files_at(labels)) == {"foreground": (2,)}
    save(labels / "b.npy", label(value=7))
    with pytest.raises(ValueError, match=r"labels hold the values 2, 7 besides 0: say which classes to learn"):
        find_classes(None, images=images, labels=files_at(labels))
    with pytest.raises(ValueError, match="labels hold no value besides 0"):
        find_classes(None, images=images, labels=[save(tmp_path / "z.npy", label(value=0))])


def test_class_numbers_and_back():
    values = np.array([[0, 9, 4], [5, 200, 0]])
    classes = {"far": (200,), "near": (4, 5)}
    numbers = class_numbers(Image(values, Path("l.npy"), shape=values.shape), classes)
    assert numbers.tolist() == [[0, 0, 2], [2, 1, 0]]
    assert class_values(numbers, classes).tolist() == [[0, 0, 4], [4, 200, 0]]
    with pytest.raises(ValueError, match=r"l.npy: labels must be whole numbers, got 0.5"):
        class_numbers(Image(values / 2 + 0.5, Path("l.npy"), shape=values.shape), classes)
    with pytest.raises(ValueError, match="masks have values up to 255, got a class with the value 300"):
        class_values(numbers, {"a": (300,)})


# Priors


def test_priors_by_class_and_table(tmp_path):
    table = tmp_path / "priors.csv"
    table.write_text('file,slice,prior\na.npy,0,"1,0"\na.npy,1,"1,1"\n')
    priors = read_priors({"MYO": str(table), "LV": "1,0"}, ["RV", "MYO", "LV"])
    anything = BettiPrior(None, None)
    assert priors.of(Path("x/a.npy"), slice_index=1, axes=2) == (anything, BettiPrior(1, 1), BettiPrior(1, 0))
    with pytest.raises(ValueError, match=r"no row for x/b.npy, slice 1"):
        priors.of(Path("x/b.npy"), slice_index=1, axes=2)
    with pytest.raises(ValueError, match="has a prior for each slice, but the images are taken whole: give slices"):
        priors.of(Path("x/a.npy"), slice_index=None, axes=2)


def test_unions_of_classes_have_priors_too(tmp_path):
    table = tmp_path / "priors.csv"
    table.write_text('file,prior\na.png,"1,1"\nb.png,"1,0"\n')
    stated = {"MYO": str(table), "LV": "1,0", "LV + MYO": "1,0", "RV+MYO": str(table)}
    priors = read_priors(stated, ["RV", "MYO", "LV"])
    assert len(priors.tables) == 2
    heart = priors.of(Path("b.png"), slice_index=None, axes=2)
    assert str(heart) == "MYO 1,0; LV 1,0; RV+MYO 1,0; MYO+LV 1,0"
    assert heart.classes == ("background", "RV", "MYO", "LV")
    assert str(priors.of(Path("a.png"), slice_index=None, axes=2)) == "MYO 1,1; LV 1,0; RV+MYO 1,1; MYO+LV 1,0"
    with pytest.raises(ValueError, match="prior is given for 'LW', but the classes are RV, MYO, LV"):
        read_priors({"MYO+LW": "1,0"}, ["RV", "MYO", "LV"])
    for twice in ({"LV+LV": "1,0"}, {"LV+MYO": "1,0", "MYO+LV": "1,0"}):
        with pytest.raises(ValueError, match="each class of a union once, and each union once, got"):
            read_priors(twice, ["RV", "MYO", "LV"])


def test_priors_that_do_not_fit_the_classes():
    assert read_priors("1,1", ["one"]).by_class == (BettiPrior(1, 1),)
    with pytest.raises(ValueError, match=r"prior must say which class it is for, as in \{RV: '1,1'\}.*RV, MYO"):
        read_priors("1,1", ["RV", "MYO"])
    with pytest.raises(ValueError, match=r"prior is given for 'MYOO', but the classes are RV, MYO; did you mean MYO\?"):
        read_priors({"MYOO": "1,1"}, ["RV", "MYO"])
    with pytest.raises(ValueError, match="prior must be given for one class at least"):
        read_priors({}, ["RV"])
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        read_priors("none.csv", ["RV"])


# All of it in memory


def test_cases_of_slices(tmp_path):
    stack = np.arange(60, dtype=np.float32).reshape(4, 5, 3)
    values = np.zeros((4, 5, 3), np.uint8)
    values[1, 2, 1], values[3, 3, 2] = 5, 3
    save(tmp_path / "images/a.nii.gz", stack, (1.5, 2.0, 8.0))
    save(tmp_path / "labels/a_gt.nii.gz", values)
    (tmp_path / "priors.csv").write_text('slice,prior\n0,"0,0"\n1,"1,1"\n2,"1,0"\n')
    calls = []
    cases = load_cases(
        labelled_images(tmp_path / "images", tmp_path / "labels"),
        preparation=Preparation(slices=2, size=(6, 5), normalisation="none"),
        classes={"x": (3,), "y": (4, 5)},
        priors=read_priors({"y": str(tmp_path / "priors.csv")}, ["x", "y"]),
        advance=lambda: calls.append(1),
    )
    assert cases.images.shape == (3, 1, 6, 5)
    assert cases.names == ("a.nii.gz, slice 0", "a.nii.gz, slice 1", "a.nii.gz, slice 2")
    assert cases.spacing == (1.5, 2.0)
    assert len(calls) == 1
    np.testing.assert_array_equal(cases.images[1, 0, 1:5].numpy(), stack[:, :, 1])
    assert cases.labels.dtype == torch.uint8
    assert cases.labels.nonzero().tolist() == [[1, 2, 2], [2, 4, 3]]
    assert (cases.labels[1, 2, 2], cases.labels[2, 4, 3]) == (2, 1)
    anything = BettiPrior(None, None)
    assert cases.priors == tuple((anything, BettiPrior(*wanted)) for wanted in ((0, 0), (1, 1), (1, 0)))


def test_cases_of_several_channels_each_normalised_by_itself(tmp_path):
    ramp = np.arange(30.0).reshape(5, 6)
    save(tmp_path / "u/a_0000.npy", ramp)
    save(tmp_path / "u/a_0001.npy", 1000 - 7 * ramp)
    files = unlabelled_images(files_at(tmp_path / "u"), channels=True)
    cases = load_cases(files, preparation=Preparation(normalisation="minmax"))
    assert cases.images.shape == (1, 2, 5, 6)
    assert cases.labels is None
    assert cases.priors is None
    np.testing.assert_allclose(cases.images[0, 1].numpy(), 1 - ramp / 29, atol=1e-6)


def test_spacing_that_differs_between_files_is_unknown(tmp_path):
    for name, first, second in (("alike", 1.5, 1.501), ("apart", 1.5, 1.8)):
        save(tmp_path / name / "a.nii", np.zeros((3, 4), np.float32), (first, 1.0, 1.0))
        save(tmp_path / name / "b.nii", np.zeros((3, 4), np.float32), (second, 1.0, 1.0))
    load = [
        load_cases(unlabelled_images(files_at(tmp_path / name), channels=False), preparation=AS_IT_IS)
        for name in ("alike", "apart")
    ]
    assert [cases.spacing for cases in load] == [(1.5, 1.0), (1.0, 1.0)]


def load(tmp_path, **options):
    files = labelled_images(tmp_path / "images", tmp_path / "labels")
    return load_cases(files, **{"preparation": AS_IT_IS, "classes": {"x": (2,)}} | options)


def test_images_of_different_shapes(tmp_path):
    folders(tmp_path)
    save(tmp_path / "images/b.npy", np.zeros((7, 4)))
    save(tmp_path / "labels/b.npy", label((7, 4)))
    with pytest.raises(
        ValueError,
        match=r"one shape.*got \(5, 6\) of .*a.npy and \(7, 4\) of .*b.npy: give preparation.size.*such as \[5, 4\]",
    ):
        load(tmp_path)
    assert load(tmp_path, preparation=Preparation(size=(5, 4))).spatial == (5, 4)


def test_shapes_that_differ_within_a_pair(tmp_path):
    folders(tmp_path)
    save(tmp_path / "labels/b.npy", label((7, 4)))
    with pytest.raises(
        ValueError, match=r"an image and its label must have one shape, got \(5, 6\) in .*images/b.npy and \(7, 4\)"
    ):
        load(tmp_path)


def test_channels_of_different_shapes(tmp_path):
    folders(tmp_path, ("a_0000.npy", "a_0001.npy"), ("a.npy",))
    save(tmp_path / "images/a_0001.npy", np.zeros((5, 7)))
    with pytest.raises(
        ValueError, match=r"channels of an image must have one shape, got \(5, 6\) in .*and \(5, 7\) in .*a_0001.npy"
    ):
        load(tmp_path)


def test_a_class_that_never_occurs(tmp_path):
    folders(tmp_path)
    with pytest.raises(
        ValueError, match=r"the class 'y' \(label 3 or 4\) occurs in none of the 2 labels.*b.npy: they hold 0, 2$"
    ):
        load(tmp_path, classes={"x": (2,), "y": (3, 4)})
    for name in ("a.npy", "b.npy"):
        save(tmp_path / "labels" / name, 2 * np.eye(5, 6, k=-4, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"the class 'x' \(label 2\) is cropped away by the size"):
        load(tmp_path, preparation=Preparation(size=(1, 1)))


def test_a_row_of_a_table_for_a_slice_that_is_not_there(tmp_path):
    folders(tmp_path, ("a.npy",), shape=(4, 5, 2))
    (tmp_path / "priors.csv").write_text('slice,prior\n0,"1,1"\n1,"1,1"\n2,"1,1"\n')
    priors = read_priors(str(tmp_path / "priors.csv"), ["x"])
    with pytest.raises(ValueError, match="line 4: no image has slice 2"):
        load(tmp_path, preparation=Preparation(slices=2), priors=priors)


# Settings


def test_settings_state_rule_and_value():
    with pytest.raises(ValueError, match="images and labels of the validation go together"):
        ValidationSettings(images="x")
    with pytest.raises(ValueError, match="share must be greater than 0 and less than 1, got 1"):
        ValidationSettings(share=1)
    with pytest.raises(ValueError, match=r"group must be a regular expression, got '\('"):
        ValidationSettings(group="(")
    with pytest.raises(ValueError, match="group is for a split"):
        ValidationSettings(images="a", labels="b", group="x")
    with pytest.raises(ValueError, match="classes must be 1 to 255, got 0"):
        DataSettings(images="a", labels="b", classes={})
    with pytest.raises(ValueError, match=r"whole numbers from 1 in the labels, got \[0\] for x"):
        DataSettings(images="a", labels="b", classes={"x": 0})
    with pytest.raises(ValueError, match="got 3 for x and y"):
        DataSettings(images="a", labels="b", classes={"x": (3, 4), "y": 3})
    with pytest.raises(ValueError, match=re.escape("got 3 twice for x")):
        DataSettings(images="a", labels="b", classes={"x": (3, 3)})
    assert DataSettings(images="a", labels="b", classes={"x": (3, 4), "y": 5}).class_values == {"x": (3, 4), "y": (5,)}
