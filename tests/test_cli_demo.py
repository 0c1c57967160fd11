"""``topoprior demo``: the experiment itself, made small."""

import functools
import json

import numpy as np
import pytest

from topoprior.cli import run
from topoprior.experiments import demo as experiment


@pytest.fixture
def small(monkeypatch):
    """The real experiment with so little training that it takes seconds."""
    settings = {"training_images": 4, "training_steps": 6, "batch_size": 2, "channels": (4, 8), "test_images": 3}
    monkeypatch.setattr(experiment, "run", functools.partial(experiment.run, **settings, refinement_steps=3))


@pytest.mark.usefixtures("small")
def test_the_table_the_document_and_the_files(tmp_path, capsys):
    folder = tmp_path / "not" / "there" / "out"  # made with the folders above it, as the help says
    assert run(["demo", "--output", str(folder), "--seed", "5"]) == 0
    captured = capsys.readouterr()
    header, before, after, _, last = captured.out.splitlines()
    written = json.loads((folder / "results.json").read_text())
    assert header.split() == ["Dice", "right", "topology"]
    for line, when in ((before, "before"), (after, "after")):
        name, dice, share, percent = line.split()
        assert (name, percent) == (when, "%")
        assert float(dice) == pytest.approx(written[when]["dice"], abs=5e-4)
        assert float(share) == pytest.approx(100 * written[when]["topological_success"], abs=0.05)
    assert last == f"Look at {folder / 'report.html'}"
    assert (folder / "report.html").stat().st_size > 1000
    assert np.load(folder / "mask_after.npy").shape[0] == 3
    assert written["settings"]["seed"] == 5

    assert run(["demo", "--output", str(folder)]) == 1  # it is full now
    assert capsys.readouterr().err.startswith("error: ")
    assert run(["demo", "--output", str(folder), "--overwrite", "--seed", "6", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["settings"]["seed"] == 6
    assert json.loads((folder / "results.json").read_text())["settings"]["seed"] == 6


@pytest.mark.usefixtures("small")
def test_wrong_places_and_seeds(tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for options in (["--output", str(tmp_path / "file")], ["--output", str(tmp_path / "out"), "--seed", "-1"]):
        assert run(["demo", *options]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_shares_are_shown_in_percent(monkeypatch, capsys):
    """So little training gives shares of 0; here the numbers are given, and only the table is tested."""
    numbers = {
        "before": {"dice": 0.87654, "topological_success": 0.25},
        "after": {"dice": 0.9, "topological_success": 0.96875},
    }
    monkeypatch.setattr(experiment, "run", lambda *_, **__: numbers)
    assert run(["demo"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[:3]] == [
        ["Dice", "right", "topology"],
        ["before", "0.877", "25.0", "%"],
        ["after", "0.900", "96.9", "%"],
    ]
