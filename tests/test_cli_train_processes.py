"""``topoprior train`` as a process of its own: killed and resumed, and as two processes side by side."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from test_cli_train import CONFIGURATION, ring
from topoprior.cli import run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made
TRAIN = ["train", "--config", "run.yaml"]
COMMAND = [sys.executable, str(Path(sysconfig.get_path("scripts")) / "topoprior"), *TRAIN]
EACH = ("steps=30", "validate_every=3", "patience=99")
LONG = [f"{phase}.{words}" for phase in ("supervised", "prior") for words in EACH]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Rings in noise, eight labelled and four not, and run.yaml, in the current folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for place, names in (("images", "abcdefgh"), ("more", "ijkl")):
        Path(place).mkdir()
        for name in names:
            np.save(f"{place}/{name}.npy", (ring() + random.normal(0, 0.2, (17, 20))).astype(np.float32))
    Path("labels").mkdir()
    for name in "abcdefgh":
        np.save(f"labels/{name}_gt.npy", (2 * ring()).astype(np.uint8))
    Path("run.yaml").write_text(CONFIGURATION)
    return tmp_path


def start(*words):
    return subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )


def lines(name):
    """What a run has told of its steps so far; a process that is killed may leave a torn last line."""
    path = Path(f"runs/{name}/metrics.jsonl")
    whole = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in whole]


def without_times(told):
    return [{key: value for key, value in line.items() if "second" not in key and "time" not in key} for line in told]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_training_ends_as_one_that_was_not(folder, capsys, stop):
    process = start("--name", "stopped", *LONG)
    until = time.monotonic() + 200
    while len(lines("stopped")) < 6:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(stop)
    _, error = process.communicate(timeout=200)
    assert process.returncode == (-stop if stop == signal.SIGKILL else 130), error
    begun = len(lines("stopped"))
    assert not Path("runs/stopped/checkpoints/best.safetensors").exists()

    assert run([*TRAIN, "--name", "stopped", "--resume", *LONG]) == 0
    resumed = capsys.readouterr().out
    assert run([*TRAIN, "--name", "whole", *LONG]) == 0
    assert capsys.readouterr().out == resumed.replace("stopped/", "whole/")
    assert without_times(lines("stopped")) == without_times(lines("whole"))
    assert 6 <= begun < len(lines("whole"))
    one, other = (load_file(f"runs/{name}/checkpoints/best.safetensors") for name in ("stopped", "whole"))
    assert all((one[name] == other[name]).all() for name in other)


def test_two_processes_train_what_one_does(folder, capsys):
    process = start("--name", "both", "hardware.devices=2")
    both, error = process.communicate(timeout=250)
    assert process.returncode == 0, error
    assert run([*TRAIN, "--name", "alone"]) == 0
    alone = capsys.readouterr().out
    numbers = [[float(word) for word in re.findall(r"\d+\.\d+", text)] for text in (both, alone)]
    assert numbers[0] == pytest.approx(numbers[1], abs=2e-3)
    assert both.count("The network is") == 1
    assert len(lines("both")) == len(lines("alone"))  # one of the two writes
    one, other = (load_file(f"runs/{name}/checkpoints/best.safetensors") for name in ("both", "alone"))
    compared = [name for name in other if not name.endswith("conv.bias")]  # normalised away: no gradient but rounding
    assert len(compared) > len(other) / 3
    for name in compared:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-4)
