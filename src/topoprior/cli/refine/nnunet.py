"""Predictions and models of nnU-Net, refined as their own program reads them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.cli.refine.nnunet_files import PREFIX
from topoprior.imaging.io import read_image

if TYPE_CHECKING:
    import torch

    from topoprior.imaging.image import Array, Image
    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.integrations.nnunet.model import Model
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult


@dataclass(frozen=True)
class PredictionRefiner:
    """Refines probabilities that nnU-Net has written.

    Attributes:
        labels: What the channels are.
        options: For `topoprior.refine_map`.
        device: Where to compute.
    """

    labels: Labels
    options: dict[str, Any]
    device: torch.device

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        return self.labels.classes

    @property
    def digest(self) -> None:
        """There is no network."""
        return

    @property
    def resamples(self) -> bool:
        """The mask has the pixels of the probabilities."""
        return False

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """The probabilities, the axes in the order of the mask."""
        from topoprior.integrations.nnunet.predictions import read_prediction

        found = read_prediction(path)
        if found.labels != self.labels:
            raise ValueError(f"{path} has other labels than the files before: refine it by itself")
        return found.image, np.stack([found.image.cut(each, slices) for each in found.probability], axis=1)

    def parts(self, image: Image, slices: int | None) -> Array:  # noqa: ARG002
        """Not of an image alone."""
        raise ValueError(f"{image.path}: probabilities of nnU-Net are read from their files")

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """As they are."""
        return image.join(values, slices)

    def values(self, channels: Array) -> Array:
        """The values of nnU-Net's masks."""
        return self.labels.label_map(channels)

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:  # noqa: ARG002
        """Refine one map."""
        import torch

        from topoprior.integrations.nnunet.predictions import refined

        probability = torch.tensor(np.ascontiguousarray(values), device=self.device)[None]
        return refined(probability, _of_classes(prior), self.labels, guarantee=False, **self.options)

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """With its output edited, if that is needed."""
        from topoprior.integrations.nnunet.predictions import completed_prediction

        return completed_prediction(result, _of_classes(prior), self.labels, conventions)


@dataclass(frozen=True)
class ModelRefiner:
    """Refines a trained model of nnU-Net on images, each time from its own weights.

    Attributes:
        model: On its device.
        options: For `topoprior.refine`.
    """

    model: Model
    options: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        return self.model.labels.classes

    @property
    def digest(self) -> str:
        """Of the weights."""
        digest = hashlib.sha256()
        for path in self.model.checkpoints:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def resamples(self) -> bool:
        """What nnU-Net gives has the pixels of the image already."""
        return False

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """The first channel, for its geometry and for pictures."""
        if slices is not None:
            raise ValueError("a model of nnU-Net is refined on whole images: leave out --slices, or refine its .npz")
        image = read_image(path)
        return image, image.cut(image.intensity(), None)

    def parts(self, image: Image, slices: int | None) -> Array:  # noqa: ARG002
        """Not of an image in memory."""
        raise ValueError(f"{image.path}: a model of nnU-Net reads its images itself, so they cannot be changed before")

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """As they are."""
        return image.join(values, slices)

    def values(self, channels: Array) -> Array:
        """The values of nnU-Net's masks."""
        return self.model.labels.label_map(channels)

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:  # noqa: ARG002
        """Refine the model on the channels of one image, which nnU-Net reads itself."""
        return self.model.refine(image.path, _of_classes(prior), **self.options).result

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """With its output edited, if that is needed."""
        from topoprior.integrations.nnunet.predictions import completed_prediction

        return completed_prediction(result, _of_classes(prior), self.model.labels, conventions)


def model_refiner(network: str, options: dict[str, Any], device: torch.device) -> ModelRefiner:
    """The refiner of ``nnunet:FOLDER``, or of one fold of it, ``nnunet:FOLDER/fold_0``.

    Raises:
        OSError, ImportError: As `Model.read`.
    """
    from topoprior.integrations.nnunet.model import Model

    folder = Path(network.removeprefix(PREFIX))
    one = folder.name.startswith("fold_")
    folds = [folder.name.removeprefix("fold_")] if one else None
    return ModelRefiner(Model.read(folder.parent if one else folder, folds=folds, device=device), options)


def _of_classes(prior: BettiPrior | ClassPriors) -> ClassPriors:
    from topoprior.priors.class_priors import ClassPriors

    if not isinstance(prior, ClassPriors):
        raise TypeError(f"channels of nnU-Net have priors of classes, got {prior!r}")
    return prior
