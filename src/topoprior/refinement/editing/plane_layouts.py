"""Masks of images that have wanted Betti numbers; the outside is background.

One body holds all holes, as close to each other as can be; single pixels fill the rest:

    T, holes in the pattern of a chessboard      V, holes two apart
    # . # . # . #                                # # # # # . #
    . . . # . . .                                # . # . # . .
    # . # . # . #                                # # # # # . #
    . # . # . # .                                # . # . . # .
    # . # . # . #                                # # # . # . #
    . . . # . . .
    # . # . # . #

The holes are those of the pattern that lie nearest to a corner, to an edge, to the middle, or to a line through it:
which leaves most room depends on the numbers. An image that can carry Betti numbers can carry all smaller ones too
(but no hole without a component), so the smallest wanted ones decide.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from topoprior.refinement.editing.grid import Grid
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Construction


def plane_layout(shape: tuple[int, ...], construction: Construction, components: int, holes: int) -> Array | None:
    """A mask of two axes with at least one component, or None if this way there is none."""
    grid = Grid(shape, construction, "background")
    for pierced in _pierced(grid, holes):
        body = _with_neighbours(grid, pierced, False)
        dots = _dots(grid, grid.inside & ~_with_neighbours(grid, body, True), components - bool(holes))
        if dots is not None:
            cells = body & ~pierced
            cells[dots] = True
            mask = grid.image(cells)
            if betti_numbers(mask[None, None], construction=construction).flatten().tolist() == [components, holes]:
                return mask
    return None


def _pierced(grid: Grid, holes: int) -> Iterator[Array]:
    """So many single pixels that can be holes of one body, near to each other, in several ways."""
    if not holes:
        yield np.zeros(grid.size, dtype=bool)
        return
    i, j = np.indices(grid.shape)
    inner = (i > 0) & (i < grid.shape[0] - 1) & (j > 0) & (j < grid.shape[1] - 1)
    patterns = [(i + j) % 2 == 0, (i + j) % 2 == 1] if grid.construction == "T" else [(i % 2 == 1) & (j % 2 == 1)]
    for pattern in patterns:
        places = np.argwhere(inner & pattern)
        if len(places) < holes:
            continue
        for distance, tie in itertools.product(_distances(places), (0, 1)):
            nearest = places[np.lexsort((places[:, tie], distance))[:holes]]
            image = np.zeros(grid.shape, dtype=bool)
            image[tuple(nearest.T)] = True
            yield grid.embedded(image, False)


def _distances(places: Array) -> Iterator[Array]:
    """From corners, edges and the middle, and from lines along the edges, the diagonals and through the middle."""
    low, high = places.min(0), places.max(0)
    for point in itertools.product((0, 0.5, 1), repeat=2):
        apart = np.abs(places - (low + (high - low) * point))
        yield apart.max(1)
        yield apart.sum(1)
    for direction in ((1, 0), (0, 1), (1, 1), (1, -1)):
        along = places @ direction
        for part in (0, 0.5):
            yield np.abs(along - (along.min() + (along.max() - along.min()) * part))


def _with_neighbours(grid: Grid, cells: Array, colour: bool) -> Array:
    """These cells and all that touch them, if they have this colour."""
    grown = cells.copy()
    for offset in grid.touching[colour]:
        grown |= np.roll(cells, offset)
    return grown


def _dots(grid: Grid, free: Array, wanted: int) -> Array | None:
    """So many of the free cells that do not touch each other: one after the other, in any direction of reading."""
    pixels = grid.pixels.reshape(grid.shape)
    for image, down, right in itertools.product((pixels, pixels.T), (1, -1), (1, -1)):
        reading = image[::down, ::right].ravel()
        left = free.tolist()
        dots: list[int] = []
        for cell in reading[free[reading]].tolist():
            if len(dots) < wanted and left[cell]:
                dots.append(cell)
                for offset in grid.touching[True]:
                    left[cell + offset] = False
        if len(dots) == wanted:
            return np.array(dots, dtype=int)
    return None
