"""``topoprior refine --guarantee``: what the refinement leaves wrong is edited until it is right."""

import json
from pathlib import Path

import numpy as np
import pytest

import topoprior
from topoprior.cli import run

GAP = np.full((9, 12), 0.1, np.float32)  # a ring with a gap, and a speck: (2, 0), wanted (1, 1)
GAP[1:7, 1:9] = 0.9
GAP[3:5, 3:7] = 0.1
GAP[1:3, 4] = 0.4
GAP[7:9, 11] = 0.6
ROW = ["refine", "maps.npy", "--slices", "0", "--prior", "1,1", "-o", "mask.npy", "--json"]


@pytest.fixture
def maps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    right = GAP.copy()
    right[1:3, 4], right[7:9, 11] = 0.8, 0.1
    np.save("maps.npy", np.stack([GAP, right]))


def rows(capsys, *arguments):
    assert run([*ROW, *arguments]) == 0
    return json.loads(capsys.readouterr().out)["results"]


def test_what_has_no_steps_is_edited_and_what_is_right_is_left(maps, capsys):
    first, second = rows(capsys, "--max-steps", "0", "--guarantee", "--probability", "map.npy", "--report", "page.html")
    assert (first["stop_reason"], first["betti_before"], first["betti_after"]) == ("edited", [2, 0], [1, 1])
    assert (first["succeeded"], first["steps"], first["pixels_changed"]) == (
        True,
        0,
        3,
    )  # the speck, one of two pixels of the gap
    assert (second["stop_reason"], second["pixels_changed"]) == ("already right", 0)
    written = np.load("mask.npy")
    assert topoprior.betti_numbers(written[:, None]).tolist() == [[[1, 1]], [[1, 1]]]
    assert ((np.load("map.npy") >= 0.5) == written.astype(bool)).all()
    assert "edited" in Path("page.html").read_text(encoding="utf-8")


def test_without_it_the_mask_stays_wrong(maps, capsys):
    first, _ = rows(capsys, "--max-steps", "0")
    assert (first["stop_reason"], first["betti_after"], first["succeeded"]) == ("no more steps", [2, 0], False)


def test_a_refinement_that_succeeds_is_not_edited(maps, capsys):
    with_it = rows(capsys, "--guarantee")
    without = rows(capsys, "--overwrite")
    assert [row["stop_reason"] for row in with_it] == ["topology right", "already right"]
    assert [row["pixels_changed"] for row in with_it] == [row["pixels_changed"] for row in without]


def test_a_prior_beyond_the_image_is_told(maps, capsys):
    arguments = [*ROW, "--guarantee", "--max-steps", "0"]
    arguments[arguments.index("1,1")] = "1,90"
    assert run(arguments) == 1
    assert "maps.npy, slice 0: an image of shape (9, 12) cannot carry the prior" in capsys.readouterr().err
