"""Two processes on gloo: the same weights in both, and those of one process with the same batches."""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from test_fit import DATA, SETTINGS, fit
from topoprior.training import NetworkSettings

# Without normalisation: a bias in front of it has no gradient but rounding, which Adam would blow up differently.
PLAIN = replace(SETTINGS, network=NetworkSettings(factory="test_fit:two_layers"))
SCRIPT = textwrap.dedent(
    """
    import os, sys
    from dataclasses import replace
    import torch
    torch.set_num_threads(1)
    sys.path.insert(0, {tests!r})
    from test_fit import DATA, HardwareSettings, fit
    from test_fit_processes import PLAIN

    if __name__ == "__main__":
        settings = replace(PLAIN, method={method!r}, hardware=HardwareSettings(device="cpu", devices=2))
        result = fit(settings, **DATA, folder={folder!r})
        rank = os.environ.get("LOCAL_RANK", "0")
        torch.save(result.network.state_dict(), {weights!r} + rank)
        torch.save(torch.tensor([list(phase.validation.values()) for phase in result.phases]), {scores!r} + rank)
    """
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", ["prior", "pseudo-labels"])
def test_two_processes_do_what_one_does(tmp_path, method):
    script = tmp_path / "train.py"
    names = {name: str(tmp_path / name) for name in ("folder", "weights", "scores")}
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), method=method, **names))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, script], check=False, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, second = (torch.load(tmp_path / f"weights{rank}") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    alone = fit(replace(PLAIN, method=method), **DATA)
    for name, value in alone.network.state_dict().items():
        assert torch.allclose(first[name], value, rtol=1e-4, atol=1e-5), name
    scores = torch.load(tmp_path / "scores0")
    assert torch.equal(scores, torch.load(tmp_path / "scores1"))
    one = torch.tensor([list(phase.validation.values()) for phase in alone.phases])
    assert torch.allclose(scores, one, atol=1e-4)
    lines = (tmp_path / "folder/metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(alone.history)  # one process writes
