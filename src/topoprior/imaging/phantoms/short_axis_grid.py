"""The points at which a short-axis phantom is drawn, seen from the centre of its left ventricle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.short_axis_heart import DIRECTIONS

Field = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A square grid of points.

    Attributes:
        x: Distance to the right of the centre, in mm.
        y: Distance downwards, in mm.
        radius: Distance, in mm.
        direction: Index of the direction, into an outline of the heart.
        step: Between two points, in mm.
    """

    x: Field
    y: Field
    radius: Field
    direction: NDArray[np.int64]
    step: float

    @property
    def size(self) -> int:
        """Points along each side."""
        return len(self.x)

    def around(self, x: float, y: float, distance: float) -> tuple[slice, slice]:
        """The part of the grid that holds all points up to a distance from a place; empty if none does."""
        # The grid is turned: x and y grow by (a, b) and (-b, a) along a row and along a column.
        a, b = self.x[0, 1] - self.x[0, 0], self.y[0, 1] - self.y[0, 0]
        right, down = x - self.x[0, 0], y - self.y[0, 0]
        middle = np.array([a * down - b * right, a * right + b * down]) / self.step**2
        reach = distance / self.step
        low, high = np.clip(np.floor([middle - reach, middle + reach + 1]), 0, self.size).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1])


def grid_of(size: int, step: float, centre: tuple[float, float], turn: float) -> Grid:
    """A square grid whose middle is off the ventricle's centre by ``centre`` (right, down; mm), turned by ``turn``."""
    places = (np.arange(size) + 0.5 - size / 2) * step
    right, down = places[None, :] - centre[0], places[:, None] - centre[1]
    x, y = np.cos(turn) * right + np.sin(turn) * down, np.cos(turn) * down - np.sin(turn) * right
    direction = ((np.arctan2(y, x) + np.pi) * (DIRECTIONS / (2 * np.pi))).astype(np.int64) % DIRECTIONS
    return Grid(x, y, np.hypot(x, y), direction, step)
