"""What every cell of the MNIST experiment works with: its digits, and its two networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from topoprior.experiments.mnist.networks import CLASSIFIER, DENOISER
from topoprior.experiments.mnist.training import train_classifier, train_denoiser, trained
from topoprior.imaging.corrupt import remove_lines
from topoprior.refinement.many import refine_many

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from topoprior.experiments.demo import Progress
    from topoprior.experiments.mnist.settings import Recipe, Settings
    from topoprior.imaging.datasets.digits import Digits
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.refinement.result import RefinementResult


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

    def refined(self, lines: int, images: Tensor, priors: Sequence[BettiPrior]) -> list[RefinementResult]:
        """The denoiser for so many lines, adapted to each of some corrupted images."""
        return refine_many(
            self.denoiser(lines).to(self.device),
            images.to(self.device),
            list(priors),
            activation="sigmoid",
            **asdict(self.recipe.refinement),
        )
