"""What an ultrasound scanner makes of a volume: attenuation along its beams, speckle, log compression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Plane = NDArray[np.float64]

_WIDTH_ALONG = 0.45  # mm, of the point spread function; a standard deviation
_WIDTH_ACROSS = 0.75  # mm, at the focus
_FOCAL_LENGTH = 45.0  # mm from the focus the beam is wider by the square root of 2


@dataclass(frozen=True)
class Sector:
    """The beams of a convex transducer at the middle of the face of a volume.

    Attributes:
        apex: How far the point from which all beams come lies before the volume, in mm.
        opening: Tangents of half the sector's angles, of elevation and lateral.
    """

    apex: float
    opening: tuple[float, float]

    def reach(self, axis: int, depth: float) -> float:
        """How far from the middle the outermost beam is at a depth, in mm."""
        return self.opening[axis] * (depth + self.apex)


def scan(
    random: np.random.Generator,
    level: Field,
    absorption: Field,
    *,
    spacing: float,
    sector: Sector,
    contact: Plane,
    dynamic_range: float,
    gain: float,
) -> Field:
    """The log-compressed envelope of the echoes of a volume, values in [0, 1].

    Each voxel scatters with a random phase. The echoes are summed over the point spread function, a Gaussian whose
    width across the beam is least at the focus and grows with the distance from it. So speckle is Rayleigh
    distributed where the tissue is even, its grain has the size of the point spread function, and edges are blurred
    as much as the speckle. What lies behind absorbing tissue on the same beam is darker.

    Args:
        random: Of phases, focus and noise.
        level: Of what is scattered back, in dB, shape ``(elevation, depth, lateral)``.
        absorption: On the way there and back, in dB per mm.
        spacing: Of the voxels, in mm.
        sector: Where the beams run.
        contact: Loss of each beam at the transducer, in dB; its shape says how many beams are followed.
        dynamic_range: From black to white, in dB.
        gain: Added to all levels, in dB.
    """
    echoes = _along_the_beam(_scattered(random, level, absorption, spacing, sector, contact), _WIDTH_ALONG / spacing)
    depths = (np.arange(level.shape[1]) + 0.5) * spacing
    focus = random.uniform(45.0, 90.0)
    down, right = np.fft.fftfreq(level.shape[0])[:, None], np.fft.fftfreq(level.shape[2])
    image = np.empty(level.shape, np.float32)
    for step, depth in enumerate(depths):
        width = _WIDTH_ACROSS * np.hypot(1.0, (depth - focus) / _FOCAL_LENGTH) / spacing
        response = np.exp(-2 * (np.pi * width) ** 2 * (1.4 * down**2 + right**2))
        response /= np.sqrt((response**2).mean())
        plane = np.fft.ifft2(np.fft.fft2(echoes[:, step]) * response.astype(np.float32))
        noise = 10 ** ((-66.0 + 14.0 * depth / depths[-1]) / 20.0)
        plane += noise * (random.standard_normal(plane.shape) + 1j * random.standard_normal(plane.shape))
        image[:, step] = 1.0 + (20.0 * np.log10(np.abs(plane) + 1e-6) + gain) / dynamic_range
    return np.clip(image, 0.0, 1.0)


def _scattered(
    random: np.random.Generator, level: Field, absorption: Field, spacing: float, sector: Sector, contact: Plane
) -> NDArray[np.complex64]:
    """What each voxel scatters, after the loss of its beam so far."""
    echoes = np.empty(level.shape, np.complex64)
    loss = contact.copy()
    sides = level.shape[0], level.shape[2]
    for step in range(level.shape[1]):
        between = [2 * sector.reach(axis, (step + 0.5) * spacing) / loss.shape[axis] for axis in (0, 1)]
        voxel_of_beam = [_nearest(loss.shape[k], between[k], sides[k], spacing) for k in (0, 1)]
        beam_of_voxel = [_nearest(sides[k], spacing, loss.shape[k], between[k]) for k in (0, 1)]
        loss += spacing * absorption[:, step][np.ix_(*voxel_of_beam)]
        amplitude = 10 ** ((level[:, step] - loss[np.ix_(*beam_of_voxel)]) / 20.0)
        echoes[:, step].real = amplitude * random.standard_normal(sides, np.float32)
        echoes[:, step].imag = amplitude * random.standard_normal(sides, np.float32)
    return echoes


def _nearest(count: int, step: float, other: int, other_step: float) -> NDArray[np.int64]:
    """For each of ``count`` places around a middle the index of the nearest of others around the same middle."""
    places = (np.arange(count) + 0.5 - count / 2) * step
    nearest: NDArray[np.int64] = np.clip(np.floor(places / other_step + other / 2), 0, other - 1).astype(np.int64)
    return nearest


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
