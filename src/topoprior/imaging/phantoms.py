"""Images made by rule, with known topology: they need no download and know nothing of the rest of the package.

Every random choice comes from the seed that is given, so the same call gives the same array on every machine with the
same numpy. The Betti numbers stated below hold in both constructions (T: corners connect; V: faces connect).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SMALLEST_RING_SIDE = 40


def blobs_and_loop(*, size: int = 80) -> Image:
    """Three blobs and one loop, as in Figure 1 (a) of Clough et al. (2022).

    At 0.5 the Betti numbers are (4, 1): the loop is a component of its own. The parts rise to different values, and the
    loop is fainter on one side, so the bars begin at different values and the loop closes later than it appears. The
    paper does not state its geometry; this is ours.

    Args:
        size: Height and width in pixels, at least 40.

    Returns:
        Values in [0, 1], shape ``(size, size)``, float32.

    Raises:
        ValueError: If ``size`` is less than 40.

    Examples:
        >>> image = blobs_and_loop()
        >>> image.shape, float(image.min()), float(image.max())
        ((80, 80), 0.0, 1.0)
    """
    _check_size(size)
    blobs = [(0.22, 0.26, 0.09, 1.00), (0.20, 0.74, 0.08, 0.86), (0.74, 0.17, 0.06, 0.68)]
    parts = [height * _fall(_polar(size, row, column)[0], radius, 0.13) for row, column, radius, height in blobs]
    radius, angle = _polar(size, 0.67, 0.63)
    faint_side = 0.80 + 0.14 * np.cos(angle)
    parts.append(faint_side * _fall(np.abs(radius - 0.19), 0.035, 0.12))
    # The slopes add up where parts meet: taking their maximum instead leaves pits there, each a loop of its own.
    image: NDArray[np.float64] = np.clip(np.sum(parts, axis=0), 0.0, 1.0)
    return image.astype(np.float32)


def noisy_ring(*, size: int = 80, noise: float = 0.09, seed: int = 0) -> Image:
    """A ring under noise, as in Figure 1 (b) of Clough et al. (2022).

    Its barcode has one long bar in dimension 0, one in dimension 1, and many short ones made by the noise.

    Args:
        size: Height and width in pixels, at least 40.
        noise: Standard deviation of the added Gaussian noise; 0 gives the clean ring, with Betti numbers (1, 1) at 0.5.
        seed: Of the noise.

    Returns:
        Values in [0, 1], shape ``(size, size)``, float32.

    Raises:
        ValueError: If ``size`` is less than 40 or ``noise`` is negative.

    Examples:
        >>> bool((noisy_ring(seed=3) == noisy_ring(seed=3)).all())
        True
    """
    _check_size(size)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0, got {noise}")
    radius, _ = _polar(size, 0.5, 0.5)
    ring = 0.12 + 0.76 * _fall(np.abs(radius - 0.28), 0.06, 0.06)
    grain = np.random.default_rng(seed).normal(0.0, noise, (size, size))
    return np.clip(ring + grain, 0.0, 1.0).astype(np.float32)


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
    _check_size(size)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    streams = np.random.SeedSequence(seed).spawn(count)
    pairs = [_ring_phantom(np.random.default_rng(stream), size) for stream in streams]
    images, masks = zip(*pairs, strict=True)
    return np.stack(images)[:, None], np.stack(masks)[:, None]


def shell(*, size: int = 16) -> Mask:
    """A hollow ball, shape ``(size, size, size)``: Betti numbers (1, 0, 1).

    Raises:
        ValueError: If ``size`` is less than 12.

    Examples:
        >>> int(shell()[8, 8].sum()) > 0, bool(shell()[8, 8, 8])
        (True, False)
    """
    _check_side_of_volume(size)
    z, y, x = _centred(size)
    return _between(np.sqrt(z**2 + y**2 + x**2), 0.22, 0.40)


def tube(*, size: int = 16) -> Mask:
    """A pipe open at both ends along the first axis, shape ``(size, size, size)``: Betti numbers (1, 1, 0).

    Raises:
        ValueError: If ``size`` is less than 12.

    Examples:
        >>> bool(tube()[:, 8, 8].any())
        False
    """
    _check_side_of_volume(size)
    z, y, x = _centred(size)
    pipe: Mask = _between(np.sqrt(y**2 + x**2), 0.22, 0.40) & (np.abs(z) < 0.35)
    return pipe


def _ring_phantom(random: np.random.Generator, size: int) -> tuple[Image, Mask]:
    row, column = random.uniform(0.44, 0.56, 2)
    radius, angle = _polar(size, row, column)
    outer, thickness = _outline(random, angle, size)
    pool = radius < outer - thickness
    wall = (radius < outer) & ~pool

    image = _surroundings(random, radius, angle, outer)
    dark, bright = random.uniform(0.26, 0.34), random.uniform(0.66, 0.78)
    image[pool] = bright
    image[wall] = dark
    for level, width in _faint_places(random, bright, image[~(wall | pool)].mean()):
        fade = np.exp(-0.5 * (_angle_from(angle, random.uniform(-np.pi, np.pi)) / width) ** 2)
        image[wall] = (dark + 0.95 * fade * (level - dark))[wall]
    for distance in (random.uniform(0.2, 0.7), random.uniform(1.3, 1.6), random.uniform(1.3, 1.6)):
        direction = random.uniform(-np.pi, np.pi)
        reach = distance * 0.29
        body, _ = _polar(size, row + reach * np.sin(direction), column + reach * np.cos(direction))
        image[(body < random.uniform(0.025, 0.05)) & ~wall] = dark
    image = _blur(image, 0.012 * size) + 0.05 * _smooth_noise(random, size, 0.25)
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
    image = 0.42 + 0.10 * _smooth_noise(random, size, 0.08)
    side = random.uniform(-np.pi, np.pi)
    image[_angle_from(angle, side) < random.uniform(0.6, 1.1)] *= 0.35
    crescent = (_angle_from(angle, side + np.pi) < random.uniform(0.6, 1.0)) & (
        radius < outer + random.uniform(0.07, 0.14)
    )
    image[crescent] = random.uniform(0.62, 0.74)
    return image


def _faint_places(random: np.random.Generator, pool: float, around: float) -> Iterator[tuple[float, float]]:
    """Brightness and angular width of the one or two places where the wall fades into what lies beside it."""
    for _ in range(random.integers(1, 3)):
        yield (pool if random.random() < 0.5 else around), random.uniform(0.10, 0.25)


def _polar(size: int, row: float, column: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance (in sides) and direction (in radians) of each pixel's centre from a point."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    return np.hypot(rows - row, columns - column), np.arctan2(rows - row, columns - column)


def _centred(size: int) -> NDArray[np.float64]:
    return (np.mgrid[:size, :size, :size] + 0.5) / size - 0.5


def _angle_from(angle: NDArray[np.float64], direction: float) -> NDArray[np.float64]:
    """Unsigned angle to a direction, in [0, π]."""
    return np.abs((angle - direction + np.pi) % (2 * np.pi) - np.pi)


def _fall(distance: NDArray[np.float64], flat: float, slope: float) -> NDArray[np.float64]:
    """1 up to ``flat``, then falling in a straight line to 0 over ``slope``."""
    fall: NDArray[np.float64] = np.clip(1.0 - (distance - flat) / slope, 0.0, 1.0)
    return fall


def _between(distance: NDArray[np.float64], low: float, high: float) -> Mask:
    return (distance > low) & (distance < high)


def _blur(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian blur, sigma in pixels; by Fourier transform, so the frame wraps around."""
    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])
    response = np.exp(-2.0 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    return np.fft.irfft2(np.fft.rfft2(image) * response, s=image.shape)


def _smooth_noise(random: np.random.Generator, size: int, scale: float) -> NDArray[np.float64]:
    """A random field with mean 0 and standard deviation 1, smooth over ``scale`` (in sides)."""
    field = _blur(random.normal(size=(size, size)), scale * size)
    standard: NDArray[np.float64] = (field - field.mean()) / field.std()
    return standard


def _check_size(size: int) -> None:
    if size < _SMALLEST_RING_SIDE:
        raise ValueError(f"size must be at least {_SMALLEST_RING_SIDE}, got {size}")


def _check_side_of_volume(size: int) -> None:
    if size < 12:
        raise ValueError(f"size must be at least 12, got {size}")
