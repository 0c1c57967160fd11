"""What the MNIST experiment computes, one by one: the test digits clean, denoised, and refined towards one prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from topoprior.experiments.mnist.networks import denoised, digit_probabilities
from topoprior.experiments.mnist.variants import PRIOR_OF, PRIORS
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.guarantee import completed
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.experiments.mnist.bench import Bench


@dataclass(frozen=True)
class CleanCell:
    """The test digits as they are."""

    name: str = "clean"


@dataclass(frozen=True)
class DenoisedCell:
    """The test digits without ``lines`` rows and columns, and denoised."""

    lines: int

    @property
    def name(self) -> str:
        """As files are named."""
        return f"lines{self.lines:02d}_denoised"


@dataclass(frozen=True)
class RefinedCell:
    """The denoiser adapted to the test digits without ``lines`` rows and columns, towards one prior.

    Attributes:
        lines: Of rows and of columns.
        prior: As text.
        digits: Which digits, by their true labels; all of them if empty.
    """

    lines: int
    prior: str
    digits: str = ""

    @property
    def name(self) -> str:
        """As files are named."""
        digits = f"_digits{self.digits}" if self.digits else ""
        return f"lines{self.lines:02d}_prior{self.prior.replace(',', '_')}{digits}"


def read_clean(_: CleanCell, *, bench: Bench) -> dict[str, Any]:
    """How the classifier reads the clean test digits, and the topology that they have."""
    masks = bench.test.images >= 0.5
    betti = {construction: betti_numbers(masks, construction=construction)[:, 0] for construction in ("T", "V")}
    return {
        "labels": _as_text(bench.test.labels),
        "read": _as_text(digit_probabilities(bench.classifier(), bench.test.images).argmax(1)),
        **{
            f"{name}_{construction}": betti[construction][:, k].tolist()
            for construction in betti
            for k, name in enumerate(("components", "loops"))
        },
    }


def denoise(cell: DenoisedCell, *, bench: Bench) -> dict[str, Any]:
    """Train the denoiser for so many lines, clean the test digits, and read them."""
    corrupted = bench.corrupted(cell.lines)[2]
    cleaned = denoised(bench.denoiser(cell.lines), corrupted)
    classifier = bench.classifier()
    probabilities = digit_probabilities(classifier, cleaned)
    told = {
        str(prior): _as_text(_limited(probabilities, [d for d in range(10) if PRIOR_OF[d] == prior]).argmax(1))
        for prior in PRIORS
    }
    return {
        "corrupted_read": _as_text(digit_probabilities(classifier, corrupted).argmax(1)),
        "corrupted_error": _errors(corrupted, bench.test.images),
        **_measured(cleaned, bench.test.images, probabilities),
        "read_given": told,
    }


def refine_digits(cell: RefinedCell, *, bench: Bench) -> dict[str, Any]:
    """Adapt the denoiser to each of the test digits of a cell, and read what comes out."""
    prior = BettiPrior.parse(cell.prior)
    chosen = [
        place for place, label in enumerate(bench.test.labels.tolist()) if not cell.digits or str(label) in cell.digits
    ]
    if not chosen:
        return {"places": []}
    images = bench.corrupted(cell.lines)[2][chosen]
    results = bench.refined(cell.lines, images, [prior] * len(images))
    edited = [completed(result, prior) for result in results]
    clean, classifier = bench.test.images[chosen], bench.classifier()
    found: dict[str, Any] = {"places": chosen}
    for form, those in (("refined", results), ("guaranteed", edited)):
        outputs = torch.cat([result.output for result in those]).cpu()
        found[form] = _measured(outputs, clean, digit_probabilities(classifier, outputs))
    return {
        **found,
        "succeeded": [int(result.succeeded) for result in results],
        "steps": [result.steps for result in results],
        "pixels_changed": [result.pixels_changed for result in results],
    }


def _measured(images: Tensor, clean: Tensor, probabilities: Tensor) -> dict[str, Any]:
    """What is kept of images."""
    betti = betti_numbers(images >= 0.5)[:, 0]
    return {
        "read": _as_text(probabilities.argmax(1)),
        "sure": [round(value, 4) for value in probabilities.amax(1).tolist()],
        "error": _errors(images, clean),
        "components": betti[:, 0].tolist(),
        "loops": betti[:, 1].tolist(),
    }


def _limited(probabilities: Tensor, digits: list[int]) -> Tensor:
    """Those of some digits; 0 for the others."""
    kept = torch.zeros_like(probabilities)
    kept[:, digits] = probabilities[:, digits]
    return kept


def _errors(images: Tensor, clean: Tensor) -> list[float]:
    """Mean squared error of each image."""
    return [round(value, 6) for value in (images - clean).square().flatten(1).mean(1).tolist()]


def _as_text(digits: Tensor) -> str:
    """One letter for each."""
    return "".join(map(str, digits.tolist()))
