"""The cheapest ways to join regions, to go around a pixel, and how far each pixel is from the other colour.

All of them are Dijkstra's algorithm on pixels. A step onto a pixel costs what it costs to turn it; a pixel that has the
wanted colour already costs nothing. Each turned pixel costs ``LEAST`` more, times the length of the step, so that among
equals the shorter way wins.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array, Grid, Regions

LEAST = 1e-6


class Path(NamedTuple):
    """Pixels to turn, and what it costs."""

    cost: float
    cells: list[int]


def joining_paths(grid: Grid, found: Regions, colour: bool, price: Array, *, limit: float, enough: int) -> list[Path]:
    """The cheapest path for each pair of regions of this colour whose surroundings meet, the cheapest first.

    Fronts grow from all regions at once. Two that meet give a path; a path not yet found is at least as dear as the
    front is far, so the search ends beyond ``limit``, or once ``enough`` paths are known to be the cheapest.

    Args:
        grid: The geometry.
        found: Its regions.
        colour: Which regions to join.
        price: What it costs to turn each cell.
        limit: No path beyond this cost.
        enough: Number of paths after which to stop.
    """
    label, prices = found.label, price.tolist()
    steps = [(offset, LEAST * grid.length[offset]) for offset in grid.touching[colour]]
    ours = (label >= 0) & (found.colour[label] == colour)
    free = grid.inside & ~ours
    heap: list[tuple[float, int, int, int]] = []
    for offset, least in steps:
        cells = np.flatnonzero(free)
        cells = cells[ours[cells + offset]]
        heap += [
            (prices[c] + least, c, o, -1) for c, o in zip(cells.tolist(), label[cells + offset].tolist(), strict=True)
        ]
    heap = [entry for entry in set(heap) if entry[0] <= limit]
    heapq.heapify(heap)
    can = free.tolist()
    settled: dict[int, tuple[float, int, int]] = {}
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for popped in itertools.count():
        if not heap:
            break
        far, cell, owner, before = heapq.heappop(heap)
        # Now and then suffices: the count takes as long as there are pairs.
        if far > limit or (popped % 64 == 0 and sum(meeting[0] <= far for meeting in best.values()) >= enough):
            break
        if cell in settled:
            distance, other, _ = settled[cell]
            total = far + distance - prices[cell] - LEAST
            pair = (min(owner, other), max(owner, other))
            if other != owner and total <= limit and (pair not in best or total < best[pair][0]):
                best[pair] = (total, before, cell)
            continue
        settled[cell] = (far, owner, before)
        for offset, least in steps:
            after = cell + offset
            if can[after] and after != before:
                known = settled.get(after)
                if known is None or known[1] != owner:
                    heapq.heappush(heap, (far + prices[after] + least, after, owner, cell))

    def chain(cell: int) -> list[int]:
        cells = []
        while cell >= 0:
            cells.append(cell)
            cell = settled[cell][2]
        return cells

    return sorted(Path(total, chain(one) + chain(two)) for total, one, two in best.values())


def separating_curve(
    grid: Grid, mask: Array, colour: bool, price: Array, *, start: int, around: int, other: int
) -> Path | None:
    """The cheapest closed curve of this colour through ``start`` that has ``around`` and ``other`` on its two sides.

    Draw a ray from each of the two pixels to the right, just below its row. A closed curve separates them if it
    crosses the two rays an odd number of times together, so the search runs over pairs of a cell and a parity.

    Args:
        grid: The geometry, of two axes.
        mask: The mask in cells.
        colour: Colour of the curve.
        price: What it costs to turn each cell.
        start: A cell of this colour.
        around: A pixel that the curve must not touch.
        other: Another.

    Returns:
        The pixels to turn; None if there is no such curve.
    """
    have = (mask == colour) & ~grid.wall
    can = (grid.inside | have).tolist()
    can[around] = can[other] = False
    cost = np.where(have, 0.0, price).tolist()
    have_list = have.tolist()
    width = grid.padded_shape[1]
    moves = [
        (step[0], step[1], offset, LEAST * grid.length[offset])
        for step, offset in zip(grid.steps, grid.around, strict=True)
        if offset in grid.touching[colour]
    ]
    rays = [divmod(around, width), divmod(other, width)]
    distance = {(start, 0): 0.0}
    previous: dict[tuple[int, int], tuple[int, int]] = {}
    heap = [(0.0, start, 0)]
    done: set[tuple[int, int]] = set()
    while heap:
        far, cell, side = heapq.heappop(heap)
        if (cell, side) in done:
            continue
        if (cell, side) == (start, 1):
            break
        done.add((cell, side))
        row, column = divmod(cell, width)
        for down, right, offset, least in moves:
            after = cell + offset
            if not can[after]:
                continue
            turned = side
            if down:
                upper = min(row, row + down)
                for ray_row, ray_column in rays:
                    turned ^= upper == ray_row and 2 * column + right > 2 * ray_column
            total = far + cost[after] + (0.0 if have_list[after] else least)
            if total < distance.get((after, turned), np.inf):
                distance[after, turned] = total
                previous[after, turned] = (cell, side)
                heapq.heappush(heap, (total, after, turned))
    else:
        return None
    cells, state = set(), (start, 1)
    while state != (start, 0):
        if not have[state[0]]:
            cells.add(state[0])
        state = previous[state]
    return Path(distance[start, 1], sorted(cells))


def distance_to_other_colour(grid: Grid, mask: Array, colour: bool, price: Array) -> tuple[Array, Array]:
    """For each pixel of this colour what it costs the other colour to get there, and the cell that it comes from.

    Returns:
        Distance per cell, 0 on the other colour, infinite where there is none of it; and the nearest cell of the
        other colour, -1 where there is none.
    """
    touching = grid.touching[not colour]
    steps = [(offset, LEAST * grid.length[offset]) for offset in touching]
    free = grid.inside & (mask == colour)
    sources = np.flatnonzero(~grid.wall & (mask != colour))
    distance = np.full(grid.size, np.inf)
    distance[sources] = 0.0
    origin = np.full(grid.size, -1)
    origin[sources] = sources
    prices, can, far_list, from_list = price.tolist(), free.tolist(), distance.tolist(), origin.tolist()
    rim = np.zeros(grid.size, dtype=bool)
    for offset in touching:
        rim[sources[free[sources + offset]]] = True
    heap = [(0.0, cell) for cell in np.flatnonzero(rim).tolist()]
    while heap:
        far, cell = heapq.heappop(heap)
        if far > far_list[cell]:
            continue
        for offset, least in steps:
            after = cell + offset
            if can[after] and (total := far + prices[after] + least) < far_list[after]:
                far_list[after] = total
                from_list[after] = from_list[cell]
                heapq.heappush(heap, (total, after))
    return np.array(far_list), np.array(from_list)
