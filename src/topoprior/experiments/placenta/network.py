"""The 3-D U-nets of the experiment on volumes.

They go back up by linear interpolation. Transposed convolutions, trained as shortly, leave a pattern of single voxels:
on ultrasound phantoms masks of some 2000 components, of which no prior can make a placenta.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class UNet(nn.Module):
    """Logits of the size of a volume.

    Args:
        in_channels: Of the volume.
        out_channels: Of the logits.
        features: Of each level, from the full resolution on. Each further level halves it; the last must have two
            voxels or more.

    Examples:
        >>> UNet(1, 1, features=(4, 8))(torch.zeros(1, 1, 12, 14, 9)).shape
        torch.Size([1, 1, 12, 14, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, *, features: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(before, after) for before, after in pairwise((in_channels, *features)))
        self.up = nn.ModuleList(_block(before + after, after) for after, before in pairwise(features))
        self.last = nn.Conv3d(features[0], out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Shape ``(batch, in_channels, *spatial)`` to ``(batch, out_channels, *spatial)``."""
        first, *deeper = self.down
        values = first(image)
        seen = [values]
        for block in deeper:
            values = block(F.avg_pool3d(values, 2, ceil_mode=True))
            seen.append(values)
        for block, earlier in zip(reversed(self.up), reversed(seen[:-1]), strict=True):
            values = block(torch.cat([_resized(values, earlier), earlier], 1))
        logits: Tensor = self.last(values)
        return logits


class HalfUNet(nn.Module):
    """A U-net that works at half the resolution of the volume: an eighth of the work, and smooth masks.

    Args:
        in_channels: Of the volume.
        out_channels: Of the logits.
        features: As of `UNet`, from half the resolution on.

    Examples:
        >>> HalfUNet(1, 1, features=(4, 8))(torch.zeros(1, 1, 12, 14, 9)).shape
        torch.Size([1, 1, 12, 14, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, *, features: Sequence[int]) -> None:
        super().__init__()
        self.unet = UNet(in_channels, out_channels, features=features)

    def forward(self, image: Tensor) -> Tensor:
        """Shape ``(batch, in_channels, *spatial)`` to ``(batch, out_channels, *spatial)``."""
        return _resized(self.unet(F.avg_pool3d(image, 2, ceil_mode=True)), image)


def unet(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """For volumes of clinical size."""
    return _checked(spatial_dims, HalfUNet(in_channels, out_channels, features=(16, 32, 64, 128)))


def small_unet(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """For volumes of some fifty voxels a side."""
    return _checked(spatial_dims, UNet(in_channels, out_channels, features=(8, 16, 32)))


def _checked(spatial_dims: int, network: nn.Module) -> nn.Module:
    if spatial_dims != 3:
        raise ValueError(f"spatial_dims must be 3, got {spatial_dims}")
    return network


def _block(before: int, after: int) -> nn.Sequential:
    """Two convolutions."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv3d(channels, after, 3, padding=1), nn.InstanceNorm3d(after, affine=True), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


def _resized(values: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(values, like.shape[2:], mode="trilinear", align_corners=False)
