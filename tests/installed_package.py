"""What an installed topoprior does without any extra, seen from outside: ``python tests/installed_package.py``.

For a wheel in a clean environment, on every platform: it needs the package and what that requires, and no test runner.
tests/test_packaging.py runs the same functions.
"""

import contextlib
import io
import itertools
import json
import sys
import tempfile
from pathlib import Path


def require(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"failed: {what}")


def import_is_light() -> None:
    """To be called before anything else has been imported."""
    import topoprior

    heavy = {"torch", "numpy", "matplotlib", "monai"} & set(sys.modules)
    require(not heavy, f"import topoprior must not import {sorted(heavy)}")
    require(topoprior.__version__[0].isdigit(), "the version is that of the metadata")


def core_counts_right() -> None:
    """Bars of random images, against the Euler number of the mask at every threshold, counted cell by cell."""
    import numpy as np

    import topoprior as tp

    random = np.random.default_rng(0)
    for shape in ((40,), (31, 37), (48, 40, 36)):  # the last is large enough for several threads
        image = random.integers(0, 5, shape) / 4
        diagrams = tp.persistence(image[None, None], construction="V", threads=3)
        for threshold in (0.25, 0.5, 1.0):
            betti = diagrams.betti_numbers(threshold)[0, 0].tolist()
            alternating = sum((-1) ** k * number for k, number in enumerate(betti))
            require(alternating == euler_number(image >= threshold), f"bars of {shape} add up to the Euler number")


def euler_number(mask) -> int:
    """Of the V-construction: a cell spans some of the axes and belongs to the mask if all of its pixels do."""
    total = 0
    for spans in itertools.product((False, True), repeat=mask.ndim):
        cells = mask
        for axis, span in enumerate(spans):
            if span:
                cells = cells.swapaxes(0, axis)
                cells = (cells[1:] & cells[:-1]).swapaxes(0, axis)
        total += (-1) ** sum(spans) * int(cells.sum())
    return total


def loss_and_refinement_work() -> None:
    import torch

    import topoprior as tp

    prior = tp.BettiPrior(1, 1)
    probability = torch.from_numpy(tp.phantoms.noisy_ring(seed=1, noise=0.13))[None, None].requires_grad_()
    loss = tp.BettiPriorLoss(prior)(probability)
    loss.backward()
    require(probability.grad is not None and bool((probability.grad != 0).any()), "the loss pushes some pixels")
    result = tp.refine_map(probability.detach(), prior)
    require(result.betti_after.tolist() == [[[1, 1]]], "a noisy ring becomes a ring")


def commands_work(folder: Path) -> None:
    import numpy as np

    ring = np.zeros((5, 5), dtype=np.uint8)
    ring[1:4, 1:4] = 1
    ring[2, 2] = 0
    np.save(folder / "ring.npy", ring)
    told = said("betti", str(folder / "ring.npy"), "--json")
    require(json.loads(told)["results"][0]["betti"] == [1, 1], f"topoprior betti counts the ring, got {told}")


def every_command_explains_itself() -> None:
    from topoprior.cli import app

    commands = [name for name in app if not name.startswith("-")]
    require(len(commands) > 10, f"there are commands, got {commands}")
    require("Usage: topoprior" in said("--help"), "topoprior --help")
    for command in commands:
        require(f"topoprior {command}" in said(command, "--help"), f"topoprior {command} --help")


def said(*arguments: str) -> str:
    """What a command prints; it must end well."""
    from topoprior.cli import run

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = run(arguments)
    require(status == 0, f"topoprior {' '.join(arguments)} ended with status {status}")
    return out.getvalue()


def main() -> None:
    import_is_light()
    every_command_explains_itself()
    core_counts_right()
    loss_and_refinement_work()
    with tempfile.TemporaryDirectory() as folder:
        commands_work(Path(folder))
    import topoprior
    from topoprior import _core

    print(f"topoprior {topoprior.__version__} works with Python {sys.version.split()[0]}: {_core.__file__}")


if __name__ == "__main__":
    main()
