"""The 3-D U-net of the experiment on volumes.

It works at half the resolution and takes its logits back to the full one by linear interpolation. That is an eighth of
the work, and its masks are smooth. Transposed convolutions instead, trained as shortly, leave a pattern of single
voxels: on ultrasound phantoms masks of some 2000 components, of which no prior can make a placenta.
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


class HalfUNet(nn.Module):
    """Logits of the size of a volume, from a U-net at half its resolution; its last level must have two voxels or more.

    Args:
        in_channels: Of the volume.
        out_channels: Of the logits.
        features: Of each level, from half the resolution on; each further level halves it again.

    Examples:
        >>> network = HalfUNet(1, 1, features=(4, 8))
        >>> network(torch.zeros(1, 1, 12, 14, 9)).shape
        torch.Size([1, 1, 12, 14, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, *, features: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(before, after) for before, after in pairwise((in_channels, *features)))
        self.up = nn.ModuleList(_block(before + after, after) for after, before in pairwise(features))
        self.last = nn.Conv3d(features[0], out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Shape ``(batch, in_channels, *spatial)`` to ``(batch, out_channels, *spatial)``."""
        values, seen = image, []
        for block in self.down:
            values = block(F.avg_pool3d(values, 2, ceil_mode=True))
            seen.append(values)
        for block, earlier in zip(reversed(self.up), reversed(seen[:-1]), strict=True):
            values = block(torch.cat([_resized(values, earlier), earlier], 1))
        return _resized(self.last(values), image)


def unet(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """For a trained network worth refining."""
    return _checked(spatial_dims, HalfUNet(in_channels, out_channels, features=(16, 32, 64, 128)))


def small_unet(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """For a quick look."""
    return _checked(spatial_dims, HalfUNet(in_channels, out_channels, features=(8, 16, 32, 64)))


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
