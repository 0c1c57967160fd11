"""Edits against components, holes, cavities and tunnels that are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from topoprior.refinement.editing.levels import along_living_bars
from topoprior.refinement.editing.paths import joining_paths

if TYPE_CHECKING:
    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array, Regions


class Edit(NamedTuple):
    """Cells to give this colour, what that adds to the cost, and in which dimension there are too many."""

    cost: float
    cells: Array
    colour: bool
    dimension: int


def removals(canvas: Canvas) -> list[Edit]:
    """Edits worth a try, the cheapest first.

    To turn a whole region removes it and makes its neighbours one. A path through the other colour makes two regions
    one. So each of these lowers one Betti number by one, unless a path also closes a bay. Tunnels in 3-D are cut or
    filled along the bars of the map.
    """
    dimensions = canvas.dimensions_of_regions
    surplus = {colour: canvas.surplus(k) for colour, k in dimensions.items()}
    edits: list[Edit] = []
    if any(number > 0 for number in surplus.values()):
        found = canvas.regions()
        edits += _whole_regions(canvas, found)
        for colour, needed in surplus.items():
            if needed > 0:
                known = sorted(edit.cost for edit in edits if edit.colour != colour)
                limit = known[needed - 1] if len(known) >= needed else np.inf
                paths = joining_paths(canvas.grid, found, colour, canvas.toll, limit=limit, enough=needed)
                edits += [Edit(path.cost, np.array(path.cells), colour, dimensions[colour]) for path in paths]
    if len(canvas.grid.shape) == 3 and canvas.surplus(1) > 0:
        for cells, colour in along_living_bars(canvas, 1):
            turned = cells[canvas.mask[cells] != colour]
            edits.append(Edit(float(canvas.balance(canvas.mask)[turned].sum()), turned, colour, 1))
    return sorted(edits, key=lambda edit: edit.cost)


def _whole_regions(canvas: Canvas, found: Regions) -> list[Edit]:
    """All regions whose removal brings the Betti numbers nearer, as far as they can be foretold."""
    order = np.argsort(found.label, kind="stable")
    ends = np.searchsorted(found.label[order], np.arange(len(found.colour) + 1))
    weight = canvas.weights(canvas.mask, found)
    edits = []
    for region, (colour, degree) in enumerate(zip(found.colour.tolist(), found.degree.tolist(), strict=True)):
        fewer = canvas.betti - _betti_without(canvas, colour, degree)
        if region != found.outside and canvas.distance(canvas.betti - fewer) < canvas.error:
            dimension = next(k for k, number in enumerate(fewer) if number > 0 and canvas.surplus(k) > 0)
            cells = order[ends[region] : ends[region + 1]]
            edits.append(Edit(float(weight[region]), cells, not colour, dimension))
    return edits


def _betti_without(canvas: Canvas, colour: bool, degree: int) -> Array:
    """Betti numbers once a region of this colour and so many neighbours is gone; tunnels are taken to stay."""
    betti = canvas.betti.copy()
    for other, dimension in canvas.dimensions_of_regions.items():
        betti[dimension] -= 1 if other == colour else degree - 1
    return np.maximum(betti, 0)
