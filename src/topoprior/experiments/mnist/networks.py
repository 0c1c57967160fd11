"""The two networks of the MNIST experiment: a simple U-net that removes noise, and a classifier that reads digits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

DENOISER = f"{__name__}:denoiser"
CLASSIFIER = f"{__name__}:classifier"
_SLOPE = 0.01  # below 0: with none, some trainings ended with all units dead
_DARK = -2.0  # log-odds that the untrained network starts from: most of an image is background
_BATCH = 500  # images at once where nothing is trained


class Denoiser(nn.Module):
    """A U-net: two convolutions a level, strides down, nearest neighbours up, no normalisation. Gives logits."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.first = _convolution(1, channels[0])
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(above, below, stride=2), nn.LeakyReLU(_SLOPE), _convolution(below, below))
            for above, below in pairwise(channels)
        )
        self.up = nn.ModuleList(_convolution(above + below, above) for above, below in pairwise(channels))
        self.last = _convolution(channels[0], 1)
        nn.init.constant_(cast("Tensor", self.last.bias), _DARK)

    def forward(self, image: Tensor) -> Tensor:
        """Logits, shape as ``image``, ``(batch, 1, height, width)``; each level but the last halves even sides."""
        levels = [F.leaky_relu(self.first(image), _SLOPE)]
        for down in self.down:
            levels.append(F.leaky_relu(down(levels[-1]), _SLOPE))
        features = levels.pop()
        for up in reversed(self.up):
            larger = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = F.leaky_relu(up(torch.cat([larger, levels.pop()], 1)), _SLOPE)
        return cast("Tensor", self.last(features))


class Classifier(nn.Module):
    """Four convolutions and two linear layers.

    Batch normalisation would read clean digits better, and corrupted ones as noise.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, features),
            *_block(features, features),
            nn.MaxPool2d(2),
            *_block(features, 2 * features),
            *_block(2 * features, 2 * features),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(2 * features * 7 * 7, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the ten digits for images ``(batch, 1, 28, 28)``, shape ``(batch, 10)``."""
        return cast("Tensor", self.body(image))


def denoiser(channels: Sequence[int]) -> nn.Module:
    """A fresh denoiser."""
    return Denoiser(channels)


def classifier(features: int) -> nn.Module:
    """A fresh classifier."""
    return Classifier(features)


def denoised(network: nn.Module, images: Tensor) -> Tensor:
    """Probabilities, shape as ``images``, ``(batch, 1, height, width)``."""
    with torch.no_grad():
        return torch.cat([network(part).sigmoid() for part in torch.split(images, _BATCH)])


def digit_probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """Probability of each of the ten digits, shape ``(batch, 10)``."""
    with torch.no_grad():
        return torch.cat([network(part).softmax(1) for part in torch.split(images, _BATCH)])


def _convolution(before: int, after: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride, padding=1)


def _block(before: int, after: int) -> tuple[nn.Module, ...]:
    return _convolution(before, after), nn.ReLU()
