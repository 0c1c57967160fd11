"""What an ultrasound scanner makes of a volume: attenuation, speckle, log compression."""

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def scan(
    random: np.random.Generator,
    level: Field,
    absorption: Field,
    *,
    spacing: float,
    contact: NDArray[np.float64],
    apex: float,
    opening: tuple[float, float],
    dynamic_range: float,
    gain: float,
) -> Field:
    """The log-compressed envelope of the echoes of a volume, values in [0, 1].

    Each voxel scatters with a random phase. The echoes are summed over the point spread function, a Gaussian whose
    width across the beam is least at the focus and grows with the distance from it. So speckle is Rayleigh
    distributed where the tissue is even, its grain has the size of the point spread function, and edges are blurred
    as much as the speckle. What lies behind absorbing tissue is darker.

    Args:
        random: Of phases, focus and noise.
        level: Of what is scattered back, in dB, shape ``(elevation, depth, lateral)``.
        absorption: On the way there and back, in dB per mm.
        spacing: Of the voxels, in mm.
        contact: Loss for each direction of the beam, in dB, as a square image over the sector.
        apex: How far the point from which all beams come lies before the volume, in mm.
        opening: Tangents of half the sector's angles, of elevation and lateral.
        dynamic_range: From black to white, in dB.
        gain: Added to all levels, in dB.
    """
    shape = level.shape
    loss = np.cumsum(absorption, axis=1) * np.float32(spacing)
    amplitude = np.exp((level - loss) * np.float32(np.log(10.0) / 20.0))
    echoes = np.empty(shape, np.complex64)
    echoes.real = amplitude * random.standard_normal(shape, np.float32)
    echoes.imag = amplitude * random.standard_normal(shape, np.float32)
    echoes = _along_the_beam(echoes, 0.45 / spacing)
    focus, elevations, laterals = random.uniform(45.0, 90.0), _frequencies(shape[0]), _frequencies(shape[2])
    image = np.empty(shape, np.float32)
    for step in range(shape[1]):
        depth = (step + 0.5) * spacing
        width = 0.75 * np.hypot(1.0, (depth - focus) / 45.0) / spacing
        response = np.exp(-2 * (np.pi * width) ** 2 * (1.4 * elevations[:, None] ** 2 + laterals**2))
        response /= np.sqrt((response**2).mean())
        plane = np.fft.ifft2(np.fft.fft2(echoes[:, step]) * response.astype(np.float32))
        noise = 10 ** ((-66.0 + 14.0 * depth / (shape[1] * spacing)) / 20.0)
        plane += noise * (random.standard_normal(plane.shape) + 1j * random.standard_normal(plane.shape))
        decibels = 20.0 * np.log10(np.abs(plane) + 1e-6) - _contact_at(contact, shape, depth, spacing, apex, opening)
        image[:, step] = 1.0 + (decibels + gain) / dynamic_range
    return np.clip(image, 0.0, 1.0)


def _contact_at(
    contact: NDArray[np.float64],
    shape: tuple[int, ...],
    depth: float,
    spacing: float,
    apex: float,
    opening: tuple[float, float],
) -> NDArray[np.float64]:
    """The loss of the beam that goes through each place of a plane."""
    index = []
    for side, tangent in ((shape[0], opening[0]), (shape[2], opening[1])):
        places = (np.arange(side) + 0.5 - side / 2) * spacing / (depth + apex) / tangent
        index.append(np.clip((0.5 + 0.5 * places) * len(contact), 0, len(contact) - 1).astype(int))
    loss: NDArray[np.float64] = contact[index[0][:, None], index[1]]
    return loss


def _along_the_beam(echoes: NDArray[np.complex64], width: float) -> NDArray[np.complex64]:
    """Blur along depth with a Gaussian of this many voxels; its energy is 1."""
    reach = max(1, round(3 * width))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 0.2)) ** 2)
    weights /= np.sqrt((weights**2).sum())
    blurred = np.zeros_like(echoes)
    side = echoes.shape[1]
    for shift, weight in zip(range(-reach, reach + 1), weights.astype(np.float32), strict=True):
        blurred[:, max(0, shift) : side + min(0, shift)] += weight * echoes[:, max(0, -shift) : side - max(0, shift)]
    return blurred


def _frequencies(side: int) -> NDArray[np.float64]:
    frequencies: NDArray[np.float64] = np.asarray(np.fft.fftfreq(side), np.float64)
    return frequencies
