"""One slice and its prior in, a refinement out: of the slice's probabilities, or of a network on the slice."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch

import topoprior
from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Device
from topoprior.cli.arguments.stated_priors import BACKGROUND
from topoprior.cli.refine.nnunet import ModelRefiner, PredictionRefiner, is_model, model_refiner
from topoprior.imaging.class_map import read_class_map
from topoprior.imaging.datasets.classes import Classes, class_values
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.imaging.networks import Activation, LoadedNetwork, Normalisation, load, weights_digest
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe
from topoprior.integrations.nnunet.labels import Labels
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.guarantee import completed
from topoprior.refinement.result import RefinementResult


class Refiner(Protocol):
    """How files are read, and how their slices are refined."""

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """A file and its slices as they are refined: ``(slices, *spatial)`` or ``(slices, channel, *spatial)``.

        Raises:
            OSError: If there is no such file.
            ValueError: If it cannot be read, or is of the wrong kind.
        """

    def parts(self, image: Image, slices: int | None) -> Array:
        """The slices of an image of one channel; ValueError if it is of the wrong kind."""

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """The inverse for a mask or probabilities: on the grid of the file."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of all channels, background first; None if nobody said."""

    def values(self, channels: Array) -> Array:
        """What a label map has for the channel of each pixel."""

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:
        """Refine one slice of an image; with one prior the result has one channel, the one that has the prior."""

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """The same if it succeeded, otherwise with its output edited."""


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


def refiner(
    network: str | None,
    *,
    activation: Literal["none"] | Activation | None,
    normalise: Normalisation | None,
    channel: int | None,
    options: dict[str, Any],
    device: Device = "cpu",
    classes: int | None = None,
    channel_axis: int | None = None,
    dataset: Path | None = None,
) -> Refiner:
    """The refiner that the arguments of the command ask for.

    Args:
        network: Checkpoint or ``module:factory``; None for probability maps.
        activation: ``"none"``, ``"sigmoid"`` or ``"softmax"``; None for what the network says, and none for a map.
        normalise: Of the network's images; None for what the network says.
        channel: Of the network's output.
        options: For `topoprior.refine` or `topoprior.refine_map`.
        device: Where to compute.
        classes: How many channels maps have, if they have an axis for them.
        channel_axis: Which it is.
        dataset: The dataset.json of nnU-Net, if the files are its predictions.

    Raises:
        OSError, TypeError: As :func:`topoprior.networks.load`.
        ValueError: As there; or if an argument needs a network or a GPU and there is none.
    """
    stated: Activation | None = None if activation == "none" else activation
    if dataset is not None or is_model(network):
        named = (("--normalise", normalise), ("--channel", channel), ("--activation", activation))
        for name, value in (*named, ("--channel-axis", channel_axis)):
            if value is not None:
                raise ValueError(f"{name} is not for files and models of nnU-Net, which say so themselves")
    if dataset is not None:
        return PredictionRefiner(Labels.read(dataset), options, chosen_device(device))
    if network is not None and is_model(network):
        return model_refiner(network, options, chosen_device(device))
    if network is None:
        for name, value in (("--normalise", normalise), ("--channel", channel)):
            if value is not None:
                raise ValueError(f"{name} needs --network: without it the files are probability maps")
        if activation == "softmax" and classes is None:
            raise ValueError(
                "--activation softmax needs the channels of a --network, or of a map with priors of classes; "
                "one channel takes none or sigmoid"
            )
        if activation == "sigmoid" and classes is not None:
            raise ValueError("priors of classes need a softmax over the channels: --activation softmax or none")
        return MapRefiner(stated, options, chosen_device(device), classes, channel_axis)
    loaded, place = load(network), chosen_device(device)
    loaded = replace(loaded, network=loaded.network.to(place))
    if activation is not None:
        loaded = replace(loaded, activation=stated)
    recipe = Recipe.from_metadata(loaded.metadata)
    if recipe is not None and recipe.channels > 1:
        raise ValueError(f"{network} takes {recipe.channels} channels, but only images of one channel can be refined")
    preparation = None if recipe is None else recipe.preparation
    if normalise is not None and preparation is not None:
        preparation = replace(preparation, normalisation=normalise)
    elif normalise is not None:
        loaded = replace(loaded, normalisation=normalise)
    return NetworkRefiner(loaded, channel, options, place, preparation, None if recipe is None else recipe.classes)


def digest_of(refine: Refiner) -> str | None:
    """Of the network's weights, so that a run is not gone on with after another training; None if there is none."""
    if isinstance(refine, ModelRefiner):
        return refine.digest
    return weights_digest(refine.loaded.network) if isinstance(refine, NetworkRefiner) else None


def as_written(
    result: RefinementResult, part: Array, prior: BettiPrior | ClassPriors, options: dict[str, Any]
) -> RefinementResult:
    """A result judged by what goes into the file, as resampling can change its topology.

    Args:
        result: Of a slice.
        part: Its mask, or the channel of each pixel, in the file, shape ``(*spatial)``.
        prior: What was wanted.
        options: With the conventions.
    """
    words: Any = {name: options[name] for name in ("construction", "boundary")}
    if isinstance(prior, ClassPriors):
        found = topoprior.class_topology(part[None].astype(np.int64), prior, **words)
        return replace(result, betti_after=found.betti, succeeded=bool(found.success))
    betti = topoprior.betti_numbers(part[None, None], **words)
    return replace(result, betti_after=betti, succeeded=bool(prior.is_satisfied_by(betti[0, 0])))


def _one_channel(result: RefinementResult, channel: int, threshold: float) -> RefinementResult:
    """What a result says of one of its channels."""
    names = ("output", "mask", "reference", "betti_before", "betti_after")
    alone = replace(result, **{name: getattr(result, name)[:, channel : channel + 1] for name in names})
    return replace(alone, pixels_changed=int((alone.mask != (alone.reference >= threshold)).sum()))
