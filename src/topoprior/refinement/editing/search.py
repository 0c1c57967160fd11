"""From a map to a mask with the wanted Betti numbers, by elementary edits.

Every edit is tried, the Betti numbers are counted anew, and it is kept only if their distance to the prior has become
smaller. That distance is a whole number, so the search ends. Where no edit helps any more, a layout that is known to be
right is deformed towards the map. So wherever a layout fits, the end is right.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from topoprior.refinement.editing.deformation import deform
from topoprior.refinement.editing.features import features
from topoprior.refinement.editing.layouts import layout
from topoprior.refinement.editing.removals import removals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array

PLACES = 9  # to try along each axis for a layout


def search(canvas: Canvas) -> None:
    """Edit until the Betti numbers are right or nothing helps any more, then take back what was not needed."""
    while canvas.error and (_remove(canvas) or _create(canvas)):
        pass
    if canvas.error:
        start = min(_starts(canvas), key=canvas.cost, default=None)
        if start is not None:
            canvas.keep(start)
    mended = deform(canvas.grid, canvas.mask, canvas.original, canvas.price)
    if (mended != canvas.mask).any():
        canvas.keep(mended)


def _remove(canvas: Canvas) -> bool:
    """One round of edits against what is too many, the cheapest first; whether one was kept."""
    progress = False
    for _, cells, colour, dimension in removals(canvas):
        # What was proposed for a surplus that has gone meanwhile could only do harm.
        if canvas.surplus(dimension) <= 0:
            continue
        mask = canvas.with_cells(cells, colour)
        if canvas.keep_if_nearer(mask):
            progress = True
        elif not progress and (tidy := canvas.without_pockets(mask, cells, colour)) is not None:
            progress = canvas.keep_if_nearer(tidy)
    return progress


def _create(canvas: Canvas) -> bool:
    """One edit for something that is missing; whether one was kept."""
    missing = (k for k in range(len(canvas.grid.shape)) if canvas.surplus(k) < 0)
    return any(canvas.keep_if_nearer(mask) for k in missing for mask in features(canvas, k))


def _starts(canvas: Canvas) -> Iterator[Array]:
    """Masks that have the wanted numbers for sure, as near to the map as their shape can be brought."""
    grid = canvas.grid
    lower, upper = least_betti(canvas.lower, grid.outside_colour), canvas.upper
    for wanted in {tuple(np.clip(canvas.betti, lower, upper).tolist()), tuple(lower.tolist())}:
        plan = layout(grid.shape, grid.construction, grid.boundary, wanted)
        if plan is not None:
            start = grid.embedded(_placed(canvas, plan), grid.outside_colour)
            if not canvas.distance(canvas.count(start)):
                yield deform(grid, start, canvas.original, canvas.price)


def _placed(canvas: Canvas, plan: Array) -> Array:
    """The layout, mirrored and moved to where it fits the map best."""
    grid = canvas.grid
    outside = grid.outside_colour
    used = np.argwhere(plan != outside)
    if not len(used):
        return plan
    low, high = used.min(0), used.max(0) + 1
    pattern = plan[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] != outside
    price = grid.image(canvas.price)
    gain = np.where(grid.image(canvas.original) != outside, price, -price)
    best, where = -np.inf, (pattern, tuple(slice(a, b) for a, b in zip(low, high, strict=True)))
    for flips in itertools.product((1, -1), repeat=plan.ndim):
        turned = pattern[tuple(slice(None, None, flip) for flip in flips)]
        room = [a - b for a, b in zip(plan.shape, pattern.shape, strict=True)]
        for corner in itertools.product(*(sorted(set(np.linspace(0, a, PLACES, dtype=int).tolist())) for a in room)):
            window = tuple(slice(a, a + b) for a, b in zip(corner, pattern.shape, strict=True))
            if (fit := float(gain[window][turned].sum())) > best:
                best, where = fit, (turned, window)
    placed = np.full(plan.shape, outside)
    placed[where[1]] ^= where[0]
    return placed


def least_betti(lower: Array, outside: bool) -> Array:
    """The smallest Betti numbers of any mask that has at least these: what has a hole has a component."""
    least = lower.copy()
    least[0] = max(least[0], outside or lower[1:].any())
    return least
