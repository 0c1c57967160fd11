"""Networks, refined on images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import topoprior
from topoprior.cli.arguments.stated_priors import BACKGROUND
from topoprior.imaging.datasets.classes import Classes, class_values
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.imaging.networks import LoadedNetwork, weights_digest
from topoprior.imaging.preparation import Preparation
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.guarantee import completed
from topoprior.refinement.result import RefinementResult


@dataclass(frozen=True)
class NetworkRefiner:
    """Refines a network on images by `topoprior.refine`, each time from the network's own weights.

    Attributes:
        loaded: The network on its device, its activation and the normalisation of its images.
        channel: Which output channel has the prior; None for the only one.
        options: For `topoprior.refine`.
        device: Where to compute.
        preparation: What images go through before the network; None if the checkpoint does not say.
        classes: Name of each class, without background, to its values in labels; None if the checkpoint does not say.
    """

    loaded: LoadedNetwork
    channel: int | None
    options: dict[str, Any]
    device: torch.device
    preparation: Preparation | None = None
    classes: Classes | None = None

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """The intensities, prepared as the network was trained."""
        image = read_image(path)
        return image, self.parts(image, slices)

    def parts(self, image: Image, slices: int | None) -> Array:
        """The same of an image that was read."""
        if self.preparation is None:
            return image.cut(image.intensity(), slices)
        if slices != self.preparation.slices:
            trained = self.preparation.slices
            what = "whole images: leave out --slices" if trained is None else f"slices: give --slices {trained}"
            raise ValueError(f"{image.path}: the network was trained on {what}")
        return self.preparation.prepare(image)

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """Where the image was cropped is background."""
        if self.preparation is None:
            return image.join(values, slices)
        restored: Array = self.preparation.restore(values[:, None], image)[0]
        return restored

    @property
    def names(self) -> tuple[str, ...] | None:
        """As the checkpoint says."""
        return None if self.classes is None else (BACKGROUND, *self.classes)

    @property
    def digest(self) -> str:
        """Of the weights."""
        return weights_digest(self.loaded.network)

    @property
    def resamples(self) -> bool:
        """Where the network was trained on prepared images."""
        return self.preparation is not None

    def values(self, channels: Array) -> Array:
        """The values of the classes in the labels."""
        return channels if self.classes is None else class_values(channels, self.classes)

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:  # noqa: ARG002
        """Normalise one image, and refine the network on it."""
        given = self.loaded.normalise(torch.from_numpy(np.ascontiguousarray(values))[None, None].to(self.device))
        channels = self._output_channels(given)
        wanted: Any = prior
        channel = 0
        if isinstance(prior, ClassPriors):
            self._check_classes(prior, channels)
        else:
            channel = self._checked_channel(channels)
            anything = BettiPrior(*[None] * prior.dimensions)
            wanted = [[prior if place == channel else anything for place in range(channels)]]
        result = topoprior.refine(self.loaded.network, given, wanted, activation=self.loaded.activation, **self.options)
        return result if wanted is prior else _one_channel(result, channel, self.options["threshold"])

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """With its output edited, if that is needed."""
        return completed(result, prior, **conventions)

    def _check_classes(self, prior: ClassPriors, channels: int) -> None:
        if channels != len(prior.classes):
            raise ValueError(
                f"the network's output has {channels} channel{'s' * (channels != 1)}, but there are "
                f"{len(prior.classes)} classes: {', '.join(prior.classes)}"
            )
        if self.loaded.activation == "sigmoid":
            raise ValueError(
                "priors of classes need a softmax over the channels, but this network gives a sigmoid of each: "
                "--activation softmax, if it was trained so"
            )

    def _output_channels(self, image: torch.Tensor) -> int:
        try:
            with torch.no_grad():
                output = self.loaded.network(image)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"the network fails on an image of shape {tuple(image.shape)}: {reason}") from error
        if (
            not isinstance(output, torch.Tensor)
            or output.shape[:1] + output.shape[2:] != image.shape[:1] + image.shape[2:]
        ):
            shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise ValueError(
                f"the network must keep the size of an image of shape {tuple(image.shape)}, got an output of {shape}"
            )
        return output.shape[1]

    def _checked_channel(self, channels: int) -> int:
        if self.channel is None and channels > 1:
            raise ValueError(
                f"the network's output has {channels} channels: say with --channel which one has the prior"
            )
        if self.channel is not None and not 0 <= self.channel < channels:
            raise ValueError(f"--channel must be from 0 to {channels - 1} for this network, got {self.channel}")
        return self.channel or 0


def _one_channel(result: RefinementResult, channel: int, threshold: float) -> RefinementResult:
    """What a result says of one of its channels."""
    names = ("output", "mask", "reference", "betti_before", "betti_after")
    alone = replace(result, **{name: getattr(result, name)[:, channel : channel + 1] for name in names})
    return replace(alone, pixels_changed=int((alone.mask != (alone.reference >= threshold)).sum()))
