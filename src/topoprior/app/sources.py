"""Where the page's probability maps come from: examples, a user's file, and what blur and noise make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from topoprior.imaging import phantoms
from topoprior.imaging.io import read_image
from topoprior.imaging.phantoms.drawing import angle_from, blur, polar, smooth_noise
from topoprior.viewing.orientation import View

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Map = NDArray[np.float32]

LARGEST_SIDE = 128  # pixels: with pure noise one update then takes about a tenth of a second
_SIZE = 80


@dataclass(frozen=True, eq=False)
class Loaded:
    """A map from a file, small enough for the page.

    Attributes:
        values: Shape ``(height, width)``, float32, in [0, 1].
        slices: How many slices the file has along the chosen axis; 1 for an image with two axes.
        index: Which of them it is.
        axes: How many axes it has, 2 or 3.
        note: What was done to it, in a sentence.
    """

    values: Map
    slices: int
    index: int
    axes: int
    note: str


def noisy_ring() -> Map:
    """A ring under so much noise that its mask is in pieces and full of holes."""
    return phantoms.noisy_ring(size=_SIZE, seed=1, noise=0.13)


def blobs_and_loop() -> Map:
    """Three blobs and a loop: Betti numbers (4, 1) at 0.5."""
    return phantoms.blobs_and_loop(size=_SIZE)


def broken_ring() -> Map:
    """A ring with a gap, of which the map keeps a faint trace: Betti numbers (1, 0) at 0.5."""
    radius, angle = polar(_SIZE, 0.5, 0.5)
    wall = np.clip(1.5 - np.abs(radius - 0.29) / 0.08, 0.0, 1.0)
    gap = np.clip(1.5 - angle_from(angle, 0.4) / 0.22, 0.0, 1.0)
    return (0.05 + wall * (0.9 - 0.62 * gap)).astype(np.float32)


def short_axis() -> Map:
    """The myocardium of a short-axis phantom as an unsure network might see it; no network was asked.

    The label is blurred, faint in one direction, and overlaid with smooth noise: Betti numbers (1, 0) at 0.5.
    """
    wall = (phantoms.short_axis(1, size=_SIZE, seed=4).labels[0] == 2).astype(np.float64)
    row, column = (np.argwhere(wall).mean(axis=0) + 0.5) / _SIZE
    _, direction = polar(_SIZE, row, column)
    faint = 1.0 - 0.52 * np.clip(1.4 - angle_from(direction, 2.2) / 0.4, 0.0, 1.0)
    grain = smooth_noise(np.random.default_rng(3), _SIZE, 0.03)
    return np.clip(0.08 + 0.86 * blur(wall, 1.0) * faint + 0.1 * grain, 0.0, 1.0).astype(np.float32)


def blank() -> Map:
    """Nothing yet: black, to draw on."""
    return np.zeros((64, 64), np.float32)


EXAMPLES = {
    "Noisy ring": noisy_ring,
    "Broken ring": broken_ring,
    "Three blobs and a loop": blobs_and_loop,
    "Short-axis heart, an unsure network": short_axis,
    "Blank, to draw on": blank,
}


def load(path: Path, *, axis: int = 2, index: int | None = None, logits: bool = False) -> Loaded:
    """A user's map, or one slice of it, at most `LARGEST_SIDE` pixels wide and high.

    Args:
        path: .png, .npy, .nii or .nii.gz; as for the command line, a probability map of two or three axes.
        axis: Of three axes, the one along which the slices lie.
        index: Which slice; the middle one by default, and if there is no such slice.
        logits: The values are logits, and go through the sigmoid.

    Raises:
        ValueError: If the file is no such map. The message names the file without its folder.
        ImportError: If nibabel or Pillow is missing.
    """
    try:
        image = read_image(path)
        values = image.probability(activation="sigmoid" if logits else None)
        if values.ndim == 1:
            raise ValueError(f"{path}: the page shows images with two or three axes, got shape {values.shape}")
    except (ValueError, OSError) as error:
        raise ValueError(str(error).replace(str(path), path.name)) from error
    shown = (0, 1)
    axes, slices, chosen, note = values.ndim, 1, 0, f"{path.name}, {_shape(values)}"
    if axes == 3:
        if axis not in range(3):
            raise ValueError(f"the axis of the slices must be 0, 1 or 2, got {axis}")
        slices = values.shape[axis]
        chosen = slices // 2 if index is None or not 0 <= index < slices else index
        values, note = np.take(values, chosen, axis), f"{note}, slice {chosen}"
        shown = tuple(other for other in range(3) if other != axis)  # type: ignore[assignment]
    seen = View.of(image.affine, shown)(values)
    small, factor = fitted(seen.astype(np.float32))
    if factor > 1:
        note += f"; too large for this page: {factor} x {factor} pixels are averaged to one, {_shape(small)} are left"
    return Loaded(small, slices, chosen, axes, note)


def fitted(values: Map, *, largest: int = LARGEST_SIDE) -> tuple[Map, int]:
    """A map of at most so many pixels per side, and how many pixels of each side became one.

    Blocks of pixels are averaged; those at the end of a side may be smaller.

    Examples:
        >>> small, factor = fitted(np.array([[0, 1, 1], [1, 0, 1]], np.float32), largest=2)
        >>> small.tolist(), factor
        ([[0.5, 1.0]], 2)
    """
    factor = -(-max(values.shape) // largest)
    if factor <= 1:
        return values, 1
    exact = torch.from_numpy(values.astype(np.float64, order="C"))[None]  # a copy: a view may be turned round
    return F.avg_pool2d(exact, factor, ceil_mode=True)[0].clamp(0, 1).float().numpy(), factor


def degraded(values: Map, *, blur_by: float = 0.0, noise: float = 0.0, seed: int = 0) -> Map:
    """A map after Gaussian blur and, then, Gaussian noise, cut to [0, 1].

    Args:
        values: Shape ``(height, width)``.
        blur_by: Standard deviation in pixels; 0 for none.
        noise: Standard deviation of the noise; 0 for none.
        seed: Of the noise: the same seed gives the same noise.

    Raises:
        ValueError: If one of the two is negative.
    """
    if blur_by < 0 or noise < 0:
        raise ValueError(f"blur and noise must be at least 0, got {blur_by} and {noise}")
    seen: NDArray[Any] = values.astype(np.float64)
    if blur_by > 0:
        rim = int(np.ceil(4 * blur_by))  # else what leaves the picture on one side would come in on the other
        padded = np.pad(seen, rim, mode="edge")
        padded = np.pad(padded, ((0, padded.shape[0] % 2), (0, padded.shape[1] % 2)), mode="edge")
        seen = blur(padded, blur_by)[rim : rim + values.shape[0], rim : rim + values.shape[1]]
    if noise > 0:
        seen = seen + np.random.default_rng(seed).normal(0.0, noise, seen.shape)
    changed = blur_by > 0 or noise > 0
    return np.clip(seen, 0.0, 1.0).astype(np.float32) if changed else values


def _shape(values: NDArray[Any]) -> str:
    return " x ".join(map(str, values.shape))
