"""A trained network on the images of files: labels and probabilities on the files' own grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from topoprior.imaging.datasets.classes import class_values
from topoprior.imaging.image import Image
from topoprior.imaging.networks import LoadedNetwork
from topoprior.imaging.recipe import Recipe
from topoprior.priors.betti_prior import BettiPrior

if TYPE_CHECKING:
    from topoprior.baselines.post_processing import PostProcessing

_BATCH = 8  # slices that pass through the network together


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a network makes of an image, on the grid of its file.

    Attributes:
        labels: The values that the classes have in labels, uint8, shape of the image.
        probabilities: Of each class, float32 in [0, 1], shape ``(classes, *image)``; 0 where the image was cropped.
    """

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A network with all that is needed to use it on files.

    Attributes:
        loaded: The network, on its device.
        recipe: How images are prepared, and what the outputs mean.
        post_processing: What probabilities go through on the network's grid, with one class only; None: a pixel belongs
            to the one class where its probability is at least 0.5, with several to the most probable.
        device: Where the network is.

    Raises:
        ValueError: If there are several classes and a post-processing.
    """

    loaded: LoadedNetwork
    recipe: Recipe
    post_processing: "PostProcessing | None" = None
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # devices cannot change

    def __post_init__(self) -> None:
        if self.post_processing is not None and len(self.recipe.classes) > 1:
            raise ValueError(
                f"post-processing {self.post_processing.name} acts on one class, got {len(self.recipe.classes)} classes"
            )

    def __call__(
        self, channels: Sequence[Image], *, priors: Sequence[BettiPrior] | BettiPrior | None = None
    ) -> Segmentation:
        """Segment an image.

        Args:
            channels: Of one shape, as many as the recipe says.
            priors: For the post-processing that wants one: of every slice, or one for each.

        Raises:
            ValueError: If the number of channels is wrong, the image cannot be prepared, the network fails on it, or
                the post-processing needs a prior and there is none.
        """
        image = channels[0]
        if len(channels) != self.recipe.channels:
            raise ValueError(f"{image.path}: the network wants {self.recipe.channels} channels, got {len(channels)}")
        preparation = self.recipe.preparation
        prepared = torch.from_numpy(np.stack([preparation.prepare(one) for one in channels], axis=1))
        outputs = self._outputs(prepared, image)
        restored = preparation.restore(outputs.numpy(), image)
        if len(self.recipe.classes) > 1:
            return Segmentation(class_values(restored.argmax(0), self.recipe.classes), restored[1:])
        if self.post_processing is None:
            mask = restored[0] >= 0.5
        else:
            processed = self.post_processing(outputs, image=prepared, prior=priors)
            mask = preparation.restore(processed.float().numpy(), image)[0] >= 0.5
        return Segmentation(class_values(mask.astype(np.uint8), self.recipe.classes), restored)

    @torch.no_grad()
    def _outputs(self, prepared: Tensor, image: Image) -> Tensor:
        """Probabilities of all channels of the network, background included, on its own grid."""
        classes = len(self.recipe.classes)
        channels = 1 if classes == 1 else classes + 1
        try:
            parts = [self._activated(part.to(self.device)).cpu() for part in torch.split(prepared, _BATCH)]
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            shape = tuple(prepared.shape[1:])
            raise ValueError(f"{image.path}: the network fails on an image of shape {shape}: {reason}") from error
        outputs = torch.cat(parts)
        wanted = (len(prepared), channels, *prepared.shape[2:])
        if outputs.shape != wanted:
            raise ValueError(
                f"{image.path}: the network must give outputs of shape {wanted}, got {tuple(outputs.shape)}"
            )
        return outputs

    def _activated(self, images: Tensor) -> Tensor:
        values: Tensor = self.loaded.network(self.loaded.normalise(images)).float()
        if self.loaded.activation == "sigmoid":
            return torch.sigmoid(values)
        return torch.softmax(values, 1) if self.loaded.activation == "softmax" else values
