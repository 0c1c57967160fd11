"""A small experiment, written as those of the package are: what the tests of ``topoprior reproduce`` run.

As a program it is the command line, with this experiment among those of the package.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import torch

import topoprior as tp
from topoprior.cli import main
from topoprior.cli.reproduce.command import reproduce
from topoprior.cli.reproduce.experiment import COMMON, Common, run_experiment
from topoprior.experiments.cell_documents import provenance
from topoprior.experiments.cells import compute
from topoprior.experiments.folder import open_folder, write_results
from topoprior.viewing.report import Figure, Section, Table, write_experiment_report
from topoprior.viewing.style import new_figure

SIZES = {"quick": (8, 10, 12), "paper": (8, 10, 12, 14)}
PAPER = {8: "100 %", 10: "100 %", 12: "90 %"}


@dataclass(frozen=True)
class Cell:
    size: int
    seed: int

    @property
    def name(self):
        return f"size{self.size}_seed{self.seed}"


def island(size, seed):
    """A ring with an island, as a probability map."""
    image = torch.full((1, 1, size, size), 0.1)
    image[..., 1:6, 1:6] = 0.9
    image[..., 2:5, 2:5] = 0.1
    image[..., -1, -1] = 0.55 + 0.01 * (seed % 5)
    return image


def measure(cell, *, steps, data=None):
    """How often a map is set right. In a folder ``data``, what it holds of the cell's name is opened first."""
    if data is not None and (data / cell.name).exists():
        (data / cell.name).read_text()  # a fifo waits here
    result = tp.refine_map(island(cell.size, cell.seed), tp.BettiPrior(1, 1), max_steps=steps)
    return {"right": float(result.succeeded), "steps": result.steps}


def run(
    output,
    *,
    preset="quick",
    data=None,
    steps=20,
    jobs=1,
    device="auto",
    seed=0,
    overwrite=False,
    progress=None,
    command=None,
):
    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    folder = open_folder(output, overwrite=overwrite)
    settings = {"preset": preset, "steps": steps}
    documents = compute(
        partial(measure, steps=steps, data=data),
        [Cell(size, seed) for size in SIZES[preset]],
        folder / "cells",
        settings=settings,
        jobs=jobs,
        overwrite=overwrite,
        progress=progress,
        what="sizes",
    )
    rows = [
        [str(found["cell"]["size"]), PAPER.get(found["cell"]["size"], ""), f"{100 * found['result']['right']:.0f} %"]
        for found in documents
    ]
    table = Table("Set right", ["size", "paper", "ours"], rows)
    figure = new_figure(3, 2)
    figure.subplots().plot([found["result"]["steps"] for found in documents])
    write_experiment_report(
        folder / "report.html",
        title="Islands",
        introduction="Rings with an island.",
        sections=[Section("Table 1", parts=[table, Figure("Steps.", figure, "A line.")])],
        deviations=["It is a toy."],
        missing=["size 14"] if preset == "quick" else [],
        configuration={**settings, **provenance(documents)},
        command=command,
        overwrite=True,
    )
    results = {
        "table": table.records(),
        "settings": settings,
        "missing": ["size 14"] if preset == "quick" else [],
        "right": fmean(found["result"]["right"] for found in documents),
    }
    write_results(folder, results)
    return results


def toy(*, data: Path | None = None, steps: int = 20, common: Common = COMMON) -> None:
    """A toy."""
    run_experiment("toy", run, common, data=data, steps=steps)


if __name__ == "__main__":
    import toy_experiment  # not __main__, which other processes do not know

    reproduce.command(toy_experiment.toy)
    main()
