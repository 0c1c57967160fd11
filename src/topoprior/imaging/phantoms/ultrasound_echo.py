"""How strongly each place of a pregnant uterus scatters sound, and how much it absorbs.

Levels are in decibels, 0 for bone that the beam meets at a right angle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Mask
from topoprior.imaging.phantoms.random_field import random_field
from topoprior.imaging.phantoms.ultrasound_anatomy import Uterus

Field = NDArray[np.float32]
Point = NDArray[np.float64]

_FLUID = (-60.0, -44.0)
_BONE_ABSORBS = 5.0  # dB per mm


@dataclass(frozen=True, eq=False)
class Echo:
    """Volumes of shape ``(elevation, depth, lateral)``.

    Attributes:
        level: Of what is scattered back, in dB.
        absorption: On the way there and back, in dB per mm.
    """

    level: Field
    absorption: Field


def echo_of(random: np.random.Generator, uterus: Uterus, placenta: Mask) -> Echo:
    """The mother's tissue, the wall of the uterus, fluid, a fetus in it, and the placenta."""
    shape = placenta.shape
    texture = _texture(random, shape, uterus.spacing, (5.0, 1.3, 5.0))
    depth = ((np.arange(shape[1]) + 0.5) * uterus.spacing).astype(np.float32)[:, None]
    front, back = uterus.front.astype(np.float32)[:, None], uterus.back.astype(np.float32)[:, None]
    level = random.uniform(-26.0, -18.0) + 5.0 * texture
    absorption = np.full(shape, random.uniform(0.05, 0.14), np.float32)
    thick = random.uniform(5.0, 11.0)
    near_wall = (depth > front - thick) & (depth < back + thick)
    level[near_wall] = random.uniform(-30.0, -22.0) + 2.5 * texture[near_wall]
    fluid = (depth > front) & (depth < back)
    level[fluid] = random.uniform(*_FLUID) + 4.0 * texture[fluid]
    absorption[fluid] = 0.0
    for surface in (front - thick, front, back):
        _interface(random, level, depth, surface, uterus.spacing)
    echo = Echo(level, absorption)
    _fetus(random, echo, uterus)
    _placenta(random, echo, uterus, placenta, texture, depth)
    return echo


def _placenta(
    random: np.random.Generator, echo: Echo, uterus: Uterus, placenta: Mask, texture: Field, depth: Field
) -> None:
    """Even and rather bright, with dark lakes of blood, and a bright plate towards the fetus."""
    bright = random.uniform(-21.0, -14.0)
    echo.level[placenta] = bright + 2.0 * texture[placenta]
    echo.absorption[placenta] = 0.10
    for _ in range(random.integers(0, 7)):
        place = _place_within(random, uterus)
        part, (z, y, x) = _around(echo, uterus, place, 9.0)
        radii = random.uniform(1.5, 5.0, 3)
        lake = ((z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2 < 1.0) & placenta[part]
        echo.level[part][lake] = random.uniform(-45.0, -30.0)
    face = (uterus.end if uterus.anterior else uterus.first) * uterus.spacing
    there = uterus.end > uterus.first
    surface = np.where(there, face, -10.0).astype(np.float32)[:, None]
    _interface(random, echo.level, depth, surface, uterus.spacing)


def _place_within(random: np.random.Generator, uterus: Uterus) -> Point:
    """A place in the placenta, in mm: elevation, depth, lateral."""
    rows, columns = np.nonzero(uterus.end > uterus.first)
    k = random.integers(len(rows))
    row, column = rows[k], columns[k]
    step = random.uniform(uterus.first[row, column], uterus.end[row, column])
    return np.array([uterus.elevation[row], step * uterus.spacing, uterus.lateral[column]])


def _fetus(random: np.random.Generator, echo: Echo, uterus: Uterus) -> None:
    """A head with its skull, a trunk with its spine, and limbs, between placenta and wall."""
    lengthwise = random.normal(size=3) * (0.35, 0.25, 1.0)
    lengthwise /= np.linalg.norm(lengthwise)
    middle = np.array([random.normal(0.0, 8.0), 0.0, random.normal(0.0, 15.0)])
    row, column = int(np.searchsorted(uterus.elevation, middle[0])), int(np.searchsorted(uterus.lateral, middle[2]))
    row, column = min(row, len(uterus.elevation) - 1), min(column, len(uterus.lateral) - 1)
    first, end = uterus.first[row, column] * uterus.spacing, uterus.end[row, column] * uterus.spacing
    low, high = float(uterus.front[row, column]), float(uterus.back[row, column])
    if end > first:
        low, high = (max(low, end), high) if uterus.anterior else (low, min(high, first))
    middle[1] = 0.5 * (low + high)
    size = min(random.uniform(0.32, 0.46) * (high - low), 30.0)
    _head(random, echo, uterus, middle - 1.15 * size * lengthwise, size)
    _trunk(random, echo, uterus, middle + 1.15 * size * lengthwise, size, lengthwise)
    for _ in range(random.integers(5, 10)):
        start = middle + random.normal(0.0, 1.0, 3) * (10.0, 0.45 * size, 1.6 * size)
        direction = random.normal(size=3)
        _limb(echo, uterus, start, direction / np.linalg.norm(direction), random.uniform(15.0, 34.0))


def _head(random: np.random.Generator, echo: Echo, uterus: Uterus, centre: Point, size: float) -> None:
    part, (z, y, x) = _around(echo, uterus, centre, 1.3 * size)
    radii = size * random.uniform(0.85, 1.2, 3)
    radius = np.sqrt((z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2)
    facing = np.abs(y / radii[1]) / np.maximum(radius, 0.1)
    echo.level[part][radius < 1.0] = random.uniform(-38.0, -30.0)
    skull = np.abs(radius - 1.0) * size < max(1.1, 0.6 * uterus.spacing)
    echo.level[part][skull] = (-22.0 + 20.0 * facing**2)[skull]
    echo.absorption[part][skull] = random.uniform(0.5, 2.5)
    midline = (np.abs(x) < 0.6 * uterus.spacing) & (radius < 0.9)
    echo.level[part][midline] = -24.0


def _trunk(
    random: np.random.Generator, echo: Echo, uterus: Uterus, centre: Point, size: float, lengthwise: Point
) -> None:
    part, (z, y, x) = _around(echo, uterus, centre, 1.9 * size)
    along = z * lengthwise[0] + y * lengthwise[1] + x * lengthwise[2]
    across = np.sqrt(np.maximum(z**2 + y**2 + x**2 - along**2, 0.0))
    inside = (along / (1.4 * size)) ** 2 + (across / (0.9 * size)) ** 2 < 1.0
    echo.level[part][inside] = random.uniform(-28.0, -22.0)
    echo.absorption[part][inside] = 0.1
    for _ in range(3):  # stomach, bladder, heart
        _ball(echo, uterus, centre + random.normal(0.0, 0.35 * size, 3), random.uniform(2.5, 6.0), -45.0, 0.0)
    side = np.cross(lengthwise, random.normal(size=3))
    spine = centre + 0.55 * size * side / np.linalg.norm(side)
    for step in np.arange(-1.1 * size, 1.1 * size, 5.5):
        _ball(echo, uterus, spine + step * lengthwise, 1.9, -4.0, _BONE_ABSORBS)


def _limb(echo: Echo, uterus: Uterus, start: Point, direction: Point, length: float) -> None:
    centre = start + 0.5 * length * direction
    part, (z, y, x) = _around(echo, uterus, centre, 0.5 * length + 7.0)
    along = np.clip(z * direction[0] + y * direction[1] + x * direction[2], -0.5 * length, 0.5 * length)
    offsets = (z - along * direction[0], y - along * direction[1], x - along * direction[2])
    distance = np.sqrt(sum(offset**2 for offset in offsets))
    flesh = distance < 5.5
    echo.level[part][flesh] = np.maximum(echo.level[part][flesh], -26.0)
    bone = distance < max(1.3, 0.7 * uterus.spacing)
    echo.level[part][bone] = -3.0 - 12.0 * direction[1] ** 2
    echo.absorption[part][bone] = _BONE_ABSORBS


def _ball(echo: Echo, uterus: Uterus, centre: Point, radius: float, level: float, absorbs: float) -> None:
    part, (z, y, x) = _around(echo, uterus, centre, radius + uterus.spacing)
    ball = z**2 + y**2 + x**2 < max(radius, 0.9 * uterus.spacing) ** 2
    echo.level[part][ball] = level
    echo.absorption[part][ball] = absorbs


def _around(
    echo: Echo, uterus: Uterus, centre: Point, reach: float
) -> tuple[tuple[slice, slice, slice], tuple[NDArray[np.float64], ...]]:
    """The part of the volume up to ``reach`` from a place, and the offsets of its voxels from that place, in mm."""
    depths = (np.arange(echo.level.shape[1]) + 0.5) * uterus.spacing
    axes = (uterus.elevation, depths, uterus.lateral)
    low = [int(np.searchsorted(axis, at - reach)) for axis, at in zip(axes, centre, strict=True)]
    high = [int(np.searchsorted(axis, at + reach)) for axis, at in zip(axes, centre, strict=True)]
    part = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    offsets = [axis[one] - at for axis, one, at in zip(axes, part, centre, strict=True)]
    return part, (offsets[0][:, None, None], offsets[1][:, None], offsets[2])


def _interface(random: np.random.Generator, level: Field, depth: Field, surface: Field, spacing: float) -> None:
    """A bright line where two tissues meet, brightest where it faces the beam, with gaps."""
    slopes = np.gradient(surface[:, 0].astype(np.float64), spacing)
    steep = np.clip(slopes[0] ** 2 + slopes[1] ** 2, 0.0, 1.0)
    bright = random.uniform(-16.0, -9.0) - 16.0 * steep + 5.0 * random_field(random, steep.shape, 9.0 / spacing)
    line = np.abs(depth - surface) < max(0.7, 0.51 * spacing)
    level[line] = np.maximum(level, bright.astype(np.float32)[:, None])[line]


def _texture(
    random: np.random.Generator, shape: tuple[int, ...], spacing: float, scales: tuple[float, float, float]
) -> Field:
    """A random field smooth over ``scales`` mm; made of blocks of about a millimetre, which the speckle hides."""
    block = max(1, int(1.2 / spacing))
    coarse = random_field(random, [-(-side // block) for side in shape], [s / (spacing * block) for s in scales])
    field = coarse.astype(np.float32)
    for axis, side in enumerate(shape):
        field = field.repeat(block, axis).take(range(side), axis)
    return field
