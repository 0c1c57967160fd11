"""``topoprior label-priors``: a table with a row for each slice, a page to look at; the table comes back as priors."""

import csv
import json

import numpy as np
import pytest

from acdc_patients import heart, save, stack, write_patient
from topoprior import BettiPrior
from topoprior.cli import run
from topoprior.imaging.datasets.stacks import find_stacks
from topoprior.priors.slice_table import write_slice_table
from topoprior.priors.table import read_prior_table
from topoprior.viewing.contact_sheet import contact_sheet


@pytest.fixture
def patients(tmp_path):
    write_patient(tmp_path / "data", 1)
    write_patient(tmp_path / "data", 2, labels=False)
    return tmp_path / "data"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_filled_from_ground_truth_and_left_open_without(patients, tmp_path, capsys):
    assert run(["label-priors", str(patients), "--label", "2", "-o", str(tmp_path / "p.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["to_fill_in"] == 6
    assert [(one["stack"], one["slices"], one["filled in"]) for one in told["stacks"]] == [
        ("patient001_frame01.nii.gz", 3, 3),
        ("patient001_frame07.nii.gz", 3, 3),
        ("patient002_frame01.nii.gz", 3, 0),
        ("patient002_frame07.nii.gz", 3, 0),
    ]
    rows = rows_of(tmp_path / "p.csv")
    assert list(rows[0]) == ["patient", "frame", "slice", "b0", "b1"]
    assert [tuple(row.values()) for row in rows[:3]] == [
        ("patient001", "01", "0", "0", "0"),
        ("patient001", "01", "1", "1", "1"),
        ("patient001", "01", "2", "1", "1"),
    ]
    assert all(row["b0"] == row["b1"] == "" for row in rows if row["patient"] == "patient002")
    page = (tmp_path / "p.html").read_text()
    assert page.count('<img src="data:image/webp') == 4
    assert "Fill in p.csv" in page
    assert page.count("to be judged") == page.count("counted in its ground truth") == 2


def test_read_back_once_it_is_filled_in(patients, tmp_path, capsys):
    table = tmp_path / "p.csv"
    assert run(["label-priors", str(patients / "patient002"), "-o", str(table)]) == 0
    assert f"fill in 6 rows of {table}" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"p.csv, line 2: b0,b1 must be filled in \(\* is any number\), got ','"):
        read_prior_table(table)
    table.write_text(table.read_text().replace(",0,,", ",0,0,0").replace(",1,,", ",1,1,1").replace(",2,,", ",2,1,0-1"))
    read = read_prior_table(table)
    image = patients / "patient002" / "patient002_frame07.nii.gz"
    assert [read.prior(image, slice_index=k) for k in (0, 1, 2)] == [
        BettiPrior(0, 0),
        BettiPrior(1, 1),
        BettiPrior(1, (0, 1)),
    ]


def test_blank_leaves_ground_truth_alone(patients, tmp_path):
    assert run(["label-priors", str(patients / "patient001"), "--blank", "-o", str(tmp_path / "p.csv")]) == 0
    assert {row["b0"] for row in rows_of(tmp_path / "p.csv")} == {""}


def test_stacks_of_other_names_and_axes(tmp_path):
    np.save(tmp_path / "heart.npy", np.random.default_rng(0).random((3, 40, 44)))
    np.save(tmp_path / "heart_label.npy", np.moveaxis(stack("ED") == 2, 2, 0))
    assert run(["label-priors", str(tmp_path / "heart.npy"), "--slices", "0", "-o", str(tmp_path / "p.csv")]) == 0
    rows = rows_of(tmp_path / "p.csv")
    assert [tuple(row.values()) for row in rows] == [
        ("heart.npy", "0", "0", "0"),
        ("heart.npy", "1", "1", "1"),
        ("heart.npy", "2", "1", "1"),
    ]


def test_which_files_are_stacks(patients, tmp_path):
    save(patients / "patient001" / "patient001_4d.nii.gz", np.zeros((4, 4, 2, 3), np.int16))
    found = find_stacks([patients / "patient001", patients])
    assert [(one.image.name, one.label and one.label.name) for one in found] == [
        ("patient001_frame01.nii.gz", "patient001_frame01_gt.nii.gz"),
        ("patient001_frame07.nii.gz", "patient001_frame07_gt.nii.gz"),
        ("patient002_frame01.nii.gz", None),
        ("patient002_frame07.nii.gz", None),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no image"):
        find_stacks([tmp_path / "empty"])
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_stacks([tmp_path / "nowhere"])


def test_what_is_wrong_is_said(patients, tmp_path, capsys):
    def error(*words):
        assert run(["label-priors", *map(str, words), "-o", str(tmp_path / "p.csv")]) == 1
        assert not (tmp_path / "p.csv").exists()
        assert not (tmp_path / "p.html").exists()
        return capsys.readouterr().err

    first = patients / "patient001"
    assert "got the labels 1, 2, 3; choose one with --label" in error(first)
    assert "stacks must have different names" in error(first, copy(first, tmp_path / "again"), "--label", "2")
    assert "names of their own" in error(first, "--report", tmp_path / "p.csv")
    save(first / "patient001_frame01_gt.nii.gz", stack("ED")[:-1])
    assert "must have one shape, got (40, 44, 3) in" in error(first, "--label", "2")
    save(tmp_path / "flat.nii.gz", heart("ED"))
    assert "slices run along one of the axes" in error(tmp_path / "flat.nii.gz")


def copy(folder, to):
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_nothing_is_overwritten_unasked(patients, tmp_path, capsys):
    words = ["label-priors", str(patients / "patient002"), "-o", str(tmp_path / "p.csv")]
    (tmp_path / "p.html").write_text("mine")
    assert run(words) == 1
    assert "p.html exists already" in capsys.readouterr().err
    assert (tmp_path / "p.html").read_text() == "mine"
    assert not (tmp_path / "p.csv").exists()
    assert run([*words, "--overwrite"]) == 0
    assert "<html" in (tmp_path / "p.html").read_text()


def test_the_sheet_shows_every_slice_with_its_number():
    slices = np.zeros((7, 4, 6))
    slices[3] = 1
    figure = contact_sheet(slices, notes=[f"n{k}" for k in range(7)])
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == [f"slice {k}   n{k}" for k in range(7)]
    assert [float(ax.images[0].get_array().max()) for ax in shown] == [0, 0, 0, 1, 0, 0, 0]  # one scale for all
    assert len(figure.axes) == 10
    for match, options in (
        ("masks must have the shape", {"masks": np.zeros((7, 4, 5), bool)}),
        ("notes must be as many as the 7 slices, got 1", {"notes": ["a"]}),
    ):
        with pytest.raises(ValueError, match=match):
            contact_sheet(slices, **options)


def test_a_table_needs_rows_of_slices(tmp_path):
    with pytest.raises(ValueError, match="at least one row"):
        write_slice_table(tmp_path / "p.csv", {})
    with pytest.raises(ValueError, match="a slice has two Betti numbers, got the prior 1,0,0"):
        write_slice_table(tmp_path / "p.csv", {("a.nii.gz", 0): BettiPrior(1, 0, 0)})
