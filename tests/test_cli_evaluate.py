"""``topoprior evaluate``: scores that can be checked by hand, and nothing lost where a file is bad."""

import csv
import json
import pickle
import re

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior.cli import run
from topoprior.cli.evaluate.pairs import Pair
from topoprior.cli.evaluate.stated_scorer import scorer
from topoprior.viewing.agreement import agreement

RING = np.zeros((10, 12), np.uint8)
RING[1:8, 1:9] = 1
RING[3:6, 3:7] = 0
GAP = RING.copy()
GAP[1:3, 4] = 0
SPECK = RING.copy()
SPECK[8, 10] = 1
EMPTY = np.zeros_like(RING)


def fill(folder, **arrays):
    """A folder of NPY files."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.fixture
def folders(tmp_path):
    """Predictions and labels of three rings, of which one is right."""
    rings = {"a": RING, "b": RING, "c": RING}
    return fill(tmp_path / "predictions", a=RING, b=GAP, c=SPECK), fill(tmp_path / "labels", **rings)


def evaluated(capsys, *arguments, status=0, err=""):
    assert run(["evaluate", *map(str, arguments), "--json"]) == status
    captured = capsys.readouterr()
    assert re.fullmatch(err, captured.err), captured.err
    return json.loads(captured.out)


def refused(capsys, *arguments):
    assert run(["evaluate", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch("error: .*\n", captured.err)
    return captured.err


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def mean(document, measure):
    return next(row["mean"] for row in document["summary"] if row["measure"] == measure)


# Scores


def test_topology_against_a_prior_by_hand(folders, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    document = evaluated(capsys, *folders, "--prior", "1,1", "-o", out)
    found = {row["case"]: row for row in table(out)}
    assert [(row["betti_0"], row["betti_1"]) for row in found.values()] == [("1", "1"), ("1", "0"), ("2", "1")]
    assert [row["topological_success"] for row in found.values()] == ["1", "0", "0"]
    assert [(row["betti_error_0"], row["betti_error_1"]) for row in found.values()] == [
        ("0", "0"),
        ("0", "1"),
        ("1", "0"),
    ]
    assert float(found["b"]["dice"]) == pytest.approx(2 * 42 / (44 + 42))
    assert (found["c"]["pixels"], found["c"]["target_pixels"], found["c"]["wanted"]) == ("45", "44", "1,1")
    assert mean(document, "topological_success") == pytest.approx(1 / 3)
    assert mean(document, "target_success") == 1
    assert document["unit"] == "pixels"


def test_without_a_prior_the_label_says_what_is_wanted(tmp_path, capsys):
    predictions = fill(tmp_path / "predictions", a=SPECK, b=RING)
    labels = fill(tmp_path / "labels", a=SPECK, b=GAP)
    rows = evaluated(capsys, predictions, labels)["results"]
    assert [(row["wanted"], row["topological_success"], row["target_success"]) for row in rows] == [
        ("2,1", 1, None),
        ("1,0", 0, None),
    ]


def test_distances_are_in_millimetres_where_the_label_tells_the_size_of_its_pixels(tmp_path, capsys):
    prediction, label = np.zeros((2, 9, 12), np.uint8)
    prediction[2, 3], label[5, 3] = 1, 1
    for axis, zooms in ((2, (1.5, 2.0, 8.0)), (0, (8.0, 1.5, 2.0))):
        for name, values in (("p", prediction), ("l", label)):
            image = nibabel.Nifti1Image(np.expand_dims(values, axis), np.eye(4))
            image.header.set_zooms(zooms)
            nibabel.save(image, tmp_path / f"{name}.nii.gz")
        for slices in ([], ["--slices", axis]):
            document = evaluated(capsys, tmp_path / "p.nii.gz", tmp_path / "l.nii.gz", *slices)
            assert (document["unit"], document["results"][0]["hausdorff95"]) == ("mm", 4.5)


def test_empty_masks(tmp_path, capsys):
    predictions = fill(tmp_path / "predictions", both=EMPTY, lost=EMPTY, made=RING)
    labels = fill(tmp_path / "labels", both=EMPTY, lost=RING, made=EMPTY)
    document = evaluated(capsys, predictions, labels)
    rows = {row["case"]: row for row in document["results"]}
    assert [rows[name]["dice"] for name in ("both", "lost", "made")] == [1, 0, 0]
    assert [rows[name]["hausdorff95"] for name in ("both", "lost", "made")] == [0, "inf", "inf"]
    assert [rows[name]["topological_success"] for name in ("both", "lost", "made")] == [1, 0, 0]
    summary = next(row for row in document["summary"] if row["measure"] == "hausdorff95")
    assert (summary["mean"], summary["infinite"], summary["median"]) == (0, 2, "inf")


def test_slices_are_cases_of_their_own(tmp_path, capsys):
    predictions = fill(tmp_path / "predictions", heart=np.stack([RING, GAP], 1))
    labels = fill(tmp_path / "labels", heart_gt=np.stack([RING, RING], 1))
    priors = tmp_path / "priors.csv"
    priors.write_text('file,slice,prior\nheart.npy,0,"1,1"\nheart.npy,1,"1,0"\n')
    rows = evaluated(capsys, predictions, labels, "--slices", 1, "--priors", priors)["results"]
    assert [row["case"] for row in rows] == ["heart, slice 0", "heart, slice 1"]
    assert [(row["wanted"], row["topological_success"], row["target_success"]) for row in rows] == [
        ("1,1", 1, 1),
        ("1,0", 1, 0),
    ]


def test_a_table_of_priors_may_name_the_labels(tmp_path, capsys):
    predictions, labels = fill(tmp_path / "p", heart=RING), fill(tmp_path / "l", heart_gt=RING)
    priors = tmp_path / "priors.csv"
    priors.write_text('file,prior\nheart_gt.npy,"1,1"\n')
    assert evaluated(capsys, predictions, labels, "--priors", priors)["results"][0]["topological_success"] == 1
    priors.write_text('file,prior\nliver.npy,"1,1"\n')
    assert "has no row for" in refused(capsys, predictions, labels, "--priors", priors)


def test_every_convention_judges_the_same_masks(tmp_path, capsys):
    corner = RING.copy()
    corner[8, 9] = 1  # touches the ring at a corner
    labels = fill(tmp_path / "labels", a=RING, b=RING)
    document = evaluated(capsys, fill(tmp_path / "p", a=corner, b=RING), labels, "--prior", "1,1")
    shares = {(row["construction"], row["boundary"]): row for row in document["connectivity"]}
    assert [shares[key]["p"] for key in (("T", "background"), ("V", "background"))] == [1, 0.5]
    assert [shares[key]["labels"] for key in (("T", "background"), ("V", "background"))] == [1, 1]
    assert [shares[key]["judged otherwise"] for key in (("T", "background"), ("V", "background"))] == [0, 1]
    # Where the outside is a piece of foreground more, the prior wants one more.
    assert [shares[key]["p"] for key in (("T", "foreground"), ("V", "foreground"))] == [1, 0.5]
    by_faces = evaluated(capsys, tmp_path / "p", labels, "--prior", "1,1", "--construction", "V")
    assert mean(by_faces, "topological_success") == 0.5
    outside = evaluated(capsys, tmp_path / "p", labels, "--prior", "2,1", "--boundary", "foreground")
    assert mean(outside, "topological_success") == 1
    assert [row["p"] for row in outside["connectivity"]] == [1, 1, 0.5, 0.5]  # the prior was written for this boundary


def test_chosen_measures_alone(folders, capsys):
    names = {row["measure"] for row in evaluated(capsys, *folders, "--measures", "dice", "cl_dice")["summary"]}
    assert names == {"topological_success", "betti_error_0", "betti_error_1", "dice", "cl_dice"}


# Classes


def test_classes_are_judged_on_their_own(tmp_path, capsys):
    labels = np.where(SPECK, 2, 0)
    labels[3:6, 3:7] = 3
    predictions = labels.copy()
    predictions[labels == 3] = 2
    arguments = [fill(tmp_path / "p", a=predictions), fill(tmp_path / "l", a=labels), "--classes", 2, 3]
    rows = evaluated(
        capsys, *arguments, "--prior", "2,1", "--prior", "1,0", err="note: no prediction holds the class 3.*\n"
    )
    assert [(row["class"], row["wanted"], row["betti_0"], row["betti_1"]) for row in rows["results"]] == [
        ("2", "2,1", 2, 0),
        ("3", "1,0", 0, 0),
    ]
    assert [row["target_success"] for row in rows["results"]] == [1, 1]
    assert "once for each of 2 classes, got 3" in refused(capsys, *arguments, *["--prior", "1,1"] * 3)


def test_predictions_may_hold_another_label(tmp_path, capsys):
    folders = fill(tmp_path / "p", a=RING), fill(tmp_path / "l", a=RING * 2)
    expected = "note: no prediction holds the class 2, they hold 1: see --predicted-label\n"
    assert evaluated(capsys, *folders, "--label", 2, err=expected)["results"][0]["dice"] == 0
    assert evaluated(capsys, *folders, "--label", 2, "--predicted-label", 1)["results"][0]["dice"] == 1
    absent = evaluated(capsys, *folders, "--label", 4, err="note: no label holds the class 4\n")
    assert absent["results"][0]["dice"] == 1


def test_classes_of_an_nnunet_data_set_have_their_names(tmp_path, capsys):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "wall": 2, "cavity": 1}}))
    folders = fill(tmp_path / "predictions", a=RING * 2), fill(tmp_path / "labelsTs", a=RING * 2)
    rows = evaluated(capsys, *folders, err="note: no label holds the class cavity\n")["results"]
    assert [(row["class"], row["betti_1"]) for row in rows] == [("wall", 1), ("cavity", 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", 1, "--classes", 1, 2], "with --label or --classes, one of the two"),
        (["--classes", 2, 2], "--classes must differ, got 2 2"),
        (["--label", 0], "classes must have whole numbers from 1 in the labels"),
        (["--predicted-label", 1], "--predicted-label is for one class: choose it with --label"),
        (["--prior", "1,1", "--priors", "p.csv"], "with --prior or --priors, one of the two"),
        (["--prior", "ring"], "a prior must be written like 1,1"),
        (["--classes", 1, 2, "--priors", "p.csv"], "--priors are those of one class, got 2"),
        (["--classes", 1, 2, "--probabilities", "maps"], "--probabilities are those of one class, got 2"),
        (["-o", "scores.txt"], "scores.txt: the name must end in .csv"),
        (["--report", "report.pdf"], "report.pdf: the name must end in .html"),
        (["--compare", "absent.csv"], "absent.csv does not exist"),
        (["--worst", -1], "--worst must be at least 0, got -1"),
    ],
)
def test_options_that_do_not_fit(folders, capsys, options, message):
    assert message in refused(capsys, *folders, *options)


# Files


def test_pairs_without_a_partner_are_told_before_any_work(folders, tmp_path, capsys):
    predictions, labels = folders
    (predictions / "b.npy").unlink()
    out = tmp_path / "scores.csv"
    assert "1 of 3 labels in" in refused(capsys, predictions, labels, "-o", out)
    (labels / "c.npy").unlink()
    (labels / "b.npy").unlink()
    assert "have no label in" in refused(capsys, predictions, labels, "-o", out)
    assert "no folder" in refused(capsys, tmp_path / "absent", labels)
    assert not out.exists()


def test_a_bad_file_is_told_at_the_end_and_not_fatal(folders, tmp_path, capsys):
    (folders[0] / "b.npy").write_bytes(b"no array")
    out, report = tmp_path / "scores.csv", tmp_path / "report.html"
    document = evaluated(
        capsys,
        *folders,
        "-o",
        out,
        "--report",
        report,
        status=1,
        err=r"error: 1 of 3 files failed\n.*b\.npy cannot be read.*\n",
    )
    assert [row["case"] for row in table(out)] == ["a", "c"]
    assert [failure["file"] for failure in document["failures"]] == ["b"]
    assert "1 of 3 files could not be scored" in report.read_text(encoding="utf-8")


def test_shapes_and_axes_that_differ(tmp_path, capsys):
    predictions = fill(tmp_path / "p", a=RING, b=RING[1:], c=RING[None].repeat(2, 0))
    labels = fill(tmp_path / "l", a=RING, b=RING, c=RING[None].repeat(2, 0))
    errors = ".*must have one shape, got .9, 12. in .*and .10, 12. in .*\n.*c: it has 3 axes where a has 2\n"
    document = evaluated(capsys, predictions, labels, status=1, err=f"(?s){errors}")
    assert [row["case"] for row in document["results"]] == ["a"]


def test_where_nothing_can_be_scored_the_reason_is_told_once(tmp_path, capsys):
    folders = fill(tmp_path / "p", a=RING, b=RING), fill(tmp_path / "l", a=RING, b=RING)
    error = refused(capsys, *folders, "--prior", "1,1,0", "-o", tmp_path / "scores.csv")
    assert "2 of 2 files failed, all of them with: prior has 3 Betti numbers but images have 2 spatial axes" in error
    assert not (tmp_path / "scores.csv").exists()


def test_results_stay_unless_they_may_be_replaced(folders, tmp_path, capsys):
    for option, name in (("-o", "scores.csv"), ("--report", "report.html")):
        (tmp_path / name).write_text("old")
        assert "exists already" in refused(capsys, *folders, option, tmp_path / name)
        assert (tmp_path / name).read_text() == "old"
        evaluated(capsys, *folders, option, tmp_path / name, "--overwrite")
        assert (tmp_path / name).read_text(encoding="utf-8") != "old"


def test_a_place_that_is_taken_is_told_before_any_work(folders, tmp_path, capsys):
    for name in "abc":
        (folders[0] / f"{name}.npy").write_bytes(b"no array")
    (tmp_path / "scores.csv").write_text("old")
    assert "exists already" in refused(capsys, *folders, "-o", tmp_path / "scores.csv")


def test_pictures_and_single_files_in_other_formats(tmp_path, capsys):
    Pillow.fromarray(RING * 255).save(tmp_path / "p.png")
    np.save(tmp_path / "l.npy", RING)
    assert evaluated(capsys, tmp_path / "p.png", tmp_path / "l.npy")["results"][0]["dice"] == 1


def test_files_that_lie_elsewhere_are_remarked_on(tmp_path, capsys):
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(RING, affine), tmp_path / "l.nii.gz")
    nibabel.save(nibabel.Nifti1Image(RING, np.diag([-1.5, 1.5, 8.0, 1.0])), tmp_path / "p.nii.gz")
    remark = "note: 1 of 1 predictions lie elsewhere than their labels; compared pixel by pixel\n"
    evaluated(capsys, tmp_path / "p.nii.gz", tmp_path / "l.nii.gz", err=remark)
    nibabel.save(nibabel.Nifti1Image(RING, affine), tmp_path / "p.nii.gz")
    evaluated(capsys, tmp_path / "p.nii.gz", tmp_path / "l.nii.gz")


# Two methods


@pytest.fixture
def better(folders, tmp_path, capsys):
    """The scores of the method of ``folders``, and the predictions of a method that is better by faces alone."""
    first = tmp_path / "first.csv"
    evaluated(capsys, *folders, "--prior", "1,1", "-o", first)
    corner = RING.copy()
    corner[8, 9] = 1
    return first, fill(tmp_path / "second", a=corner, b=corner, c=corner)


def test_another_method_is_compared_case_by_case(folders, better, capsys):
    first, second = better
    document = evaluated(capsys, second, folders[1], "--prior", "1,1", "--compare", first)
    topology = next(row for row in document["comparison"] if row["column"] == "topological_success")
    assert (topology["first"], topology["second"], topology["test"]) == ("second", "first", "exact McNemar")
    assert (topology["first_mean"], topology["second_mean"], topology["pairs"]) == (1, pytest.approx(1 / 3), 3)
    assert (topology["p"], topology["first_larger"]) == (0.5, 2)


def test_a_ranking_that_flips_with_the_convention_is_said(folders, better, capsys):
    first, second = better
    assert run(["evaluate", *map(str, (second, folders[1], "--prior", "1,1", "--compare", first))]) == 0
    printed = capsys.readouterr().out
    assert (
        "The ranking flips with the convention: second is better under T, outside background; first under V" in printed
    )


def test_slices_of_one_image_are_one_pair(tmp_path, capsys):
    labels = fill(tmp_path / "labels", a=np.stack([RING] * 3), b=np.stack([RING] * 3))
    for name, last in (("first", GAP), ("second", RING)):
        folder = fill(tmp_path / name, a=np.stack([RING, GAP, last]), b=np.stack([RING, RING, last]))
        arguments = [folder, labels, "--label", 1, "--slices", 0, "--prior", "1,1", "-o", tmp_path / f"{name}.csv"]
        document = evaluated(capsys, *arguments, *(["--compare", tmp_path / "first.csv"] if name == "second" else []))
    topology = next(row for row in document["comparison"] if row["column"] == "topological_success")
    assert (topology["pairs"], topology["first_mean"]) == (2, pytest.approx((2 / 3 + 1) / 2))


def test_a_file_that_failed_is_left_out_of_the_comparison(folders, better, capsys):
    first, second = better
    (second / "b.npy").write_bytes(b"no array")
    document = evaluated(capsys, second, folders[1], "--prior", "1,1", "--compare", first, status=1, err="(?s)error.*")
    assert {row["pairs"] for row in document["comparison"]} == {2}


# Many files


def test_side_by_side_and_resumed(folders, tmp_path, capsys):
    alone = evaluated(capsys, *folders, "--prior", "1,1")
    journal = tmp_path / "journal.jsonl"
    options = ["--prior", "1,1", "--journal", journal]
    assert evaluated(capsys, *folders, *options, "--jobs", 2) == alone
    lines = journal.read_text()
    assert evaluated(capsys, *folders, *options) == alone
    assert journal.read_text() == lines
    np.save(folders[0] / "b.npy", RING)
    assert mean(evaluated(capsys, *folders, *options), "topological_success") == pytest.approx(2 / 3)
    assert "was begun with" in refused(capsys, *folders, "--prior", "1,0", "--journal", journal)


def test_work_travels_to_other_processes(folders):
    judge = scorer(
        folders[1], prior=["1,1"], priors=None, label=None, predicted_label=None, classes=None, slices=None,
        measures=None, construction="T", boundary="background",
    )  # fmt: skip
    pair = Pair(folders[0] / "b.npy", folders[1] / "b.npy")
    assert pickle.loads(pickle.dumps(judge))(pickle.loads(pickle.dumps(pair))).rows == judge(pair).rows


# What is shown


def test_the_table_is_for_people(folders, capsys):
    assert run(["evaluate", *map(str, folders), "--prior", "1,1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == ["score", "mean", "95 % interval", "median", "cases"]
    assert re.split(r"\s{2,}", lines[1])[:2] == ["right topology", "33.3 %"]
    assert "95 % Hausdorff distance, pixels" in "\n".join(lines)
    assert lines[lines.index("") + 1].split("  ")[0] == "pixels touch"


def test_the_report_shows_the_worst_cases_on_their_images(folders, tmp_path, capsys):
    images = fill(tmp_path / "images", **dict.fromkeys("abc", RING * 100.0))
    maps = fill(tmp_path / "maps", a=RING * 0.8, b=GAP * 0.8, c=SPECK * 0.8)
    report = tmp_path / "report.html"
    arguments = [*folders, "--prior", "1,1", "--images", images, "--probabilities", maps, "--report", report]
    evaluated(capsys, *arguments, "--worst", 2)
    html = report.read_text(encoding="utf-8")
    assert html.count("<article") == 2
    assert html.count("data:image/webp;base64,") == 3
    assert html.index("<h3>b</h3>") < html.index("<h3>c</h3>")
    assert "<h3>a</h3>" not in html
    np.save(images / "b.npy", RING[1:])
    evaluated(capsys, *arguments, "--worst", 1, "--overwrite")
    assert "No picture: " in report.read_text(encoding="utf-8")


def test_a_report_on_slices_of_a_volume_and_on_the_volume(tmp_path, capsys):
    for name, array in (("p", np.stack([RING, GAP], 2)), ("l", np.stack([RING, RING], 2))):
        nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.5, -1.5, 8.0, 1.0])), tmp_path / f"{name}.nii.gz")
    for name, options in (("slices", ["--slices", 2]), ("volume", [])):
        report = tmp_path / f"{name}.html"
        evaluated(capsys, tmp_path / "p.nii.gz", tmp_path / "l.nii.gz", "--report", report, *options)
        assert "No picture" not in report.read_text(encoding="utf-8")
    assert "those of one image are not" in (tmp_path / "slices.html").read_text(encoding="utf-8")


def test_the_picture_of_a_slice_shows_that_slice_and_class(tmp_path, capsys, monkeypatch):
    drawn = []

    def spy(*parts, **options):
        drawn.append(parts)
        return agreement(*parts, **options)

    monkeypatch.setattr("topoprior.cli.evaluate.pictures.agreement", spy)
    stacks = {"p": np.stack([RING, 2 * GAP], 2), "l": np.stack([RING, 2 * RING], 2), "i": np.stack([RING, 5 * RING], 2)}
    for name, array in stacks.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", array)
    options = ["--slices", 2, "--classes", 1, 2, "--images", tmp_path / "i", "--report", tmp_path / "report.html"]
    evaluated(capsys, tmp_path / "p", tmp_path / "l", *options)
    shown = [tuple(part.astype(int).tolist() for part in parts) for parts in drawn]
    assert ((5 * RING).tolist(), GAP.tolist(), RING.tolist()) in shown
    assert (RING.tolist(), RING.tolist(), RING.tolist()) in shown
