"""Cells of an experiment: computed once, kept whole, refused when they do not fit; what a killed run keeps."""

import errno
import functools
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from topoprior.experiments import cell_documents
from topoprior.experiments.cell_documents import provenance, read_cells
from topoprior.experiments.cells import CellsFailed, compute
from topoprior.experiments.folder import open_folder, write_results


@dataclass(frozen=True)
class Power:
    base: int
    exponent: int = 2
    seed: int = 0

    @property
    def name(self):
        return f"base{self.base}_exponent{self.exponent}"


def power(cell, log=None):
    """The work; tells in a file that it was done, since it may be done in another process."""
    if log is not None:
        with log.open("a") as file:
            file.write(f"{cell.name} {os.getpid()}\n")
    if cell.base < 0:
        raise ValueError(f"base must be at least 0, got {cell.base}")
    if cell.base == 13:
        raise RuntimeError("no luck")
    return {"power": np.int64(cell.base**cell.exponent), "all": np.arange(2), "pair": (1.5, None)}


@pytest.fixture
def done(tmp_path):
    """The work, and a function that tells which cells were worked on since it was last called."""
    log = tmp_path / "log"

    def names():
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    return functools.partial(power, log=log), names


def test_what_a_file_holds(tmp_path):
    (document,) = compute(power, [Power(3, seed=4)], tmp_path / "a" / "b", settings={"rate": 0.1, "shape": (2, 3)})
    assert json.loads((tmp_path / "a" / "b" / "base3_exponent2.json").read_text()) == document
    assert document["cell"] == {"name": "base3_exponent2", "base": 3, "exponent": 2, "seed": 4}
    assert document["settings"] == {"rate": 0.1, "shape": [2, 3]}
    assert document["result"] == {"power": 9, "all": [0, 1], "pair": [1.5, None]}
    assert document["environment"]["torch"] == version("torch")
    assert document["environment"]["machine"]["processors"] == os.cpu_count()
    assert document["seconds"] >= 0
    assert document["date"].startswith("20")
    assert document["date"].endswith("+00:00")


def test_cells_that_are_there_are_not_computed_again(tmp_path, done):
    work, names = done
    first = compute(work, [Power(1), Power(2)], tmp_path / "cells", settings={"rate": 0.1})
    assert names() == ["base1_exponent2", "base2_exponent2"]
    told = []
    more = compute(
        work,
        [Power(3), Power(2), Power(1)],
        tmp_path / "cells",
        settings={"rate": 0.1},
        progress=lambda *said: told.append(said),
        what="powers",
    )
    assert names() == ["base3_exponent2"]
    assert told == [("powers", 2, 3), ("powers", 3, 3)]
    assert [document["result"]["power"] for document in more] == [9, 4, 1]
    assert more[2] == first[0]
    assert read_cells(tmp_path / "cells") == more[::-1]


def test_processes_compute_the_same(tmp_path, done):
    work, _ = done
    cells = [Power(1), Power(2), Power(-1), Power(3)]
    with pytest.raises(CellsFailed, match="1 of 4 cells failed: base-1_exponent2: base must be at least 0, got -1"):
        compute(work, cells, tmp_path / "two", settings={}, jobs=2)
    lines = (tmp_path / "log").read_text().split()
    assert str(os.getpid()) not in lines
    assert len(set(lines[1::2])) == 2
    with pytest.raises(CellsFailed):
        compute(work, cells, tmp_path / "one", settings={})
    ones, twos = (read_cells(tmp_path / folder) for folder in ("one", "two"))
    assert [document["result"] for document in ones] == [document["result"] for document in twos]
    assert all(document["environment"]["machine"]["torch_threads"] == 1 for document in twos)


def test_a_cell_that_fails_leaves_the_others_alone(tmp_path, done):
    work, names = done
    with pytest.raises(CellsFailed) as caught:
        compute(work, [Power(13), Power(1), Power(-1), Power(2)], tmp_path / "cells", settings={})
    first, second = caught.value.failures
    assert str(first).startswith("base13_exponent2: RuntimeError: no luck (test_cells.py, line ")
    assert str(second) == "base-1_exponent2: base must be at least 0, got -1"
    assert caught.value.total == 4
    assert len(names()) == 4
    assert [document["cell"]["base"] for document in read_cells(tmp_path / "cells")] == [1, 2]


def test_other_settings_are_refused_and_named(tmp_path, done):
    work, names = done
    compute(work, [Power(1), Power(2)], tmp_path / "cells", settings={"rate": 0.1, "steps": 10, "old": 1})
    names()
    now = {"rate": 0.2, "steps": 10, "new": [1]}
    with pytest.raises(
        ValueError,
        match=r"base1_exponent2.json and 1 more was computed with rate 0\.1 \(now 0\.2\), new not set \(now \[1\]\), "
        r"old 1 \(now not set\): take another folder, or .*--overwrite",
    ):
        compute(work, [Power(1), Power(2), Power(3)], tmp_path / "cells", settings=now)
    assert names() == []
    assert len(compute(work, [Power(1), Power(3)], tmp_path / "cells", settings=now, overwrite=True)) == 2
    assert names() == ["base1_exponent2", "base3_exponent2"]
    compute(work, [Power(1), Power(3)], tmp_path / "cells", settings=now, overwrite=True)
    assert names() == []  # they fit now


def test_a_cell_of_the_same_name_that_is_another_is_refused(tmp_path):
    compute(power, [Power(1)], tmp_path, settings={})
    with pytest.raises(ValueError, match=r"was computed with seed 0 \(now 1\)"):
        compute(power, [Power(1, seed=1)], tmp_path, settings={})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"cell": {"name": "base1', "Unterminated string"),
        ("", "Expecting value"),
        ("[1]", "no cell, settings"),
        ('{"cell": {}, "settings": {}, "seconds": 1, "environment": {}, "date": ""}', "no result"),
    ],
)
def test_damaged_files_are_named_and_computed_anew_if_asked(tmp_path, text, why):
    (tmp_path / "base1_exponent2.json").write_text(text)
    with pytest.raises(ValueError, match=rf"base1_exponent2.json is damaged.*\({why}.*: remove .*--overwrite"):
        compute(power, [Power(1)], tmp_path, settings={})
    with pytest.raises(ValueError, match=r"base1_exponent2\.json"):
        read_cells(tmp_path)
    assert (tmp_path / "base1_exponent2.json").read_text() == text
    (document,) = compute(power, [Power(1)], tmp_path, settings={}, overwrite=True)
    assert document["result"]["power"] == 1


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(tmp_path, monkeypatch, done):
    work, names = done
    whole = Path.write_text

    def full(self, text, **options):
        if "base2" in self.name:
            whole(self, text[:20], **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(self, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"No space left on device: .*base2_exponent2.json"):
        compute(work, [Power(1), Power(2), Power(3)], tmp_path / "cells", settings={})
    assert [file.name for file in (tmp_path / "cells").iterdir()] == ["base1_exponent2.json"]
    assert names() == ["base1_exponent2", "base2_exponent2"]  # no hours are spent on what cannot be kept
    monkeypatch.undo()
    assert len(compute(work, [Power(1), Power(2), Power(3)], tmp_path / "cells", settings={})) == 3
    assert names() == ["base2_exponent2", "base3_exponent2"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_disk_that_is_really_full(tmp_path, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def on_a_full_disk(path, *, overwrite):
        yield Path("/dev/full")

    monkeypatch.setattr(cell_documents, "new_file", on_a_full_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*base1_exponent2.json"):
        compute(power, [Power(1)], tmp_path, settings={})


def test_places_that_cannot_be_written_are_refused_before_any_work(tmp_path, monkeypatch, done):
    work, names = done
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        compute(work, [Power(1)], tmp_path / "file" / "cells", settings={})
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for others than root
    with pytest.raises(PermissionError, match="cells cannot be written to"):
        compute(work, [Power(1)], tmp_path / "cells", settings={})
    assert names() == []


@pytest.mark.parametrize(
    ("cells", "settings", "error", "words"),
    [
        (
            [Power(1), Power(1, seed=1)],
            {},
            ValueError,
            "must have a name of its own, got base1_exponent2 twice",
        ),
        ([Power("../x")], {}, ValueError, "the name of a cell must be letters, digits"),
        ([Power(1)], {"prior": object()}, TypeError, "the settings must be .* values that JSON takes: got object"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, cells, settings, error, words):
    with pytest.raises(error, match=words):
        compute(power, cells, tmp_path / "cells", settings=settings)
    assert not (tmp_path / "cells").exists()


def test_a_result_that_json_does_not_take_is_a_failure_of_its_cell(tmp_path):
    with pytest.raises(CellsFailed, match=r"base1_exponent2: the result must be a mapping .*got object"):
        compute(lambda _: {"network": object()}, [Power(1)], tmp_path, settings={})
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
    import functools, os, sys, time
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_cells import Power, power
    from topoprior.experiments.cells import compute

    def slow(cell):
        result = power(cell, log=Path({log!r}))
        if cell.base == 2:
            open({started!r}, "w").close()
            time.sleep(60)
        return result

    compute(slow, [Power(1), Power(2), Power(3)], Path({folder!r}), settings={{}})
"""


def test_a_killed_run_loses_only_the_running_cell(tmp_path, done):
    work, names = done
    folder, started = tmp_path / "cells", tmp_path / "started"
    script = textwrap.dedent(SCRIPT).format(
        tests=str(Path(__file__).parent), log=str(tmp_path / "log"), started=str(started), folder=str(folder)
    )
    os.mkfifo(started)
    process = subprocess.Popen([sys.executable, "-c", script])
    started.read_text()  # waits until the second cell has begun
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert names() == ["base1_exponent2", "base2_exponent2"]
    assert [file.name for file in folder.iterdir()] == ["base1_exponent2.json"]
    assert len(compute(work, [Power(1), Power(2), Power(3)], folder, settings={})) == 3
    assert names() == ["base2_exponent2", "base3_exponent2"]


def test_where_cells_come_from():
    assert provenance([]) == {"cells": "0"}
    place = {"topoprior": "1.0", "machine": {"processor": "A", "processors": 2, "gpu": "G"}}
    cell = {"seconds": 30, "commit": None, "date": "2026-01-31T12:00:00", "environment": place}
    told = provenance([cell, cell | {"commit": "abc"}, cell])
    assert told["commit"] == "unknown (2 cells); abc (1 cells)"
    assert told["time in all"] == "1.5 minutes"
    assert told["machine"] == "G, 2 processors"


def test_the_folder_of_an_experiment(tmp_path):
    folder = open_folder(tmp_path / "a" / "b")
    write_results(folder, {"table": [1]})
    assert write_results(open_folder(folder), {"table": [2]}).read_text() == '{\n  "table": [\n    2\n  ]\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(folder, {"mean": float("nan")})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match=r"other holds something else than an experiment: .*--overwrite"):
        open_folder(tmp_path / "other")
    assert open_folder(tmp_path / "other", overwrite=True) == tmp_path / "other"
    with pytest.raises(NotADirectoryError, match=r"must be a folder, and .*thesis\.txt is a file"):
        open_folder(tmp_path / "other" / "thesis.txt")
