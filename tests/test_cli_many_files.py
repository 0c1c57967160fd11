"""``topoprior refine`` over folders: the same masks whoever makes them, none made twice, a bad file told at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import topoprior
from topoprior.cli import run
from topoprior.cli.refine.maps import MapRefiner

JOURNAL = ".topoprior-refine.jsonl"


@pytest.fixture
def maps(tmp_path):
    """Four noisy rings."""
    (tmp_path / "maps").mkdir()
    for seed in range(4):
        np.save(tmp_path / "maps" / f"{seed}.npy", topoprior.phantoms.noisy_ring(size=40, seed=seed).astype(np.float32))
    return tmp_path / "maps"


@pytest.fixture
def work(monkeypatch):
    """Counts refinements."""
    calls = []
    real = MapRefiner.__call__

    def counted(self, values, prior, image):
        calls.append(prior)
        return real(self, values, prior, image)

    monkeypatch.setattr(MapRefiner, "__call__", counted)
    return calls


def refine(capsys, *arguments, status: int = 0) -> tuple[dict, str]:
    assert run(["refine", *map(str, arguments), "--json"]) == status
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


def without_seconds(document: dict) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in document["results"]]


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}


@pytest.mark.timeout(120)
def test_all_backends_make_the_same_masks(maps, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone, _ = refine(capsys, "maps", "--prior", "1,1", "-o", "out", "--max-steps", 30)
    assert len(masks(tmp_path / "out")) == len(alone["results"]) == 4
    for backend in ("threading", "loky", "dask"):  # Dask with two worker processes
        (tmp_path / "out").rename(tmp_path / f"before-{backend}")
        arguments = ["--prior", "1,1", "-o", "out", "--max-steps", 30, "--jobs", 2, "--backend", backend]
        document, error = refine(capsys, "maps", *arguments)
        assert error == ""
        assert without_seconds(document) == without_seconds(alone)
        assert masks(tmp_path / "out") == masks(tmp_path / f"before-{backend}")


def test_a_second_run_makes_nothing_again(maps, tmp_path, capsys, work):
    arguments = [maps, "--prior", "1,1", "-o", tmp_path / "out", "--probability", tmp_path / "soft"]
    first, error = refine(capsys, *arguments)
    assert (error, len(work)) == ("", 4)
    before = times(tmp_path / "out"), times(tmp_path / "soft")
    second, error = refine(capsys, *arguments)
    assert (second, len(work)) == (first, 4)
    assert error == "note: 4 of 4 files were done before\n"
    assert (times(tmp_path / "out"), times(tmp_path / "soft")) == before
    (tmp_path / "soft" / "2.npy").unlink()  # and its mask stays, which the run may replace
    np.save(maps / "4.npy", np.load(maps / "0.npy"))
    third, _ = refine(capsys, *arguments)
    assert len(work) == 6
    assert len(third["results"]) == 5
    assert set(times(tmp_path / "soft")) == set(times(tmp_path / "out")) == {f"{index}.npy" for index in range(5)}


def test_a_bad_file_is_told_at_the_end_and_tried_again(maps, tmp_path, capsys, work):
    (maps / "1.npy").write_text("words")
    np.save(maps / "2.npy", np.full((3, 3, 3), 0.7))
    arguments = [maps, "--prior", "1,1", "-o", tmp_path / "out"]
    document, error = refine(capsys, *arguments, status=1)
    assert [Path(row["file"]).name for row in document["results"]] == ["0.npy", "3.npy"]
    assert [Path(row["file"]).name for row in document["failures"]] == ["1.npy", "2.npy"]
    first, second, third = error.splitlines()
    assert first == "error: 2 of 4 files failed"
    assert second.startswith(f"  {maps / '1.npy'} cannot be read as NPY")
    assert third.startswith(f"  {maps / '2.npy'}: --prior 1,1: a prior for an image with 3 axes has 3 Betti numbers")
    assert set(masks(tmp_path / "out")) == {"0.npy", "3.npy"}
    np.save(maps / "1.npy", np.load(maps / "0.npy"))
    document, error = refine(capsys, *arguments, status=1)
    assert len(work) == 3
    assert "error: 1 of 4 files failed" in error


def test_other_settings_need_a_word(maps, tmp_path, capsys, work):
    arguments = [maps, "--prior", "1,1", "-o", tmp_path / "out"]
    refine(capsys, *arguments)
    assert run(["refine", *map(str, arguments), "--weight", "0.3"]) == 1
    assert f"{JOURNAL} was begun with weight not given, now it is 0.3: " in capsys.readouterr().err
    assert len(work) == 4
    refine(capsys, *arguments, "--weight", "0.3", "--overwrite")
    assert len(work) == 8


def test_another_prior_is_another_work(maps, tmp_path, capsys, work):
    table = tmp_path / "priors.csv"
    table.write_text("file,prior\n" + "".join(f'{seed}.npy,"1,1"\n' for seed in range(4)))
    arguments = [maps, "--priors", table, "-o", tmp_path / "out", "--max-steps", 40]
    refine(capsys, *arguments)
    table.write_text('file,prior\n3.npy,"1,1"\n1.npy,"1,0"\n0.npy,"1,1"\n2.npy,"1,1"\nelse.npy,"1,1"\n')
    document, _ = refine(capsys, *arguments)
    assert len(work) == 5
    assert [row["prior"] for row in document["results"]] == ["1,1", "1,0", "1,1", "1,1"]


def test_masks_of_others_stay(maps, tmp_path, capsys, work):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "3.npy").write_text("precious")
    assert run(["refine", str(maps), "--prior", "1,1", "-o", str(tmp_path / "out")]) == 1
    assert "3.npy exists already" in capsys.readouterr().err
    assert work == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["3.npy"]


def test_stacks_of_different_lengths_share_a_table(tmp_path, capsys):
    ring = topoprior.phantoms.noisy_ring(size=40, seed=0).astype(np.float32)
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "a.npy", np.stack([ring] * 2))
    np.save(tmp_path / "maps" / "b.npy", np.stack([ring] * 3))
    table = tmp_path / "priors.csv"
    table.write_text('slice,prior\n0,"1,1"\n1,"*,1"\n2,"1,*"\n')
    arguments = ["--priors", table, "--slices", 0, "--max-steps", 3]
    document, error = refine(capsys, tmp_path / "maps", *arguments, "-o", tmp_path / "out")
    assert [row["prior"] for row in document["results"]] == ["1,1", "*,1", "1,1", "*,1", "1,*"]
    assert "priors.csv" not in error
    with table.open("a") as file:
        file.write('7,"1,1"\n')
    _, error = refine(capsys, tmp_path / "maps", *arguments, "-o", tmp_path / "out2")
    assert "priors.csv, line 5: no image has slice 7, the longest has slices 0 to 2" in error
    assert run(["refine", str(tmp_path / "maps" / "b.npy"), *map(str, arguments), "-o", str(tmp_path / "m.npy")]) == 1
    assert "priors.csv, line 5: no image has slice 7" in capsys.readouterr().err
    assert not (tmp_path / "m.npy").exists()


def test_the_report_tells_what_it_lacks(maps, tmp_path, capsys):
    arguments = ["--prior", "1,1", "-o", tmp_path / "out", "--max-steps", 2]
    refine(capsys, maps / "0.npy", maps / "1.npy", *arguments)
    _, error = refine(capsys, maps, *arguments, "--report", tmp_path / "report.html", "--jobs", 2)
    assert "note: 2 of 4 files were done before, and are not in the report" in error
    html = (tmp_path / "report.html").read_text()
    assert [str(maps / f"{seed}.npy") in html for seed in range(4)] == [False, False, True, True]


NETWORKS = """
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.full((1, 1, 1, 1), {factor}))

    def forward(self, image):
        return image * self.factor
"""


def test_a_network_is_known_by_its_weights(maps, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    arguments = ["refine", "maps", "--prior", "1,1", "-o", "out", "--max-steps", "1", "--network", "scales:Scale"]
    for factor, status in ((0.9, 0), (0.9, 0), (0.8, 1)):
        (tmp_path / "scales.py").write_text(NETWORKS.format(factor=factor))
        sys.modules.pop("scales", None)
        assert run(arguments) == status
    assert ".jsonl was begun with weights " in capsys.readouterr().err
    sys.modules.pop("scales", None)


SLOW = ["--prior", "1,1", "--margin", "0.49", "--max-steps", "60"]
MAIN = """
import signal
from topoprior.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have switched off in the background
    main()
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_is_gone_on_with(tmp_path, capsys, sent):
    source, out = tmp_path / "maps", tmp_path / "out"
    source.mkdir()
    for seed in range(10):
        np.save(source / f"{seed}.npy", topoprior.phantoms.noisy_ring(size=40, seed=seed).astype(np.float32))
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "refine", str(source), "-o", str(out), *SLOW],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    journal = out / JOURNAL
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b'"written"') > 3):
        time.sleep(0.005)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == {signal.SIGKILL: (-9, ""), signal.SIGINT: (130, "stopped\n")}[sent]
    done = [json.loads(line)["name"] for line in journal.read_bytes().split(b"\n")[1:-1] if b'"written"' in line]
    assert 3 <= len(done) < 10
    before = times(out)
    document, error = refine(capsys, source, "-o", out, *SLOW)
    assert f"note: {len(done)} of 10 files were done before\n" in error
    after = times(out)
    assert {name: after[name] for name in (Path(name).name for name in done)}.items() <= before.items()
    assert [Path(row["file"]).name for row in document["results"]] == [f"{seed}.npy" for seed in range(10)]
    assert set(after) == {f"{seed}.npy" for seed in range(10)}
    assert {path.name for path in out.iterdir()} == {*after, JOURNAL}


def test_masks_that_were_written_but_not_told_of_are_made_again(maps, tmp_path, capsys, work):
    """As after a kill between the two; with processes that write faster than they are listened to it is common."""
    arguments = [maps, "--prior", "1,1", "-o", tmp_path / "out"]
    first, _ = refine(capsys, *arguments)
    journal = tmp_path / "out" / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b"3.npy" not in line or b"begun" in line))
    second, error = refine(capsys, *arguments)
    assert (error, len(work)) == ("note: 3 of 4 files were done before\n", 5)
    assert without_seconds(second) == without_seconds(first)
    journal.write_bytes(b"".join(line for line in lines if b"3.npy" not in line))
    assert run(["refine", *map(str, arguments)]) == 1
    assert "3.npy exists already" in capsys.readouterr().err
