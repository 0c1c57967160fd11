"""What phantoms are drawn with: distances, directions, blur and smooth noise on a square."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SMALLEST_SIDE = 40


def polar(size: int, row: float, column: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance (in sides) and direction (in radians) of each pixel's centre from a point."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    return np.hypot(rows - row, columns - column), np.arctan2(rows - row, columns - column)


def angle_from(angle: NDArray[np.float64], direction: float) -> NDArray[np.float64]:
    """Unsigned angle to a direction, in [0, π]."""
    return np.abs((angle - direction + np.pi) % (2 * np.pi) - np.pi)


def blur(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian blur, sigma in pixels; by Fourier transform, so the frame wraps around."""
    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])
    response = np.exp(-2.0 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    return np.fft.irfft2(np.fft.rfft2(image) * response, s=image.shape)


def smooth_noise(random: np.random.Generator, size: int, scale: float) -> NDArray[np.float64]:
    """A random field with mean 0 and standard deviation 1, smooth over ``scale`` (in sides)."""
    field = blur(random.normal(size=(size, size)), scale * size)
    standard: NDArray[np.float64] = (field - field.mean()) / field.std()
    return standard


def check_size(size: int) -> None:
    """Raise a `ValueError` for a side too small to draw a ring in."""
    if size < _SMALLEST_SIDE:
        raise ValueError(f"size must be at least {_SMALLEST_SIDE}, got {size}")
