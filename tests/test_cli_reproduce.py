"""``topoprior reproduce`` with a small experiment: table, report and files; killed, resumed, refused."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import toy_experiment
from topoprior.cli import run
from topoprior.cli.reproduce.command import reproduce
from topoprior.cli.reproduce.experiment import Common, command_line

# The experiments of the package, each with an option of its own.
OWN_OPTIONS = {
    "mnist": ("lines", [2, 4]),
    "myocardium": ("labelled", [10]),
    "acdc": ("folds", 3),
    "placenta": ("folds", 3),
}


@pytest.fixture(autouse=True)
def toy():
    """The small experiment, among the others."""
    reproduce.command(toy_experiment.toy)
    yield
    del reproduce["toy"]


def test_the_table_the_report_and_the_files(tmp_path, capsys):
    folder = tmp_path / "not" / "there"
    assert run(["reproduce", "toy", "-o", str(folder), "--seed", "3", "--data", str(tmp_path)]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert [line.split() for line in lines[:2]] == [["size", "paper", "ours"], ["8", "100", "%", "100", "%"]]
    assert lines[-1] == f"Look at {folder / 'report.html'}"
    assert output.err == "missing: size 14\n"
    assert {path.name for path in folder.iterdir()} == {"cells", "figures", "report.html", "results.json"}
    assert {path.name for path in (folder / "cells").iterdir()} == {f"size{n}_seed3.json" for n in (8, 10, 12)}
    html = (folder / "report.html").read_text()
    command = f"topoprior reproduce toy --preset quick --seed 3 --data {tmp_path.name} --steps 20"
    assert f"{command} -o there" in html
    assert str(tmp_path) not in html


def test_the_same_command_again_computes_nothing(tmp_path, capsys, monkeypatch):
    words = ["reproduce", "toy", "-o", str(tmp_path / "out"), "--json"]
    assert run(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert first == json.loads((tmp_path / "out" / "results.json").read_text())
    assert first["right"] == 1

    monkeypatch.setattr(toy_experiment.tp, "refine_map", None)
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out) == first

    monkeypatch.undo()
    assert run([*words, "--steps", "0"]) == 1
    assert re.search(
        r"^error: \S+size8_seed0\.json and 2 more was computed with steps 20 \(now 0\): take another folder, or .*"
        r"--overwrite\)$",
        capsys.readouterr().err,
    )
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == first
    assert run([*words, "--steps", "0", "--overwrite"]) == 0
    assert json.loads(capsys.readouterr().out)["right"] == 0


def test_cells_that_fail_are_told_and_the_others_kept(tmp_path, capsys):
    (tmp_path / "data" / "size10_seed0").mkdir(parents=True)  # no file
    words = ["reproduce", "toy", "-o", str(tmp_path / "out"), "--data", str(tmp_path / "data")]
    assert run(words) == 1
    output = capsys.readouterr()
    assert output.out == ""
    first, second, third = output.err.splitlines()
    assert first == "What was computed is kept: the same command computes only what is missing."
    assert second == "error: 1 of 3 cells failed"
    assert third.strip().startswith("size10_seed0: ") or "size10_seed0: Is a directory" in third
    assert not (tmp_path / "out" / "report.html").exists()
    (tmp_path / "data" / "size10_seed0").rmdir()
    assert run(words) == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--steps", "-1"], "error: steps must be at least 0, got -1"),
        (["--jobs", "0"], "error: jobs must be at least 1, or -1 for one on each core, got 0"),
        (["--device", "cuda"], "error: --device cuda needs a GPU, and torch finds none: take cpu or auto"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, capsys, words, error):
    assert run(["reproduce", "toy", "-o", str(tmp_path / "out"), *words]) == 1
    assert capsys.readouterr().err.strip() == error


@pytest.mark.parametrize("experiment", ["toy", *OWN_OPTIONS])
def test_a_folder_with_something_else_is_left_alone(tmp_path, capsys, experiment):
    (tmp_path / "report.html").write_text("mine")
    assert run(["reproduce", experiment, "-o", str(tmp_path)]) == 1
    assert "holds something else than an experiment" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "mine")]


def start(*words):
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, toy_experiment.__file__, "reproduce", "toy", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait(process, happened):
    """Until that is true, which a process that has ended would not bring about."""
    until = time.monotonic() + 200
    while not happened():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(f"the process ended too early, or never came so far: {process.communicate()}")
        time.sleep(0.05)


def children_of(process):
    """The processes that it has started, as far as the system tells."""
    place = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return place.read_text().split() if place.exists() else []


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_goes_on_where_it_was(tmp_path, capsys, stop):
    out, data = tmp_path / "out", tmp_path / "data"
    first, second, last = (f"size{size}_seed0" for size in (8, 10, 12))
    data.mkdir()
    os.mkfifo(data / last)  # this cell waits until somebody writes
    process = start("-o", str(out), "--data", str(data), "--jobs", "2")
    wait(process, lambda: all((out / "cells" / f"{name}.json").exists() for name in (first, second)))
    children = children_of(process)
    process.send_signal(stop)
    _, error = process.communicate(timeout=100)
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130)
    assert stop == signal.SIGKILL or error == "stopped\n"  # of a killed one its library tells what it left
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert set(kept) == {f"{first}.json", f"{second}.json"}
    assert not (out / "results.json").exists()
    if sys.platform == "linux":
        assert len(children) >= 2
    until = time.monotonic() + 60
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    (data / last).unlink()

    assert run(["reproduce", "toy", "-o", str(out), "--data", str(data)]) == 0
    assert capsys.readouterr().out.count("100 %") == 5
    now = {path.name: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert set(now) == {*kept, f"{last}.json"}
    assert now.items() > kept.items()


@pytest.mark.parametrize("experiment", OWN_OPTIONS)
def test_the_help_answers_at_once(experiment, capsys):
    assert run(["reproduce", "--help"]) == 0
    assert experiment in capsys.readouterr().out
    code = (
        f"import sys; from topoprior.cli import run; run(['reproduce', {experiment!r}, '--help']); "
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "False False"
    for option in ("preset", "data", "output", "seed", "jobs", "device", "overwrite", "json"):
        assert f"--{option}" in said


@pytest.mark.parametrize("experiment", OWN_OPTIONS)
def test_what_an_experiment_is_given(experiment, monkeypatch, capsys, tmp_path):
    import importlib

    given = {}

    def fake(output, **options):
        given.update(options, output=output)
        options["progress"]("cells", 1, 1)
        return {"table": [{"m": "2"}], "missing": []}

    monkeypatch.setattr(importlib.import_module(f"topoprior.experiments.{experiment}"), "run", fake)
    monkeypatch.chdir(tmp_path)
    option, value = OWN_OPTIONS[experiment]
    own = [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    assert run(["reproduce", experiment, *own, "--preset", "paper", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == ["m", "2", "", f"Look at topoprior-{experiment}/report.html"]
    assert given["output"] == Path(f"topoprior-{experiment}")
    assert given[option] == value
    shared = {"preset": "paper", "data": None, "seed": 0, "jobs": 2, "device": "auto"}
    assert {**given, **shared, "overwrite": False} == given

    words, first = shlex.split(given.pop("command"))[1:], {**given}
    assert run([*words, "--jobs", "2"]) == 0
    assert {**given, "progress": None} == {**first, "progress": None, "command": given["command"]}


def test_the_command_in_the_report_names_no_folder_of_this_machine():
    options = {"preset": "paper", "jobs": 4, "data": Path("/home/me/my scans"), "lines": [2, 4], "digits": None}
    options |= {"only_report": True, "label": 0, "other": False}
    assert (
        command_line("mnist", Path("/home/me/out"), options)
        == "topoprior reproduce mnist --preset paper --data 'my scans' --lines 2 4 --only-report --label 0 -o out"
    )
    assert Common().preset == "quick"
