"""One cell of the myocardium experiment: split people, degrade slices, train every method, score the test slices.

The supervised phase is shared: all methods go on from the network that it kept.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.baselines.closing import Closing
from topoprior.baselines.components import Components
from topoprior.baselines.crf import DenseCRF
from topoprior.evaluation.metrics import dice
from topoprior.imaging import networks
from topoprior.imaging.corrupt import remove_lines
from topoprior.imaging.datasets.short_axis import SPACING
from topoprior.imaging.networks import normalise
from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.betti import betti_numbers
from topoprior.training import Cases, fit

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from topoprior.experiments.myocardium.recipes import Recipe
    from topoprior.imaging.datasets.short_axis import ShortAxisSlices
    from topoprior.training import TrainingResult

RING = BettiPrior(1, 1)
LINES_KEPT = 8
SHARES = (0.6, 0.1, 0.3)  # of the people with labels: training, validation, test
MOST_UNLABELLED = 400
TRAINED = ("supervised", "longer", "pseudo-labels", "prior", "pseudo-labels+prior")


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes:
        lines: Lines of k-space removed, of 80.
        labelled: Number of labelled slices, of different people as far as there are so many.
        seed: Of the split, of the labelled slices and of the training.
    """

    lines: int
    labelled: int
    seed: int

    @property
    def name(self) -> str:
        """As files are named."""
        return f"lines{self.lines}_labelled{self.labelled}_seed{self.seed}"


def cases_of(slices: ShortAxisSlices, cell: Cell) -> dict[str, Cases]:
    """The slices of a cell, degraded and normalised: ``labelled``, ``unlabelled``, ``validation`` and ``test``.

    A slice loses the same lines in all cells of a seed and number of lines. The labelled slices of a smaller number
    are among those of a larger one; no one has two of them before each has one.

    Raises:
        ValueError: If there are no more training slices than are to be labelled, or no one is left for a part.
    """
    random = np.random.default_rng(cell.seed)
    order = random.permutation(np.unique(slices.patients[slices.labelled]))
    first, second = (round(share * len(order)) for share in itertools.accumulate(SHARES[:2]))
    training, validation, test = np.split(order, [first, second])
    if not min(len(training), len(validation), len(test)):
        raise ValueError(f"training, validation and test need people of their own, got {len(order)} with labels")
    one_each = np.array([random.choice(np.flatnonzero(slices.patients == patient)) for patient in training])
    rest = random.permutation(np.flatnonzero(np.isin(slices.patients, training)))
    if cell.labelled >= len(rest):
        raise ValueError(f"labelled must be less than the {len(rest)} training slices, got {cell.labelled}")
    labelled = np.concatenate([one_each, rest[~np.isin(rest, one_each)]])[: cell.labelled]
    unlabelled = np.concatenate([rest[~np.isin(rest, labelled)], np.flatnonzero(~slices.labelled)])[:MOST_UNLABELLED]
    every = Cases(
        normalise(degraded(slices, cell), "standard"),
        slices.labels,
        slices.names,
        ((RING,),) * len(slices),
        (SPACING, SPACING),
    )
    chosen = {
        "labelled": labelled,
        "unlabelled": unlabelled,
        "validation": np.flatnonzero(np.isin(slices.patients, validation)),
        "test": np.flatnonzero(np.isin(slices.patients, test)),
    }
    parts = {name: every.select(torch.from_numpy(places)) for name, places in chosen.items()}
    return {**parts, "unlabelled": replace(parts["unlabelled"], labels=None)}


def degraded(slices: ShortAxisSlices, cell: Cell) -> Tensor:
    """All slices without the lines that they lose in a cell, values in [0, 1]."""
    return remove_lines(slices.images, cell.lines, seed=seeds(slices, cell), keep_centre=LINES_KEPT)


def seeds(slices: ShortAxisSlices, cell: Cell) -> list[int]:
    """Of each slice, for the lines that it loses."""
    return [cell.seed * len(slices) + number for number in range(len(slices))]


def run_cell(cell: Cell, *, slices: ShortAxisSlices, recipe: Recipe, keep: Path, kept_seed: int) -> dict[str, Any]:
    """Train the methods of one cell and score them on its test slices.

    Args:
        cell: Which.
        slices: All of them.
        recipe: How networks are trained.
        keep: The networks of the cells of one seed are written into a folder of the cell's name in this one.
        kept_seed: That seed.

    Returns:
        What JSON can hold: Dice and Betti numbers of each test slice by each method, and how they came about.
    """
    cases = cases_of(slices, cell)
    test = cases["test"]
    settings = recipe.of(cell)
    train = partial(fit, labelled=cases["labelled"], validation=cases["validation"], unlabelled=cases["unlabelled"])
    methods = {}

    def enter(name: str, masks: Tensor, details: Any, began: float) -> None:
        assert test.labels is not None
        methods[name] = {
            "dice": [round(value, 4) for value in dice(masks, test.labels[:, None])[:, 0].tolist()],
            "betti": betti_numbers(masks)[:, 0].tolist(),
            "details": details,
            "seconds": round(time.perf_counter() - began, 1),
        }

    def enter_trained(name: str, result: TrainingResult, began: float) -> None:
        enter(name, result.masks(test.images), result.summary()["phases"], began)
        if cell.seed == kept_seed:
            (keep / cell.name).mkdir(parents=True, exist_ok=True)
            networks.save(
                result.network,
                keep / cell.name / f"{name}.safetensors",
                normalisation="standard",
                metadata={"method": name, "cell": asdict(cell)},
                overwrite=True,
            )

    began = time.perf_counter()
    base = train(settings)
    enter_trained("supervised", base, began)
    others = {
        "longer": replace(settings, supervised=recipe.longer(cell), seed=cell.seed + 1000),  # other batches than before
        "pseudo-labels": replace(settings, method="pseudo-labels"),
        "prior": replace(settings, method="prior"),
        "pseudo-labels+prior": replace(settings, method="pseudo-labels+prior"),
    }
    for name, other in others.items():
        began = time.perf_counter()
        enter_trained(name, train(other, network=base.network), began)
    validation = cases["validation"]
    assert validation.labels is not None
    crf = DenseCRF().fitted_to(base.probabilities(validation.images), validation.images, validation.labels[:, None])
    probabilities = base.probabilities(test.images)
    for post in (Components(), Closing(), crf):
        began = time.perf_counter()
        enter(post.name, post(probabilities, image=test.images, prior=RING), post.as_dict(), began)
    return {
        "cases": {name: len(part) for name, part in cases.items()},
        "test": list(test.names),
        "methods": methods,
    }
