"""MONAI's U-net, made to accept images of any size."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Architecture:
    """What :func:`topoprior.networks.unet` needs to build the same network again; see there."""

    spatial_dims: int = 2
    in_channels: int = 1
    out_channels: int = 1
    channels: tuple[int, ...] = (16, 32, 64, 128)
    residual_units: int = 0

    def __post_init__(self) -> None:
        if self.spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {self.spatial_dims}")
        if min(self.in_channels, self.out_channels) < 1:
            raise ValueError(f"channels in and out must be at least 1, got {self.in_channels} and {self.out_channels}")
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise ValueError(f"channels must be two or more positive numbers, one per level, got {self.channels}")
        if self.residual_units < 0:
            raise ValueError(f"residual_units must be at least 0, got {self.residual_units}")


class UNet(nn.Module):
    """MONAI's U-net for images of any size: sides are padded to what its strides need, and the output is cropped back.

    The padding repeats the edge and is split between both sides. Build it with :func:`topoprior.networks.unet`.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.multiple = 2 ** (len(architecture.channels) - 1)
        self.body = _monai_unet(architecture)

    def forward(self, image: Tensor) -> Tensor:
        """Logits for an image, shape ``(batch, in_channels, *spatial)`` to ``(batch, out_channels, *spatial)``."""
        spatial = image.shape[2:]
        if image.ndim != 2 + self.architecture.spatial_dims or image.shape[1] != self.architecture.in_channels:
            wanted = f"(batch, {self.architecture.in_channels}, {self.architecture.spatial_dims} spatial sides)"
            raise ValueError(f"image must have shape {wanted}, got {tuple(image.shape)}")
        # At least two pixels per side are left at the lowest level: instance normalisation cannot train on one.
        missing = [max(2 * self.multiple, math.ceil(n / self.multiple) * self.multiple) - n for n in spatial]
        widths = [width for n in reversed(missing) for width in (n // 2, n - n // 2)]
        logits = self.body(F.pad(image, widths, mode="replicate") if any(missing) else image)
        window = tuple(slice(extra // 2, extra // 2 + n) for extra, n in zip(missing, spatial, strict=True))
        return cast("Tensor", logits[(..., *window)])


def _monai_unet(architecture: Architecture) -> nn.Module:
    try:
        from monai.networks.nets import UNet as MonaiUNet
    except ImportError as error:
        raise ImportError("the U-net needs MONAI: pip install 'topoprior[monai]'") from error
    network: nn.Module = MonaiUNet(
        spatial_dims=architecture.spatial_dims,
        in_channels=architecture.in_channels,
        out_channels=architecture.out_channels,
        channels=architecture.channels,
        strides=[2 for _ in pairwise(architecture.channels)],
        num_res_units=architecture.residual_units,
    )
    return network
