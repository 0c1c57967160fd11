"""Probability maps, refined by themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

import topoprior
from topoprior.imaging.class_map import read_class_map
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.imaging.networks import Activation
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.guarantee import completed
from topoprior.refinement.result import RefinementResult


@dataclass(frozen=True)
class MapRefiner:
    """Refines probability maps by `topoprior.refine_map`.

    Attributes:
        activation: ``"sigmoid"`` or, with classes, ``"softmax"`` if the files hold logits.
        options: For `topoprior.refine_map`.
        device: Where to compute.
        classes: How many channels the files have; None: a single one, without an axis of its own.
        channel_axis: Where these are; None for the usual place.
    """

    activation: Activation | None
    options: dict[str, Any]
    device: torch.device
    classes: int | None = None
    channel_axis: int | None = None

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """The probabilities."""
        if self.classes is None:
            image = read_image(path)
            return image, self.parts(image, slices)
        activation: Literal["softmax"] | None = "softmax" if self.activation == "softmax" else None
        found = read_class_map(path, self.classes, axis=self.channel_axis, activation=activation)
        return found.image, np.stack([found.image.cut(each, slices) for each in found.probability], axis=1)

    def parts(self, image: Image, slices: int | None) -> Array:
        """The probabilities of one channel."""
        return image.cut(image.probability(activation=self.activation), slices)

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """As they are."""
        return image.join(values, slices)

    @property
    def names(self) -> None:
        """Maps do not say."""
        return

    @property
    def digest(self) -> None:
        """There is no network."""
        return

    @property
    def resamples(self) -> bool:
        """Maps are refined as they are."""
        return False

    def values(self, channels: Array) -> Array:
        """The numbers of the channels."""
        return channels

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:  # noqa: ARG002
        """Refine one map."""
        probability = torch.tensor(np.ascontiguousarray(values), device=self.device)
        channels = probability if isinstance(prior, ClassPriors) else probability[None]
        return topoprior.refine_map(channels[None], prior, **self.options)

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """With its output edited, if that is needed."""
        return completed(result, prior, **conventions)
