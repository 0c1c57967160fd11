"""Smooth random fields, from which the textures of phantoms are made."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]


def random_field(random: np.random.Generator, shape: Sequence[int], scale: float | Sequence[float]) -> Field:
    """A Gaussian random field with mean 0 and standard deviation 1, as white noise blurred with a Gaussian.

    It is drawn in the frequency domain, where only the few low frequencies that pass the blur cost anything, and wraps
    around at the sides.

    Args:
        random: Where it is drawn from.
        shape: Of the field.
        scale: Standard deviation of the blur in pixels: one number, or one for each axis.

    Examples:
        >>> field = random_field(np.random.default_rng(0), (6, 200), (0.0, 10.0))
        >>> bool(np.abs(np.diff(field, axis=0)).mean() > 5 * np.abs(np.diff(field, axis=1)).mean())
        True
    """
    scales = np.broadcast_to(np.asarray(scale, float), (len(shape),))
    frequencies = [np.fft.fftfreq(side) for side in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    responses = [np.exp(-2.0 * (np.pi * s * f) ** 2) for s, f in zip(scales, frequencies, strict=True)]
    passed = [np.flatnonzero(response > 1e-3) for response in responses]
    draws = random.normal(size=(2, *(len(places) for places in passed)))
    spectrum = draws[0] + 1j * draws[1]
    spectrum.flat[0] = 0.0
    for axis, (response, places) in enumerate(zip(responses, passed, strict=True)):
        spectrum *= response[places].reshape([-1 if a == axis else 1 for a in range(len(shape))])
    for axis, side in enumerate(shape[:-1]):
        whole = np.zeros((*spectrum.shape[:axis], side, *spectrum.shape[axis + 1 :]), complex)
        whole[(slice(None),) * axis + (passed[axis],)] = spectrum
        spectrum = np.fft.ifft(whole, axis=axis)
    field: Field = np.fft.irfft(spectrum, n=shape[-1], axis=-1)
    field /= field.std()
    return field
