"""The two images of Figure 1 of Clough et al. (2022): three blobs and a loop, and a ring under noise."""

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Image, check_size, polar


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
    check_size(size)
    blobs = [(0.22, 0.26, 0.09, 1.00), (0.20, 0.74, 0.08, 0.86), (0.74, 0.17, 0.06, 0.68)]
    parts = [height * _fall(polar(size, row, column)[0], radius, 0.13) for row, column, radius, height in blobs]
    radius, angle = polar(size, 0.67, 0.63)
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
    check_size(size)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0, got {noise}")
    radius, _ = polar(size, 0.5, 0.5)
    ring = 0.12 + 0.76 * _fall(np.abs(radius - 0.28), 0.06, 0.06)
    grain = np.random.default_rng(seed).normal(0.0, noise, (size, size))
    return np.clip(ring + grain, 0.0, 1.0).astype(np.float32)


def _fall(distance: NDArray[np.float64], flat: float, slope: float) -> NDArray[np.float64]:
    """1 up to ``flat``, then falling in a straight line to 0 over ``slope``."""
    fall: NDArray[np.float64] = np.clip(1.0 - (distance - flat) / slope, 0.0, 1.0)
    return fall
