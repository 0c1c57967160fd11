"""One stack of the ACDC experiment: segmented, refined in several ways, scored, and written over the original image.

The mask that counts is the one in the file: the topology is refined and judged on its pixels, not on those that the
network sees.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.experiments.acdc.subject import Subject
from topoprior.imaging.datasets.acdc import inside, read_patient
from topoprior.imaging.io import write_labels
from topoprior.priors.unions import most_probable
from topoprior.refinement.guarantee import completed
from topoprior.refinement.probability_map import refine_map

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from topoprior.experiments.acdc.training import Settings, Variant
    from topoprior.imaging.datasets.acdc import Patient, Stack
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.priors.table import PriorTable
    from topoprior.refinement.result import RefinementResult
    from topoprior.training.device import Device

PAPER_WEIGHT = 0.01
WAYS = {
    "network": "U-net",
    "paper": f"refine, λ = {PAPER_WEIGHT} (the paper's)",
    "refine": "refine",
    "map": "+ refine_map",
    "guarantee": "+ guarantee",
    "edit": "guarantee alone",
}
"""How masks come about, in the order of the table."""


@dataclass(frozen=True)
class Strength:
    """How a network is refined: lambda, and the learning rate."""

    weight: float
    learning_rate: float


@dataclass(frozen=True)
class ChoiceCell:
    """Weight and learning rate to be chosen on the validation patients of a network.

    Attributes:
        network: Name of its cell.
        variant: What it tells apart.
        validation: The patients.
        weights: Digest of the network's weights.
    """

    network: str
    variant: Variant
    validation: tuple[str, ...]
    weights: str

    @property
    def name(self) -> str:
        """As files are named."""
        return self.network.replace("network", "choice", 1)


@dataclass(frozen=True)
class StackCell:
    """One phase of an unseen patient.

    Attributes:
        patient: Its name.
        phase: ``"ED"`` or ``"ES"``.
        variant: What its network tells apart.
        network: Name of the network's cell.
        weights: Digest of the network's weights.
        paper: At the paper's lambda, with the learning rate chosen for it.
        chosen: What was chosen.
    """

    patient: str
    phase: str
    variant: Variant
    network: str
    weights: str
    paper: Strength
    chosen: Strength

    @property
    def name(self) -> str:
        """As files are named."""
        return f"{self.patient}_{self.phase}_{self.variant}"


@dataclass(frozen=True, eq=False)
class Work:
    """What all cells share; small enough to be sent to other processes.

    Attributes:
        patients: By name.
        priors: Of each slice of each frame.
        settings: Of the experiment.
        networks: Folder of the networks.
        predictions: Folder for the masks.
        device: Where to compute.
    """

    patients: dict[str, Patient]
    priors: PriorTable
    settings: Settings
    networks: Path
    predictions: Path
    device: Device

    def subject(self, stack: Stack, cell: ChoiceCell | StackCell) -> Subject:
        """A stack with the network of a cell."""
        network = self.networks / cell.network, cell.weights
        return Subject.of(stack, cell.variant, network, self.priors, self.settings, device=self.device)


def choose(cell: ChoiceCell, *, work: Work) -> dict[str, Any]:
    """Refine the validation patients at all weights and learning rates, and take what does best; see `best`."""
    began = time.process_time()
    subjects = [
        work.subject(stack, cell)
        for name in cell.validation
        for stack in read_patient(work.patients[name], side=work.settings.side)
    ]
    before = [subject.scores(subject.unrefined()) for subject in subjects]
    rows = []
    for weight in work.settings.weights:
        for rate in work.settings.learning_rates:
            after = [
                subject.scores(subject.refined(weight=weight, learning_rate=rate, max_steps=work.settings.max_steps))
                for subject in subjects
            ]
            gains = [new["dice"]["MYO"] - old["dice"]["MYO"] for old, new in zip(before, after, strict=True)]
            right = sum(sum(one["right"]) for one in after)
            rows.append({"weight": weight, "learning_rate": rate, "right": right, "gain": float(np.mean(gains))})
    return {
        "slices": sum(len(subject.priors) for subject in subjects),
        "right_before": sum(sum(one["right"]) for one in before),
        "processor_seconds": time.process_time() - began,
        "rows": rows,
        "paper": best([row for row in rows if row["weight"] == PAPER_WEIGHT]),
        "chosen": best(rows),
    }


def best(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Weight and learning rate with the most right slices; of all within two slices of that, with the most Dice.

    A few slices of a few patients do not tell more.

    Args:
        rows: With ``weight``, ``learning_rate``, ``right`` and ``gain``.

    Examples:
        >>> rows = [{"weight": 0.1, "learning_rate": rate, "right": right, "gain": gain} for rate, right, gain in
        ...     [(1e-3, 80, 0.01), (3e-4, 79, 0.02), (1e-4, 70, 0.03)]]
        >>> best(rows)
        {'weight': 0.1, 'learning_rate': 0.0003}
    """
    most = max(row["right"] for row in rows)
    row = max((row for row in rows if row["right"] >= most - 2), key=lambda row: float(row["gain"]))
    return {"weight": row["weight"], "learning_rate": row["learning_rate"]}


def refine_stack(cell: StackCell, *, work: Work) -> dict[str, Any]:
    """Segment a stack, refine it in all ways, score it, and write the masks of all ways."""
    began = time.process_time()
    stacks = {stack.frame.phase: stack for stack in read_patient(work.patients[cell.patient], side=work.settings.side)}
    subject = work.subject(stacks[cell.phase], cell)
    found = _ways(subject, cell, work.settings)
    for way, results in found.items():
        place = prediction(work.predictions, cell.variant, way, subject.stack.frame.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_labels(place, subject.labels(results), like=subject.stack.image, overwrite=True)
    scores = {way: subject.scores(results) for way, results in found.items()}
    return {
        "priors": [list(prior.lower) for prior in subject.myocardium],
        "inside": None if subject.stack.labels is None else inside(subject.stack),
        "ways": scores,
        "processor_seconds": time.process_time() - began,
    }


def prediction(folder: Path, variant: Variant, way: str, frame: str) -> Path:
    """Where the mask of a frame goes."""
    return folder / variant / way / f"{frame}.nii.gz"


def _ways(subject: Subject, cell: StackCell, settings: Settings) -> dict[str, list[RefinementResult]]:
    before = subject.unrefined()
    steps = settings.max_steps
    paper = subject.refined(**asdict(cell.paper), max_steps=steps)
    chosen = paper if cell.chosen == cell.paper else subject.refined(**asdict(cell.chosen), max_steps=steps)
    mapped = [
        one if one.succeeded else _then_map(one, prior, settings.max_map_steps)
        for one, prior in zip(chosen, subject.priors, strict=True)
    ]
    return {
        "network": before,
        "paper": paper,
        "refine": chosen,
        "map": mapped,
        "guarantee": [completed(one, prior) for one, prior in zip(mapped, subject.priors, strict=True)],
        "edit": [completed(one, prior) for one, prior in zip(before, subject.priors, strict=True)],
    }


def _then_map(first: RefinementResult, prior: BettiPrior | ClassPriors, max_steps: int) -> RefinementResult:
    """`refine_map` of what the network could not repair; the result speaks of both together."""
    second = refine_map(first.output, prior, max_steps=max_steps)
    if first.reference.shape[1] == 1:
        changed = second.mask != (first.reference >= 0.5)
    else:
        changed = second.labels != most_probable(first.reference)
    return replace(
        second,
        reference=first.reference,
        betti_before=first.betti_before,
        pixels_changed=int(changed.sum()),
        steps=first.steps + second.steps,
        seconds=first.seconds + second.seconds,
    )
