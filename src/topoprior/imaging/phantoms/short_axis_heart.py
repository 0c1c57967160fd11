"""The shape of a heart in a short-axis slice: outlines in millimetres around the centre of the left ventricle.

Every outline is a radius for each of `DIRECTIONS` directions, so it is star-shaped, and what lies between two of them
is a ring or a crescent without further checks. Directions go from the right of the image downwards; the right ventricle
lies to the left. The sizes of each group are those of the five groups of the ACDC challenge, at both phases.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
Group = Literal["normal", "dilated", "hypertrophic", "infarcted", "right ventricle"]
GROUPS: tuple[Group, ...] = get_args(Group)
Phase = Literal["ED", "ES"]
PHASES: tuple[Phase, ...] = get_args(Phase)

DIRECTIONS = 1440
ANGLES: Outline = (np.arange(DIRECTIONS, dtype=np.float64) + 0.5) * (2 * np.pi / DIRECTIONS) - np.pi
_THINNEST_WALL = 2.8
# Of a wall or crescent, in pixels of the label: less, and its pixels could part.
_THINNEST_IN_PIXELS = 1.8


@dataclass(frozen=True)
class _Typical:
    """Means in mm: radius of the cavity, wall, depth of the right ventricle behind the septum, its height."""

    cavity: float
    wall: float
    depth: float
    height: float


_TYPICAL: dict[tuple[Group, Phase], _Typical] = {
    ("normal", "ED"): _Typical(24.0, 7.2, 27.0, 38.0),
    ("normal", "ES"): _Typical(15.5, 11.5, 19.0, 32.0),
    ("dilated", "ED"): _Typical(33.0, 6.6, 25.0, 40.0),
    ("dilated", "ES"): _Typical(29.0, 7.8, 22.0, 37.0),
    ("hypertrophic", "ED"): _Typical(22.5, 11.5, 23.0, 37.0),
    ("hypertrophic", "ES"): _Typical(12.5, 17.0, 13.0, 28.0),
    ("infarcted", "ED"): _Typical(28.5, 7.8, 23.0, 37.0),
    ("infarcted", "ES"): _Typical(23.0, 9.6, 20.0, 34.0),
    ("right ventricle", "ED"): _Typical(22.0, 6.8, 36.0, 42.0),
    ("right ventricle", "ES"): _Typical(14.5, 10.5, 28.0, 38.0),
}


@dataclass(frozen=True, eq=False)
class Heart:
    """Outlines of one heart, in mm from the centre of the left ventricle.

    Attributes:
        group: What is wrong with it.
        phase: Filled (``"ED"``) or contracted (``"ES"``).
        septum: Direction of the middle of the septum.
        endocardium: Of the cavity, papillary muscles and trabeculae within.
        epicardium: Outside of the wall.
        right: Free wall of the right ventricle's cavity; equal to `epicardium` where there is none.
        outside: Of the whole heart, the thin wall of the right ventricle included.
        blood: Of the pool of blood between the trabeculae, at most `endocardium`.
    """

    group: Group
    phase: Phase
    septum: float
    endocardium: Outline
    epicardium: Outline
    right: Outline
    outside: Outline
    blood: Outline


def draw_heart(random: np.random.Generator, group: Group, phase: Phase, *, spacing: float, within: float) -> Heart:
    """A heart of a group, nowhere farther than ``within`` mm from its centre nor too thin for pixels of ``spacing``."""
    body = random.uniform(0.9, 1.1)
    typical = _varied(random, _TYPICAL[group, phase], body)
    septum = np.pi + random.normal(0.0, 0.22)
    thinnest = max(_THINNEST_WALL, _THINNEST_IN_PIXELS * spacing)
    endocardium = np.maximum(_cavity(random, typical, group, phase, septum), 3.5 * spacing)
    wall = np.maximum(_wall(random, typical, group, septum), thinnest)
    shrunk = min(1.0, within / (endocardium + wall).max())
    endocardium, wall = endocardium * shrunk, np.maximum(wall * shrunk, thinnest)
    epicardium = endocardium + wall
    right = _right_ventricle(random, typical, epicardium, septum, max(4.0, 2.4 * spacing), within)
    thin_wall = random.uniform(2.2, 3.6) * (random.uniform(1.3, 1.8) if group == "right ventricle" else 1.0)
    outside = np.maximum(epicardium, _spread(np.where(right > epicardium, right + thin_wall, 0.0), 0.06))
    blood = endocardium - _trabeculae(random, endocardium, phase, septum)
    return Heart(group, phase, septum, endocardium, epicardium, right, outside, blood)


def angle_between(angles: Outline | float, direction: float) -> Outline:
    """Unsigned angle of directions to one, in [0, π]."""
    return np.abs((np.asarray(angles) - direction + np.pi) % (2 * np.pi) - np.pi)


def waves(random: np.random.Generator, orders: range, decay: float = 1.0) -> Outline:
    """A periodic function of the direction with standard deviation 1: random waves, weaker with their order."""
    k = np.array(orders)[:, None]
    weights = random.normal(size=k.shape) * k**-decay
    total: Outline = (weights * np.cos(k * ANGLES + random.uniform(-np.pi, np.pi, k.shape))).sum(0)
    total /= np.sqrt(0.5 * (weights**2).sum())
    return total


def _varied(random: np.random.Generator, typical: _Typical, body: float) -> _Typical:
    spread = np.exp(random.normal(0.0, (0.11, 0.13, 0.22, 0.12)))
    cavity, wall, depth, height = spread * (typical.cavity, typical.wall, typical.depth, typical.height) * body
    return replace(typical, cavity=cavity, wall=wall, depth=depth, height=height)


def _cavity(random: np.random.Generator, typical: _Typical, group: Group, phase: Phase, septum: float) -> Outline:
    uneven = 0.018 if phase == "ED" else 0.035
    shape = 1.0 + random.uniform(0.0, 0.10) * np.cos(2 * (ANGLES - random.uniform(-np.pi, np.pi)))
    shape += uneven * waves(random, range(3, 7), 1.5)
    flat = random.uniform(0.08, 0.28) if group == "right ventricle" else random.uniform(0.0, 0.05)
    cavity: Outline = typical.cavity * (shape - flat * np.exp(-((angle_between(ANGLES, septum) / 0.7) ** 2)))
    return cavity


def _wall(random: np.random.Generator, typical: _Typical, group: Group, septum: float) -> Outline:
    shape = 1.0 + 0.13 * waves(random, range(1, 4), 1.1)
    if group == "hypertrophic" and random.random() < 0.7:
        centre = septum + random.normal(0.0, 0.5)
        shape += random.uniform(0.2, 0.7) * np.exp(-((angle_between(ANGLES, centre) / 0.9) ** 2))
    if group == "infarcted":
        centre, width = random.uniform(-np.pi, np.pi), random.uniform(0.4, 0.9)
        shape -= random.uniform(0.25, 0.6) * np.exp(-((angle_between(ANGLES, centre) / width) ** 4))
    wall: Outline = typical.wall * shape
    return wall


def _right_ventricle(
    random: np.random.Generator, typical: _Typical, epicardium: Outline, septum: float, thinnest: float, within: float
) -> Outline:
    """An ellipse that the left ventricle dents: what lies between both outlines around the septum."""
    behind = np.interp(septum, ANGLES, epicardium, period=2 * np.pi)
    half_depth = max(typical.depth * random.uniform(0.75, 1.1), 0.62 * typical.depth)
    along, across = behind + typical.depth - half_depth, random.normal(0.0, 6.0)
    tilt = random.normal(0.0, 0.25)
    farthest = _ellipse_from(septum, along, across, half_depth, typical.height, tilt)
    farthest = farthest * (1.0 + 0.025 * waves(random, range(3, 9), 0.7))
    farthest = np.minimum(farthest, within * 1.22)
    middle = int(np.argmin(angle_between(ANGLES, septum)))
    depth = np.roll(farthest - epicardium, DIRECTIONS // 2 - middle)
    ends = _ends(depth > thinnest, random.uniform(0.85, 1.6, 2))
    steps = np.arange(DIRECTIONS)
    # Both ends taper; a crescent that ended at its full depth would show a straight edge.
    along_wall = np.minimum(steps - ends[0], ends[1] - steps) * (2 * np.pi / DIRECTIONS) * epicardium.mean()
    taper = thinnest + random.uniform(0.8, 2.0) * along_wall
    depth = np.where(along_wall >= 0, np.minimum(np.maximum(depth, thinnest), taper), 0.0)
    right: Outline = epicardium + np.roll(depth, middle - DIRECTIONS // 2)
    return right


def _ends(deep: NDArray[np.bool_], farthest: NDArray[np.float64]) -> tuple[int, int]:
    """First and last step around the middle up to which all is deep, at least 0.35 and at most ``farthest`` radians."""
    middle = DIRECTIONS // 2
    per_radian = DIRECTIONS / (2 * np.pi)
    before, after = np.flatnonzero(~deep[:middle]), np.flatnonzero(~deep[middle:])
    back = np.clip(middle - before.max() if before.size else middle, 0.35 * per_radian, farthest[0] * per_radian)
    ahead = np.clip(after.min() if after.size else middle, 0.35 * per_radian, farthest[1] * per_radian)
    return middle - int(back), middle + int(ahead)


def _ellipse_from(septum: float, along: float, across: float, a: float, b: float, tilt: float) -> Outline:
    """Farthest distance of an ellipse in each direction, seen from the origin; 0 where it is not hit."""
    turned = ANGLES - septum - tilt
    u, v = np.cos(turned) / a, np.sin(turned) / b
    centre = np.array([along * np.cos(tilt) + across * np.sin(tilt), across * np.cos(tilt) - along * np.sin(tilt)])
    p, q = centre / (a, b)
    square, product = u**2 + v**2, u * p + v * q
    inside = product**2 - square * (p**2 + q**2 - 1.0)
    farthest: Outline = np.where(inside > 0, (product + np.sqrt(np.maximum(inside, 0.0))) / square, 0.0)
    return np.maximum(farthest, 0.0)


def _trabeculae(random: np.random.Generator, endocardium: Outline, phase: Phase, septum: float) -> Outline:
    """How far they reach into the cavity: farther on the free wall, and farther when it is contracted."""
    free = 0.25 + 0.75 * (angle_between(ANGLES, septum) / np.pi)
    reach = random.uniform(0.08, 0.38) if phase == "ED" else random.uniform(0.18, 0.52)
    return endocardium * reach * free * np.clip(0.35 + 0.6 * waves(random, range(4, 17), 0.4), 0.0, 1.5)


def _spread(outline: Outline, width: float) -> Outline:
    """The greatest value within ``width`` radians on both sides, so that a wall also closes the ends of a crescent."""
    steps = max(1, round(width / (2 * np.pi) * DIRECTIONS))
    widest = outline
    for shift in range(-steps, steps + 1, 3):
        widest = np.maximum(widest, np.roll(outline, shift))
    return widest
