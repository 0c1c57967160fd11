"""Two numbers for how good an image looks: signal to noise, and how steep its edges are."""

from __future__ import annotations

import torch
from torch import Tensor


def signal_to_noise(images: Tensor, regions: Tensor) -> Tensor:
    """Signal to noise of each image in decibels: ``20 log10(mean / standard deviation)`` inside its region.

    The region should show one tissue; what varies there is taken for noise. It is infinite if nothing varies.

    Args:
        images: Shape ``(batch, channel, *spatial)``.
        regions: Of the same shape, not 0 inside; each image has a region of at least one pixel.

    Returns:
        Shape ``(batch,)``, float64.

    Raises:
        ValueError: If the shapes differ or a region is empty.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.2, compares images by their signal to noise, without saying
        how it is measured.

    Examples:
        A mean of 10 and a standard deviation of 1:

        >>> signal_to_noise(torch.tensor([[[9.0, 11.0, 50.0]]]), torch.tensor([[[1, 1, 0]]]))
        tensor([20.], dtype=torch.float64)
    """
    if images.shape != regions.shape:
        raise ValueError(
            f"regions must have the shape of the images, {tuple(images.shape)}, got {tuple(regions.shape)}"
        )
    inside = [image[region != 0].double() for image, region in zip(images, regions, strict=True)]
    if not all(len(pixels) for pixels in inside):
        raise ValueError("each region must hold at least one pixel, got an empty one")
    return torch.stack([20 * torch.log10(pixels.mean() / pixels.std(correction=0)) for pixels in inside])


def gradient_magnitude(images: Tensor) -> Tensor:
    """The mean length of the gradient of each image, in values per pixel.

    By central differences, one-sided ones at the edges; the mean is over all channels and pixels.

    Args:
        images: Shape ``(batch, channel, *spatial)``, sides of at least 2.

    Returns:
        Shape ``(batch,)``, float64.

    Raises:
        ValueError: If a side is shorter than 2.

    Examples:
        >>> gradient_magnitude(torch.tensor([[[[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]]]))
        tensor([0.5000], dtype=torch.float64)
    """
    if images.ndim < 3 or min(images.shape[2:]) < 2:
        raise ValueError(f"images must have sides of at least 2, got shape {tuple(images.shape)}")
    slopes = torch.gradient(images.double(), dim=list(range(2, images.ndim)))
    return torch.stack(slopes).square().sum(0).sqrt().flatten(1).mean(1)
