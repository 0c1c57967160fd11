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
    """Cells to give this colour, and what that adds to the cost."""

    cost: float
    cells: Array
    colour: bool


def removals(canvas: Canvas) -> list[Edit]:
    """Edits worth a try, the cheapest first.

    To turn a whole region removes it and makes its neighbours one. A path through the other colour makes two regions
    one. So each of these lowers one Betti number by one, unless a path also closes a bay. Tunnels in 3-D are cut or
    filled along the bars of the map.
    """
    surplus = {colour: canvas.surplus(k) for colour, k in canvas.dimensions_of_regions.items()}
    edits: list[Edit] = []
    if any(number > 0 for number in surplus.values()):
        found = canvas.regions()
        edits += _whole_regions(canvas, found)
        for colour, needed in surplus.items():
            if needed > 0:
                known = sorted(edit.cost for edit in edits if edit.colour != colour)
                limit = known[needed - 1] if len(known) >= needed else np.inf
                paths = joining_paths(canvas.grid, found, colour, canvas.toll, limit=limit, enough=needed)
                edits += [Edit(path.cost, np.array(path.cells), colour) for path in paths]
    if len(canvas.grid.shape) == 3 and canvas.surplus(1) > 0:
        for cells, colour in along_living_bars(canvas, 1):
            edits.append(Edit(float(canvas.balance(canvas.mask)[cells].sum()), cells, colour))
    return sorted(edits, key=lambda edit: edit.cost)


def _whole_regions(canvas: Canvas, found: Regions) -> list[Edit]:
    """All regions whose removal brings the Betti numbers nearer, as far as they can be foretold."""
    order = np.argsort(found.label, kind="stable")
    ends = np.searchsorted(found.label[order], np.arange(len(found.colour) + 1))
    weight = canvas.weights(canvas.mask, found)
    kinds = {(bool(colour), int(degree)) for colour, degree in zip(found.colour, found.degree, strict=True)}
    helps = {kind: canvas.distance(_betti_without(canvas, *kind)) < canvas.error for kind in kinds}
    return [
        Edit(float(weight[region]), order[ends[region] : ends[region + 1]], not colour)
        for region, (colour, degree) in enumerate(zip(found.colour.tolist(), found.degree.tolist(), strict=True))
        if helps[colour, degree] and region != found.outside
    ]


def _betti_without(canvas: Canvas, colour: bool, degree: int) -> Array:
    """Betti numbers once a region of this colour and so many neighbours is gone; tunnels are taken to stay."""
    betti = canvas.betti.copy()
    for other, dimension in canvas.dimensions_of_regions.items():
        betti[dimension] -= 1 if other == colour else degree - 1
    return np.maximum(betti, 0)
