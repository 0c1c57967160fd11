"""A pregnant uterus before a transducer: where placenta, amniotic fluid, fetus and the mother's tissue lie.

Axes are elevation, depth, lateral; lengths are in mm. The uterus and the placenta lie between surfaces that have one
depth for each place (elevation, lateral). So each column of the placenta is one run of voxels, and if its outline is
one disc and the runs of neighbouring columns overlap, it is one component without tunnels and cavities: columns can be
shrunk to the disc. `_slab` makes them overlap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Mask
from topoprior.imaging.phantoms.random_field import random_field
from topoprior.imaging.phantoms.sonography import Sector

Surface = NDArray[np.float64]
Places = NDArray[np.float64]
DEPTH = 144.0
SECTOR = Sector(apex=45.0, opening=(0.62, 0.95))


@dataclass(frozen=True, eq=False)
class Uterus:
    """Surfaces of shape ``(elevation, lateral)``, depths in mm.

    Attributes:
        spacing: Between voxels.
        elevation: Of each row of voxels, from the middle of the volume.
        lateral: Of each column.
        front: Inner surface of the wall near the transducer.
        back: Inner surface of the wall far from it.
        first: Voxel at which the placenta begins in each column.
        end: Voxel before which it ends; equal to ``first`` where there is none.
        anterior: Whether the placenta lies on the front wall.
    """

    spacing: float
    elevation: Places
    lateral: Places
    front: Surface
    back: Surface
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    anterior: bool

    def placenta(self, depth: int) -> Mask:
        """The mask of the placenta in a volume of this depth in voxels."""
        steps = np.arange(depth)[:, None]
        mask: Mask = (steps >= self.first[:, None]) & (steps < self.end[:, None])
        return mask


def draw_uterus(random: np.random.Generator, shape: tuple[int, int, int], *, sector: bool) -> Uterus:
    """A uterus with a placenta on its front or back wall, within the sector if there is one."""
    spacing = DEPTH / shape[1]
    elevation, lateral = _places(shape[0], spacing), _places(shape[2], spacing)
    bow = random.uniform(0.003, 0.007)  # 1 / mm
    middle = random.normal(0.0, 8.0, 2)
    away = (elevation[:, None] - middle[0]) ** 2 + (lateral - middle[1]) ** 2
    tilt = random.normal(0.0, 0.08) * elevation[:, None] + random.normal(0.0, 0.10) * lateral
    rough = random.uniform(0.8, 2.0)

    def wall(depth: float, curve: float) -> Surface:
        # The bow flattens towards the sides: there a wall so steep would leave its column.
        bowed = depth + np.sign(curve) * 40.0 * np.tanh(abs(curve) * away / 80.0) + tilt
        surface: Surface = bowed + rough * random_field(random, away.shape, 14.0 / spacing)
        return surface

    front, back = wall(random.uniform(24.0, 38.0), bow), wall(random.uniform(108.0, 128.0), -0.6 * bow)
    front = np.clip(front, 12.0, DEPTH - 62.0)
    back = np.clip(back, front + 48.0, DEPTH - 8.0)
    anterior = bool(random.random() < 0.6)
    first, end = _slab(random, elevation, lateral, front if anterior else back, spacing, shape[1], anterior, sector)
    return Uterus(spacing, elevation, lateral, front, back, first, end, anterior)


def _places(side: int, spacing: float) -> Places:
    places: Places = (np.arange(side, dtype=np.float64) + 0.5 - side / 2) * spacing
    return places


def _slab(
    random: np.random.Generator, elevation: Places, lateral: Places,
    wall: Surface, spacing: float, depth: int, anterior: bool, sector: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """First and end voxel of each column of a placenta on a wall: thick in its middle, blunt at its lobed edge."""
    centre = random.uniform(-0.15, 0.15) * len(elevation) * spacing, random.normal(0.0, 14.0)
    down, right = elevation[:, None] - centre[0], lateral - centre[1]
    angle, distance = np.arctan2(down, right), np.hypot(down, right)
    edge = random.uniform(42.0, 62.0) * (1.0 + 0.04 * _lobes(random, angle))
    place = distance / edge
    thick = random.uniform(22.0, 38.0) * (0.2 + 0.8 * np.sqrt(np.clip(1.0 - place**2, 0.0, 1.0)))
    thick = thick * (1.0 + 0.10 * random_field(random, wall.shape, 12.0 / spacing))
    present = place < 1.0
    if sector:
        shallowest = (wall if anterior else wall - thick)[present].min()
        present &= _in_sector(elevation[:, None], lateral, shallowest - 2 * spacing)
    starts, ends = (wall, wall + thick) if anterior else (wall - thick, wall)
    first = np.clip(np.round(starts / spacing).astype(np.int64), 1, depth - 3)
    end = np.clip(np.round(ends / spacing).astype(np.int64), first + 2, depth - 1)
    # A column must reach below the first voxel of its eight neighbours, and by that they reach below its own.
    lowest = _greatest_of_neighbours(np.where(present, first, -1))
    end = np.maximum(end, lowest + 2)
    return np.where(present, first, 0), np.where(present, end, 0)


def _lobes(random: np.random.Generator, angle: Surface) -> Surface:
    total = np.zeros_like(angle)
    for order in range(2, 9):
        total += random.normal() * np.cos(order * angle + random.uniform(-np.pi, np.pi))
    return total


def _in_sector(elevation: Surface, lateral: Surface, depth: float) -> Mask:
    """Whether places lie within the sector at a depth, and so at all that are greater."""
    return (np.abs(elevation) < SECTOR.reach(0, depth)) & (np.abs(lateral) < SECTOR.reach(1, depth))


def _greatest_of_neighbours(field: NDArray[np.int64]) -> NDArray[np.int64]:
    for axis in (0, 1):
        padded = np.pad(field, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        side = field.shape[axis]
        field = np.max([padded.take(range(k, k + side), axis) for k in range(3)], axis=0)
    return field
