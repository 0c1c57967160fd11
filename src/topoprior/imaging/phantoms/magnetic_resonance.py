"""What a magnetic-resonance scanner adds to an image: coil sensitivity, a limited resolution, Rician noise."""

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import blur, smooth_noise

Field = NDArray[np.float64]


def acquire(
    random: np.random.Generator, tissue: Field, *, oversampling: int, sensitivity: float, noise: float
) -> Field:
    """The magnitude image of tissue, each pixel the mean of ``oversampling`` x ``oversampling`` points.

    Args:
        random: Of coil and noise.
        tissue: Brightness on the finer grid, at least 0, square.
        oversampling: Points along the side of a pixel.
        sensitivity: Standard deviation of the logarithm of the coil's sensitivity over the image.
        noise: Standard deviation of each of the two channels, relative to the brightness 1.

    Returns:
        At least 0. Its background has the mean of Rayleigh noise, not 0, as all magnitude images.
    """
    size = len(tissue) // oversampling
    signal = tissue.reshape(size, oversampling, size, oversampling).mean((1, 3))
    signal = blur(signal, random.uniform(0.35, 0.6)) * np.exp(sensitivity * _coil(random, size))
    # The scanner interpolates, so that neighbours share noise.
    grain = random.uniform(0.4, 0.8)
    real, imaginary = (noise * smooth_noise(random, size, grain / size) for _ in range(2))
    magnitude: Field = np.hypot(signal + real, imaginary)
    return magnitude


def _coil(random: np.random.Generator, size: int) -> Field:
    """Stronger towards the front of the chest, on the upper left, and uneven."""
    direction = random.normal(-2.3, 0.5)
    places = (np.arange(size) + 0.5) / size - 0.5
    slope = np.cos(direction) * places[None, :] + np.sin(direction) * places[:, None]
    sensitivity: Field = 2.0 * slope + 0.5 * smooth_noise(random, size, 0.3)
    return sensitivity
