"""Edits along one bar: the pixels between the threshold and the level where the feature appears or disappears."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array

MOST_BARS = 12
RADII = (1, 2, 3, 5, 8)


class Bar(NamedTuple):
    """One bar of the map as it is now; cells of the pixels of birth and death, -1: none."""

    length: float
    birth: float
    death: float
    birth_cell: int
    death_cell: int


def bars(canvas: Canvas, dimension: int) -> list[Bar]:
    """All bars of one dimension, the longest first."""
    grid = canvas.grid
    image = torch.from_numpy(canvas.map_now)[None, None]
    found = persistence(image, construction=grid.construction, boundary=grid.boundary, dimensions=(dimension,))
    columns = (found.births, found.deaths, found.birth_index, found.death_index)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    cell = [*grid.pixels.tolist(), -1]
    return [Bar(birth - death, birth, death, cell[i], cell[j]) for birth, death, i, j in rows]


def along_living_bars(canvas: Canvas, dimension: int) -> Iterator[tuple[Array, bool]]:
    """For features of the mask, the shortest bars first: what cuts each at its birth or fills it at its death."""
    low = canvas.threshold
    living = [bar for bar in bars(canvas, dimension) if bar.birth >= low > bar.death and bar.death_cell >= 0]
    for bar in living[: -MOST_BARS - 1 : -1]:
        yield level(canvas, bar.birth_cell), False
        yield level(canvas, bar.death_cell), True
        for radius in RADII:
            yield block(canvas, bar.birth_cell, radius), False
            yield block(canvas, bar.death_cell, radius), True


def level(canvas: Canvas, cell: int) -> Array:
    """The pixels one can reach from this one that lie as it does on one side of the threshold, and no farther from it.

    Turning them takes the mask, around this pixel, to what it is at the pixel's own level.
    """
    colour = bool(canvas.mask[cell])
    near = canvas.grid.inside & (canvas.mask == colour) & (canvas.toll <= canvas.toll[cell])
    return connected(near, cell, canvas.grid.touching[not colour])


def block(canvas: Canvas, cell: int, radius: int) -> Array:
    """The pixels around this one, up to so many to each side: a plug, or a cut, that `deform` makes thin afterwards."""
    grid = canvas.grid
    centre = grid.coordinates(cell)
    near = tuple(slice(max(place - radius, 0), place + radius + 1) for place in centre)
    cells: Array = np.arange(grid.size).reshape(grid.padded_shape)[near].ravel()
    inside: Array = cells[grid.inside[cells]]
    return inside


def basin(canvas: Canvas, bar: Bar, colour: bool) -> Array:
    """The pixels that belong to a feature alone: above the death of a component, or below the birth of a hole."""
    grid = canvas.grid
    values = grid.embedded(canvas.map_now, np.nan)  # nan compares as neither
    if colour:
        return connected(values > bar.death, bar.birth_cell, grid.touching[True])
    return connected(values < bar.birth, bar.death_cell, grid.touching[False])


def connected(allowed: Array, start: int, touching: list[int]) -> Array:
    """The cells one can reach from here over allowed ones."""
    free = allowed.tolist()
    free[start] = False
    found = [start]
    for here in found:
        for offset in touching:
            if free[here + offset]:
                free[here + offset] = False
                found.append(here + offset)
    return np.array(found)
