"""Masks that have wanted Betti numbers, for when no edit of the map leads there.

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

All numbers that fit were counted, row by row, in images of up to 5 x 24 and 8 x 12 pixels. In the former there is a
layout for all of them; in the latter 1 in 50 of the
largest is missed, by one hole.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from topoprior.refinement.editing.capacity import dual
from topoprior.refinement.editing.grid import Grid
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Boundary, Construction

DECIDED = (5, 24)


def layout(
    shape: tuple[int, ...], construction: Construction, boundary: Boundary, betti: tuple[int, ...]
) -> Array | None:
    """A mask with these Betti numbers, or None if this way there is none.

    Examples:
        >>> layout((4, 6), "T", "background", (2, 1)).astype(int)
        array([[0, 1, 0, 0, 1, 0],
               [1, 0, 1, 0, 0, 0],
               [0, 1, 0, 0, 0, 0],
               [0, 0, 0, 0, 0, 0]])
    """
    if boundary == "foreground":
        if len(shape) == 1:
            inner = layout((max(shape[0] - 2, 0),), construction, "background", (betti[0] - 1,))
            return None if inner is None else np.pad(inner, 1)[: shape[0]]
        other = layout(shape, *dual(construction, betti))
        return None if other is None else ~other
    if betti[0] == 0:
        return None if any(betti[1:]) else np.zeros(shape, dtype=bool)
    if 0 in shape:
        return None
    if len(shape) == 3:
        return _volume(shape, betti)
    grid = Grid((1, *shape)[-2:], construction, "background")
    holes = betti[1] if len(shape) == 2 else 0
    for pierced in _pierced(grid, holes):
        body = _with_neighbours(grid, pierced, False)
        dots = _dots(grid, grid.inside & ~_with_neighbours(grid, body, True), betti[0] - bool(holes))
        if dots is not None:
            cells = body & ~pierced
            cells[dots] = True
            mask = grid.image(cells).reshape(shape)
            found = betti_numbers(mask[None, None], construction=construction, boundary=boundary)
            if tuple(found.flatten().tolist()) == betti:
                return mask
    return None


def is_decided(shape: tuple[int, ...]) -> bool:
    """Whether it is known that what has no layout does not fit into a plane image of this shape."""
    return len(shape) == 1 or (min(shape) <= DECIDED[0] and max(shape) <= DECIDED[1])


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


def _volume(shape: tuple[int, ...], betti: tuple[int, ...]) -> Array | None:
    """A box with cavities, a plate with holes at its end, dots beside them; along the axis where they fit."""
    components, tunnels, cavities = betti
    box, plate = 2 * cavities + 1 if cavities else 0, 2 * tunnels + 1 if tunnels else 0
    middle = 1 if cavities else 0
    for axes in itertools.permutations(range(3)):
        turned = tuple(shape[axis] for axis in axes)
        needed = (3 if cavities else 1, 3 if box + plate else 1, box + plate)
        if any(side < need for side, need in zip(turned, needed, strict=True)):
            continue
        mask = np.zeros(turned, dtype=bool)
        mask[:3, :3, :box] = cavities > 0
        mask[1, 1, 1:box:2] = False
        mask[middle, :3, box : box + plate] = True
        mask[middle, 1, box + 1 : box + plate : 2] = False
        i, j, k = np.indices(turned)
        near = (i <= needed[0]) & (j <= needed[1]) & (k <= needed[2]) if box + plate else np.zeros(turned, dtype=bool)
        even = np.logical_and.reduce(
            [(side - 1 - index) % 2 == 0 for side, index in zip(turned, (i, j, k), strict=True)]
        )
        free = np.argwhere(even & ~near)
        wanted = components - bool(box + plate)
        if len(free) >= wanted:
            mask[tuple(free[:wanted].T)] = True
            return mask.transpose(np.argsort(axes))
    return None
