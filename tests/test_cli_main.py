"""The command line as a whole: help without torch, exit statuses, one-line errors."""

import ast
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import topoprior
import topoprior.cli
from topoprior.cli import run
from topoprior.cli.arguments import options
from topoprior.cli.refine import options as of_refine
from topoprior.imaging import networks
from topoprior.topology import filtration

HOUSE = Path(topoprior.cli.__file__).parent
MORE_THAN_SHARED = {"robustness": {"evaluate", "refine"}}  # what rooms of cli import besides arguments and output
COMMANDS = ("demo", "betti", "barcode", "refine", "evaluate", "audit", "robustness", "doctor")


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from topoprior.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS), ["--version"]])
def test_help_answers_at_once_and_loads_no_torch(arguments):
    code = (
        "import sys, time; from topoprior.cli import run; status = run(sys.argv[1:]); "
        "print(sorted({'torch', 'numpy', 'nibabel', 'matplotlib', 'PIL', 'monai'} & set(sys.modules)), status); "
        "print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    *_, told, seconds = done.stdout.splitlines()
    assert told == "[] 0"
    assert float(seconds) < 1.5  # of the processor, whatever else runs on the machine; about 0.3


def test_the_commands_are_listed_with_what_they_do(capsys):
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for command in COMMANDS:
        line = next(line for line in listed.splitlines() if f"│ {command} " in line)
        assert len(line.strip("│ ").split()) > 4


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == topoprior.__version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["betti"],
        ["betti", "a.npy", "--construction", "Q"],
        ["betti", "a.npy", "--slices", "one"],
        ["barcode"],
        ["refine", "a.npy", "--prior", "1,1"],
        ["demo", "--sead", "3"],
    ],
)
def test_wrong_usage_is_status_2(arguments, capsys):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error" in captured.err


def test_wrong_input_is_status_1_and_one_line():
    done = call("betti", "missing.npy")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: missing.npy does not exist\n"


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    np.save(tmp_path / "map.npy", np.random.default_rng(0).random((300, 200)))
    command = f"{sys.executable} -c 'from topoprior.cli import main; main()' barcode {tmp_path / 'map.npy'} | head -n 2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("dimension ")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "error: two lines"),
        (OSError(28, "No space left on device", "out.npy"), "error: out.npy: No space left on device"),
        (TypeError(), "error: TypeError"),
    ],
)
def test_errors_are_one_line(error, line, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("topoprior.imaging.io.read_image", fail)
    assert run(["betti", "a.npy"]) == 1
    assert capsys.readouterr().err == line + "\n"


def test_defects_of_the_program_are_not_hidden(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("topoprior.imaging.io.read_image", fail)
    with pytest.raises(KeyError, match="a defect"):
        run(["betti", "a.npy"])


def test_the_words_are_those_of_the_library():
    """The commands repeat the words, since importing them from the library would import torch."""
    for ours, theirs in ((options.Construction, filtration.Construction), (options.Boundary, filtration.Boundary)):
        assert typing.get_args(typing.get_args(ours)[0]) == typing.get_args(theirs)
    assert set(typing.get_args(of_refine.Normalisation)) == set(typing.get_args(networks.Normalisation))
    words = set(typing.get_args(of_refine.Activation))
    assert words == {"none", *typing.get_args(networks.Activation)}


def rooms_used(place: Path) -> set[str]:
    """The rooms and commands that the files of one import, besides itself."""
    files = place.rglob("*.py") if place.is_dir() else [place]
    modules = (
        node.module or ""
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    )
    found = {module.split(".")[2] for module in modules if module.startswith("topoprior.cli.")}
    return found - {place.stem}


def test_a_command_imports_only_what_commands_share():
    places = [*HOUSE.glob("*.py"), *(file.parent for file in HOUSE.glob("*/__init__.py"))]
    used = {place.stem: rooms_used(place) for place in places}
    assert used.pop("commands") >= {"betti", "refine"}  # the program has all of them
    del used["__init__"]
    shared = {"arguments", "output"}
    assert {name: rooms - shared for name, rooms in used.items() if rooms - shared} == MORE_THAN_SHARED
    assert not used["arguments"] | used["output"]


def test_nothing_else_imports_the_commands():
    others = [path for path in HOUSE.parent.rglob("*.py") if HOUSE not in path.parents]
    assert len(others) > 100
    assert not [path for path in others if "topoprior.cli" in path.read_text(encoding="utf-8")]
