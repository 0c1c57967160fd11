"""Close the pockets of a volume: parts of a region that are wide inside and narrow at their mouth.

The background in an open shell has a pocket, and so have two balls that touch. Let the other colour grow everywhere at
the price of the map. It closes the mouth before it fills the pocket, even where the map shows no trace of a wall. From
there the pocket and the rest grow back, first where the other colour came last, and the cells where they meet make a
wall across the mouth:

    # # # # # #        # # # # # #        # # # # # #
    # . . . . .        # p . . . .        # p p # r r
    # . . . # #   ->   # p p . # #   ->   # p p # # #        p  pocket
    # . . . . .        # p . . r r        # p p # r r        r  rest
    # # # # # .        # # # # # r        # # # # # r
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.refinement.editing.deformation import deform
from topoprior.refinement.editing.grid import regions
from topoprior.refinement.editing.levels import connected
from topoprior.refinement.editing.paths import distance_to_other_colour
from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array, Grid

MOST_POCKETS = 3


def closed_pockets(canvas: Canvas, colour: bool) -> Iterator[Array]:
    """Masks with a pocket of this colour closed, the best first: most would be lost by filling it, less what it costs.

    Walls are made thin by deformation.
    """
    grid = canvas.grid
    far, _ = distance_to_other_colour(grid, canvas.mask, colour, canvas.toll)
    image = grid.image(far)
    if not np.isfinite(image).all() or not image.any():
        return
    found = persistence(
        torch.from_numpy(image / image.max())[None, None],
        construction=grid.adjacency_of(colour),
        boundary="foreground" if grid.outside_colour == colour else "background",
        dimensions=(0,),
    )
    merged = (found.deaths > 0) & (found.death_index >= 0)
    tried: list[tuple[float, int, Array]] = []
    ends = grid.pixels[torch.stack([found.birth_index[merged], found.death_index[merged]], 1).numpy()]
    for deepest, mouth in ends[:MOST_POCKETS].tolist():
        wall = _wall(grid, canvas.mask, colour, far, deepest, far[mouth])
        thin = deform(grid, canvas.with_cells(wall, not colour), canvas.mask, canvas.price)
        price = canvas.cost(thin) - canvas.cost(canvas.mask)
        after = regions(grid, thin)
        worth = canvas.weights(thin, after)[after.label[deepest]]
        tried.append((price - worth, len(tried), thin))
    yield from (mask for _, _, mask in sorted(tried, key=lambda entry: entry[:2]))


def _wall(grid: Grid, mask: Array, colour: bool, far: Array, deepest: int, mouth: float) -> Array:
    """Where the pocket meets the rest: the outside, and all that is as far from the other colour as the pocket."""
    touching = grid.touching[colour]
    here = (mask == colour) & ~grid.wall
    side = np.zeros(grid.size, dtype=int)
    side[here & (~grid.inside | (far >= far[deepest]))] = 2
    side[connected(grid.inside & here & (far > mouth), deepest, touching)] = 1
    left = here & (side == 0)
    queued = np.zeros(grid.size, dtype=bool)
    for offset in touching:
        start = np.flatnonzero(left)
        queued[start[side[start + offset] > 0]] = True
    heights, sides, free = far.tolist(), side.tolist(), (left & ~queued).tolist()
    heap = [(-heights[cell], turn, cell) for turn, cell in enumerate(np.flatnonzero(queued).tolist())]
    heapq.heapify(heap)
    turn, wall = len(heap), []
    while heap:
        _, _, cell = heapq.heappop(heap)
        around = {sides[cell + offset] for offset in touching} - {0}
        if len(around) > 1:
            wall.append(cell)
            continue
        (sides[cell],) = around
        for offset in touching:
            after = cell + offset
            if free[after]:
                free[after] = False
                turn += 1
                heapq.heappush(heap, (-heights[after], turn, after))
    return np.array(wall, dtype=int)
