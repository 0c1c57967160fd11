"""A small segmentation task whose answer is always a ring, for trials of a minute."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Image, Mask, angle_from, blur, check_size, polar, smooth_noise


def ring_segmentation(count: int, *, size: int = 64, seed: int = 0) -> tuple[Image, Mask]:
    """A segmentation task whose answer is always one ring: one component, one loop.

    Each phantom resembles a short-axis slice of a heart: a bright pool inside a darker wall, a bright crescent beside
    it, dark and grey surroundings. The wall is the label. It fades in one or two places, and small bodies of its own
    brightness lie inside and outside it; all under noise. So a small network learns the task well, and still leaves
    gaps in the ring and islands beside it.

    Args:
        count: Number of images, at least 1.
        size: Height and width in pixels, at least 40.
        seed: Of every random choice. Image ``i`` depends on ``seed``, ``size`` and ``i`` only, not on ``count``.

    Returns:
        The images, values in [0, 1], float32, and the masks of the wall, bool; both of shape
        ``(count, 1, size, size)``. Every mask has Betti numbers (1, 1).

    Raises:
        ValueError: If ``count`` is less than 1 or ``size`` less than 40.

    Examples:
        >>> images, masks = ring_segmentation(2, seed=1)
        >>> images.shape, masks.dtype
        ((2, 1, 64, 64), dtype('bool'))
    """
    check_size(size)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    streams = np.random.SeedSequence(seed).spawn(count)
    pairs = [_ring_phantom(np.random.default_rng(stream), size) for stream in streams]
    images, masks = zip(*pairs, strict=True)
    return np.stack(images)[:, None], np.stack(masks)[:, None]


def _ring_phantom(random: np.random.Generator, size: int) -> tuple[Image, Mask]:
    row, column = random.uniform(0.44, 0.56, 2)
    radius, angle = polar(size, row, column)
    outer, thickness = _outline(random, angle, size)
    pool = radius < outer - thickness
    wall = (radius < outer) & ~pool

    image = _surroundings(random, radius, angle, outer)
    dark, bright = random.uniform(0.26, 0.34), random.uniform(0.66, 0.78)
    image[pool] = bright
    image[wall] = dark
    for level, width in _faint_places(random, bright, image[~(wall | pool)].mean()):
        fade = np.exp(-0.5 * (angle_from(angle, random.uniform(-np.pi, np.pi)) / width) ** 2)
        image[wall] = (dark + 0.95 * fade * (level - dark))[wall]
    for distance in (random.uniform(0.2, 0.7), random.uniform(1.3, 1.6), random.uniform(1.3, 1.6)):
        direction = random.uniform(-np.pi, np.pi)
        reach = distance * 0.29
        body, _ = polar(size, row + reach * np.sin(direction), column + reach * np.cos(direction))
        image[(body < random.uniform(0.025, 0.05)) & ~wall] = dark
    image = blur(image, 0.012 * size) + 0.05 * smooth_noise(random, size, 0.25)
    image += random.normal(0.0, 0.09, image.shape)
    return np.clip(image, 0.0, 1.0).astype(np.float32), wall


def _outline(random: np.random.Generator, angle: NDArray[np.float64], size: int) -> tuple[NDArray[np.float64], ...]:
    """Outer radius and wall thickness for each direction; the wall is nowhere thinner than 2.5 pixels."""
    outer = random.uniform(0.23, 0.31) * np.ones_like(angle)
    for wave in (2, 3):
        outer += random.uniform(0.0, 0.018) * np.cos(wave * angle + random.uniform(-np.pi, np.pi))
    thickness = random.uniform(0.065, 0.085) + 0.018 * np.cos(angle + random.uniform(-np.pi, np.pi))
    return outer, np.maximum(thickness, 2.5 / size)


def _surroundings(
    random: np.random.Generator, radius: NDArray[np.float64], angle: NDArray[np.float64], outer: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Grey tissue, a dark sector (lung) and a bright crescent on the opposite side (the other chamber)."""
    size = angle.shape[0]
    image = 0.42 + 0.10 * smooth_noise(random, size, 0.08)
    side = random.uniform(-np.pi, np.pi)
    image[angle_from(angle, side) < random.uniform(0.6, 1.1)] *= 0.35
    crescent = (angle_from(angle, side + np.pi) < random.uniform(0.6, 1.0)) & (
        radius < outer + random.uniform(0.07, 0.14)
    )
    image[crescent] = random.uniform(0.62, 0.74)
    return image


def _faint_places(random: np.random.Generator, pool: float, around: float) -> Iterator[tuple[float, float]]:
    """Brightness and angular width of the one or two places where the wall fades into what lies beside it."""
    for _ in range(random.integers(1, 3)):
        yield (pool if random.random() < 0.5 else around), random.uniform(0.10, 0.25)
