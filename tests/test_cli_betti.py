"""``topoprior betti``: the numbers of known shapes, from every format, whole and slice by slice."""

import json
import re

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior.cli import run

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


def test_one_bad_file_among_good_ones_prints_no_half_table(tmp_path, capsys):
    np.save(tmp_path / "good.npy", RING)
    (tmp_path / "bad.npy").write_text("words")
    assert run(["betti", str(tmp_path / "good.npy"), str(tmp_path / "bad.npy"), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "bad.npy cannot be read as NPY" in captured.err
