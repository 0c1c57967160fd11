"""Random rotations, scales, shifts and intensities of a batch, drawn for the whole batch of all processes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from topoprior.training.settings import AugmentationSettings


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What happens to each image of a batch.

    Attributes:
        grid: Where each pixel is taken from, for :func:`torch.nn.functional.affine_grid`, shape ``(batch, d, d + 1)``.
        contrast: Factor on each image, shape ``(batch, 1, ...)``.
        brightness: Added to each image, same shape.
        noise: Standard deviation of what is added to each pixel.
    """

    grid: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor

    def image(self, images: Tensor) -> Tensor:
        """The images, moved by linear interpolation; their edge is repeated where they end."""
        grid = F.affine_grid(self.grid.to(images.device), list(images.shape), align_corners=False)
        moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        contrast, brightness, noise = (part.to(images.device) for part in (self.contrast, self.brightness, self.noise))
        return moved * contrast + brightness + noise

    def maps(self, maps: Tensor, *, nearest: bool) -> Tensor:
        """Maps that go with the images, moved alike; 0 where they end.

        Args:
            maps: Floating, shape ``(batch, channel, *spatial)``.
            nearest: Take the nearest pixel, for labels; otherwise interpolate.
        """
        grid = F.affine_grid(self.grid.to(maps.device), list(maps.shape), align_corners=False)
        mode = "nearest" if nearest else "bilinear"
        return F.grid_sample(maps, grid, mode=mode, align_corners=False)


def draw(
    settings: AugmentationSettings,
    shape: tuple[int, ...],
    *,
    spacing: tuple[float, ...],
    generator: torch.Generator,
    share: slice = slice(None),
) -> Augmentation:
    """Draw an augmentation for a batch.

    Args:
        settings: How much of everything.
        shape: Of the batch over all processes, ``(batch, channel, *spatial)``, 2 or 3 spatial axes.
        spacing: Millimetres per pixel along each axis: rotations turn millimetres, not pixels.
        generator: Where the choices come from.
        share: Which images of the batch this process has; the choices for the others are made and left out.

    Examples:
        >>> from topoprior.training import AugmentationSettings
        >>> nothing = AugmentationSettings(rotation=0, scale=0, shift=0, contrast=0, brightness=0, noise=0)
        >>> image = torch.rand(1, 1, 4, 6)
        >>> same = draw(nothing, (1, 1, 4, 6), spacing=(1, 1), generator=torch.Generator()).image(image)
        >>> torch.allclose(same, image, atol=1e-6)
        True
    """
    batch, axes = shape[0], len(shape) - 2

    def uniform(*sizes: int) -> Tensor:
        return 2 * torch.rand(batch, *sizes, generator=generator) - 1

    def normal() -> Tensor:
        return torch.randn(batch, *[1] * (axes + 1), generator=generator)

    turn = _rotation(math.radians(settings.rotation) * uniform(1 if axes == 2 else 3))
    scale = torch.exp(math.log1p(settings.scale) * uniform(1))[..., None]
    mirror = torch.where(uniform(axes) < 0, -1.0, 1.0) if settings.flip else torch.ones(batch, axes)
    shift = 2 * settings.shift * uniform(axes)
    lengths = torch.tensor([side * step for side, step in zip(shape[2:], spacing, strict=True)])
    # affine_grid counts each axis from -1 to 1 and names the last axis first.
    matrix = turn * scale * lengths[None, None, :] / lengths[None, :, None] * mirror[:, None, :]
    grid = torch.cat((matrix.flip(1, 2), shift.flip(1)[..., None]), dim=2)
    contrast, brightness = 1 + settings.contrast * normal(), settings.brightness * normal()
    noise = settings.noise * torch.randn(shape, generator=generator) if settings.noise else torch.zeros(batch)
    noise = noise.view(batch, *(noise.shape[1:] or [1] * (axes + 1)))
    return Augmentation(grid[share], contrast[share], brightness[share], noise[share])


def _rotation(angles: Tensor) -> Tensor:
    """Rotation matrices, ``(batch, 2, 2)`` of one angle or ``(batch, 3, 3)`` of three, one about each axis."""
    planes = [(0, 1)] if angles.shape[1] == 1 else [(1, 2), (0, 2), (0, 1)]
    size = 2 if len(planes) == 1 else 3
    matrix = torch.eye(size).expand(len(angles), size, size)
    for angle, (first, second) in zip(angles.unbind(1), planes, strict=True):
        turn = torch.eye(size).repeat(len(angles), 1, 1)
        turn[:, first, first] = turn[:, second, second] = angle.cos()
        turn[:, first, second], turn[:, second, first] = -angle.sin(), angle.sin()
        matrix = matrix @ turn
    return matrix
