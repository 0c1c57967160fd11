"""What the MNIST experiment computes: its cells, and the networks and digits that all of them work with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch

from topoprior.experiments.mnist.networks import (
    CLASSIFIER,
    DENOISER,
    ClassifierSettings,
    DenoiserSettings,
    denoised,
    digit_probabilities,
    train_classifier,
    train_denoiser,
    trained,
)
from topoprior.experiments.mnist.variants import PRIOR_OF, PRIORS
from topoprior.imaging.corrupt import remove_lines
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.guarantee import completed
from topoprior.refinement.many import refine_many
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from topoprior.experiments.demo import Progress
    from topoprior.imaging.datasets.digits import Digits
    from topoprior.refinement.result import RefinementResult


@dataclass(frozen=True)
class Refinement:
    """Equation 5 as `refine_many` takes it.

    All steps are taken, and the last state is kept. To stop at the first state with the right topology leaves wrong
    bars nearly as long as they were; on 300 training digits it brought a quarter of the gain in digits read right.

    Attributes:
        weight: Lambda.
        learning_rate: Of Adam.
        max_steps: The number of steps.
        patience: None, as said.
        essential: Whether the bar of the component that never dies counts.
        max_bars: Only so many longest bars of each dimension count.
    """

    weight: float
    learning_rate: float
    max_steps: int
    patience: None = None
    essential: Literal["finite", "drop"] = "finite"
    max_bars: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained and adapted.

    Attributes:
        denoiser: The U-net.
        refinement: Its adaptation to one digit.
        controls: Whether all digits are refined towards all priors, for the controls; otherwise each towards its own.
    """

    denoiser: DenoiserSettings
    refinement: Refinement
    controls: bool


@dataclass(frozen=True)
class Settings:
    """How large the experiment is.

    Attributes:
        lines: The numbers m of rows and of columns removed.
        test_digits: Drawn at random from the test set.
        labelled: Pairs of corrupted and clean digits to train the denoiser on: the first of the training set.
        validation: Pairs to choose its state by: those that follow.
        classifier_digits: Clean digits to train the classifier on: the last of the training set.
        classifier: How.
    """

    lines: tuple[int, ...] = (2, 4, 6, 8, 10, 12)
    test_digits: int = 1000
    labelled: int = 100
    validation: int = 100
    classifier_digits: int = 10_000
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)


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


@dataclass(frozen=True, eq=False)
class Bench:
    """What every cell works with.

    Attributes:
        folder: Of the networks.
        settings: How large.
        recipe: How.
        labelled: Clean digits to train the denoiser on.
        validation: To choose its state by.
        test: Clean digits to test on.
        seeds: One for the corruption of each digit, of the three sets in this order.
        seed: Of all training.
        device: Where.
        overwrite: Whether networks of other settings may be replaced.
    """

    folder: Path
    settings: Settings
    recipe: Recipe
    labelled: Digits
    validation: Digits
    test: Digits
    seeds: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    seed: int
    device: str
    overwrite: bool

    def corrupted(self, lines: int) -> tuple[Tensor, Tensor, Tensor]:
        """The images of the three sets without their lines."""
        sets = (self.labelled, self.validation, self.test)
        first, second, third = (
            remove_lines(digits.images, lines, seed=seeds, axes="both")
            for digits, seeds in zip(sets, self.seeds, strict=True)
        )
        return first, second, third

    def denoiser(self, lines: int) -> nn.Module:
        """Trained for that number of lines; kept."""
        settings = self.recipe.denoiser

        def train() -> nn.Module:
            labelled, validation, _ = self.corrupted(lines)
            checked = (validation, self.validation.images)
            return train_denoiser(labelled, self.labelled.images, checked, settings, seed=self.seed)

        told = {**asdict(settings), "lines": lines, "labelled": len(self.labelled), "seed": self.seed}
        path = self.folder / f"denoiser_lines{lines:02d}.safetensors"
        return trained(path, told, train, factory=DENOISER, overwrite=self.overwrite)

    def classifier(self, training: Digits | None = None, progress: Progress | None = None) -> nn.Module:
        """The one that reads all digits; trained on the first call, which has to give the digits to train on."""
        settings = self.settings.classifier

        def train() -> nn.Module:
            if training is None:
                raise FileNotFoundError(f"{self.folder} lacks the classifier: run the experiment again")
            tell = partial(progress, "training the classifier") if progress else None
            return train_classifier(training, settings, seed=self.seed, step_done=tell)

        told = {**asdict(settings), "digits": self.settings.classifier_digits, "seed": self.seed}
        path = self.folder / "classifier.safetensors"
        return trained(path, told, train, factory=CLASSIFIER, overwrite=self.overwrite and training is not None)


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
    results = refined(bench, cell.lines, images, [prior] * len(images))
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


def refined(bench: Bench, lines: int, images: Tensor, priors: Sequence[BettiPrior]) -> list[RefinementResult]:
    """The denoiser for so many lines, adapted to each of some corrupted images."""
    return refine_many(
        bench.denoiser(lines).to(bench.device),
        images.to(bench.device),
        list(priors),
        activation="sigmoid",
        **asdict(bench.recipe.refinement),
    )


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
