"""``topoprior betti``: the numbers of known shapes, from every format, whole and slice by slice."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior.cli import run
from topoprior.imaging.io import read_image

RING = np.zeros((6, 8), bool)
RING[1:5, 1:6] = True
RING[2:4, 2:5] = False
TOUCHING = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], bool)  # one component in T, two in V


def betti(capsys, *arguments) -> dict:
    assert run(["betti", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def numbers(document: dict) -> list[list[int]]:
    return [row["betti"] for row in document["results"]]


@pytest.mark.parametrize("name", ["ring.nii", "ring.nii.gz", "ring.png", "ring.npy"])
def test_a_ring_in_every_format(tmp_path, capsys, name):
    path = tmp_path / name
    if ".nii" in name:
        nibabel.save(nibabel.Nifti1Image(RING.astype(np.uint8), np.eye(4)), path)
    elif name.endswith(".png"):
        Pillow.fromarray(RING).save(path)
    else:
        np.save(path, RING)
    assert betti(capsys, path) == {
        "construction": "T",
        "boundary": "background",
        "results": [{"file": str(path), "foreground": "not 0", "betti": [1, 1]}],
    }


def test_construction_and_boundary(tmp_path, capsys):
    np.save(tmp_path / "touching.npy", TOUCHING)
    np.save(tmp_path / "cut.npy", RING[:, 3:])  # a ring cut by the frame
    assert numbers(betti(capsys, tmp_path / "touching.npy")) == [[1, 0]]
    assert numbers(betti(capsys, tmp_path / "touching.npy", "--construction", "V")) == [[2, 0]]
    assert numbers(betti(capsys, tmp_path / "cut.npy")) == [[1, 0]]
    assert numbers(betti(capsys, tmp_path / "cut.npy", "--boundary", "foreground"))[0][1] > 0


def test_threshold_of_a_probability_map(tmp_path, capsys):
    np.save(tmp_path / "map.npy", np.where(RING, 0.8, 0.3))
    assert numbers(betti(capsys, tmp_path / "map.npy")) == [[1, 1]]
    assert numbers(betti(capsys, tmp_path / "map.npy", "--threshold", 0.9)) == [[0, 0]]
    document = betti(capsys, tmp_path / "map.npy", "--threshold", 0.2)
    assert (numbers(document), document["results"][0]["foreground"]) == ([[1, 0]], "value >= 0.2")


def test_labels(tmp_path, capsys):
    labels = RING.astype(np.int16)
    labels[2, 3], labels[0, 7] = 3, 3
    np.save(tmp_path / "labels.npy", labels)
    assert numbers(betti(capsys, tmp_path / "labels.npy", "--label", 1)) == [[1, 1]]
    assert numbers(betti(capsys, tmp_path / "labels.npy", "--label", 3)) == [[2, 0]]
    assert run(["betti", str(tmp_path / "labels.npy")]) == 1
    assert capsys.readouterr().err.endswith("got the labels 1, 3; choose one with --label\n")


def test_a_label_that_the_file_lacks_is_told(tmp_path, capsys):
    path = tmp_path / "labels.npy"
    np.save(path, np.stack([RING.astype(np.int16), np.zeros_like(RING, np.int16)]))
    assert numbers(betti(capsys, path, "--label", 1, "--slices", 0)) == [[1, 1], [0, 0]]  # not a word: one slice has it
    assert run(["betti", str(path), "--label", "9", "--slices", "0", "--json"]) == 0
    captured = capsys.readouterr()
    assert numbers(json.loads(captured.out)) == [[0, 0], [0, 0]]
    assert captured.err == f"note: {path} has no label 9 anywhere\n"


def test_a_volume_has_cavities(tmp_path, capsys):
    ball = np.ones((5, 6, 7), np.uint8)
    ball[2, 2:4, 2:5] = 0
    nibabel.save(nibabel.Nifti1Image(ball, np.eye(4)), tmp_path / "ball.nii.gz")
    assert numbers(betti(capsys, tmp_path / "ball.nii.gz")) == [[1, 0, 1]]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slice_by_slice(tmp_path, capsys, axis):
    slices = [RING, np.zeros_like(RING), np.ones_like(RING), RING & (np.arange(8) != 3)]
    np.save(tmp_path / "stack.npy", np.stack(slices, axis))
    document = betti(capsys, tmp_path / "stack.npy", "--slices", axis)
    assert [row["slice"] for row in document["results"]] == [0, 1, 2, 3]
    assert numbers(document) == [[1, 1], [0, 0], [1, 0], [2, 0]]


def test_the_table(tmp_path, capsys):
    np.save(tmp_path / "ring.npy", RING)
    np.save(tmp_path / "volume.npy", np.stack([RING, RING]))
    assert run(["betti", str(tmp_path / "ring.npy"), str(tmp_path / "volume.npy")]) == 0
    header, ring, volume = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header == ["file", "foreground", "b0", "b1", "b2"]
    assert ring == [str(tmp_path / "ring.npy"), "not", "0", "1", "1", "-"]
    assert volume == [str(tmp_path / "volume.npy"), "not", "0", "1", "1", "0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slices", "2"], "slices run along one of the axes 0 to 1 .* got axis 2"),
        (["--label", "1", "--threshold", "0.5"], "choose label 1 or threshold 0.5, not both"),
        (["--threshold", "1.5"], "threshold must be greater than 0 and at most 1, got 1.5"),
    ],
)
def test_wrong_options(tmp_path, capsys, options, message):
    np.save(tmp_path / "map.npy", np.where(RING, 0.75, 0.25))
    assert run(["betti", str(tmp_path / "map.npy"), *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert re.match(f"error: .*{message}", captured.err)


# Many files


@pytest.fixture
def folder(tmp_path):
    """Two good masks, two bad ones, and what is no mask at all."""
    np.save(tmp_path / "b.npy", RING)
    np.save(tmp_path / "a.npy", np.stack([TOUCHING, ~TOUCHING]))
    (tmp_path / "c.npy").write_text("words")
    np.save(tmp_path / "d.npy", np.full((2, 3), 7.5))
    (tmp_path / "notes.txt").write_text("no image")
    np.save(tmp_path / ".hidden.npy", RING)
    (tmp_path / "deeper").mkdir()
    np.save(tmp_path / "deeper" / "e.npy", RING)
    return tmp_path


def test_bad_files_are_told_at_the_end(folder, capsys):
    assert run(["betti", str(folder), "--json"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert [Path(row["file"]).name for row in document["results"]] == ["a.npy", "b.npy"]
    assert [Path(row["file"]).name for row in document["failures"]] == ["c.npy", "d.npy"]
    first, second, third = captured.err.splitlines()
    assert first == "error: 2 of 4 files failed"
    assert second.startswith(f"  {folder / 'c.npy'} cannot be read as NPY: ")
    assert third.startswith(f"  {folder / 'd.npy'}: probabilities must lie in [0, 1]")
    assert run(["betti", str(folder)]) == 1
    assert capsys.readouterr().out.count("\n") == 3


@pytest.mark.parametrize("jobs", [["--jobs", "3"], ["-j", "2"], ["--jobs=-1"]])
def test_jobs_change_nothing(folder, capsys, jobs):
    assert run(["betti", str(folder)]) == 1
    alone = capsys.readouterr()
    assert run(["betti", str(folder), *jobs]) == 1
    assert capsys.readouterr() == alone


def test_files_and_folders_each_once(folder, capsys):
    arguments = [folder / "b.npy", folder / "deeper", folder / "a.npy", folder / "b.npy"]
    rows = betti(capsys, *arguments)["results"]
    assert [Path(row["file"]).name for row in rows] == ["b.npy", "e.npy", "a.npy"]
    (folder / "empty").mkdir()
    assert run(["betti", str(folder / "empty")]) == 1
    assert "empty holds no image: no file ends in .nii.gz, .nii, .png, .npy" in capsys.readouterr().err


def test_when_all_fail_for_one_reason_it_is_told_once(folder, capsys):
    assert run(["betti", str(folder / "a.npy"), str(folder / "b.npy"), "--label", "1", "--threshold", "0.5"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch("error: 2 of 2 files failed, all of them with: .* choose label 1 .*not both\n", captured.err)


def test_of_many_failures_some_are_shown(tmp_path, capsys):
    for index in range(25):
        (tmp_path / f"{index:02}.npy").write_text("words")
    assert run(["betti", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: 25 of 25 files failed"
    assert "19.npy" in lines[20]
    assert lines[21:] == ["  and 5 more"]


def test_a_journal_remembers(folder, capsys, monkeypatch):
    arguments = ["betti", str(folder), "--journal", str(folder / "counts.jsonl")]
    assert run(arguments) == 1
    before = capsys.readouterr()
    np.save(folder / "d.npy", RING)
    read = []
    real = read_image
    monkeypatch.setattr("topoprior.imaging.io.read_image", lambda path: read.append(path.name) or real(path))
    assert run(arguments) == 1
    after = capsys.readouterr()
    assert read == ["c.npy", "d.npy"]
    assert after.out.splitlines()[:-1] == before.out.splitlines()
    assert "error: 1 of 4 files failed" in after.err
    assert run([*arguments, "--threshold", "0.2"]) == 1
    assert "counts.jsonl was begun with threshold None, now it is 0.2" in capsys.readouterr().err


def test_comma_separated_values(tmp_path, capsys):
    np.save(tmp_path / "ring.npy", RING)
    np.save(tmp_path / "volume.npy", np.stack([RING, RING]))
    assert run(["betti", str(tmp_path), "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "file,foreground,b0,b1,b2",
        f"{tmp_path / 'ring.npy'},not 0,1,1,",
        f"{tmp_path / 'volume.npy'},not 0,1,1,0",
    ]
    assert run(["betti", str(tmp_path), "--csv", "--json"]) == 1
    assert "--json or --csv, one of the two" in capsys.readouterr().err
