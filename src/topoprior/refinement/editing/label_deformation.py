"""Bring a label map nearer to the most probable classes, as far as the topology of all entries allows.

A pixel may take another class if it is simple in every union that has one of both classes: then no Betti number of any
entry changes (see `topoprior.refinement.editing.deformation`).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from topoprior.refinement.editing.deformation import Neighbourhood

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array
    from topoprior.refinement.editing.label_canvas import LabelCanvas


def deform_labels(canvas: LabelCanvas, labels: Array) -> Array:
    """The label map with pixels given more probable classes, the greatest gains first, until none is left.

    Every entry keeps its Betti numbers.
    """
    grid, members = canvas.grid, canvas.members
    classes = range(members.shape[1])
    neighbourhood = Neighbourhood(grid)
    masks = [grid.embedded(row[labels], grid.outside_colour).tolist() for row in members]
    parted = [[np.flatnonzero(members[:, a] != members[:, b]).tolist() for b in classes] for a in classes]
    chance = np.stack([grid.embedded(channel, 0.0) for channel in canvas.probability], 1).tolist()
    now = grid.embedded(labels, -1)
    best = grid.embedded(canvas.original, -1)
    wrong = (now != best).tolist()
    now = now.tolist()
    heap: list[tuple[float, int, int]] = []

    def propose(cell: int) -> None:
        here, mine = chance[cell], now[cell]
        for other in classes:
            if here[other] > here[mine]:
                heapq.heappush(heap, (here[mine] - here[other], cell, other))

    for cell in grid.pixels.tolist():
        if wrong[cell]:
            propose(cell)
    while heap:
        loss, cell, other = heapq.heappop(heap)
        mine = now[cell]
        if loss != chance[cell][mine] - chance[cell][other]:
            continue
        rows = parted[mine][other]
        if not all(neighbourhood.is_simple(masks[row], cell) for row in rows):
            continue
        for row in rows:
            masks[row][cell] = not masks[row][cell]
        now[cell] = other
        for offset in (0, *grid.around):
            if wrong[cell + offset]:
                propose(cell + offset)
    return grid.image(np.array(now))
