"""Bring a mask as near to another one as its topology allows.

A pixel is simple if turning it changes no Betti number. Whether it is, its nearest neighbours tell: there must be
exactly one component of either colour around it that touches it (Bertrand and Malandain 1994, in 2-D and 3-D for 8 / 4,
4 / 8, 26 / 6 and 6 / 26). Turning simple pixels one after the other, those first about which the map is surest, ends in
a mask with the topology of the first and as many pixels of the second as this gives: what homotopic region growing
does.
"""

from __future__ import annotations

import heapq
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array, Grid

Step = tuple[int, ...]


class Neighbourhood:
    """Tells which pixels of a mask are simple; patterns seen before are remembered."""

    def __init__(self, grid: Grid) -> None:
        self._around = grid.around
        self._steps: list[Step] = grid.steps
        corners = grid.touching[True] is grid.around
        self._by_corners = {True: corners, False: not corners}
        self._known: dict[tuple[bool, ...], bool] = {}

    def is_simple(self, mask: list[bool], cell: int) -> bool:
        """Whether turning this cell changes no Betti number."""
        pattern = tuple([mask[cell + offset] for offset in self._around])
        known = self._known.get(pattern)
        if known is None:
            known = self._known[pattern] = all(
                self._touching_components(pattern, colour) == 1 for colour in (True, False)
            )
        return known

    def _touching_components(self, pattern: tuple[bool, ...], colour: bool) -> int:
        by_corners = self._by_corners[colour]
        left = {
            step
            for step, value in zip(self._steps, pattern, strict=True)
            if value == colour and (by_corners or sum(map(abs, step)) <= 2)
        }
        count = 0
        while left:
            front = [left.pop()]
            touches = False
            while front:
                here = front.pop()
                touches |= _touch(here, (0,) * len(here), by_corners)
                reached = {there for there in left if _touch(here, there, by_corners)}
                left -= reached
                front.extend(reached)
            count += touches
        return count


@cache
def _touch(one: Step, other: Step, by_corners: bool) -> bool:
    apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
    return max(apart) <= 1 if by_corners else sum(apart) <= 1


def deform(grid: Grid, mask: Array, towards: Array, price: Array) -> Array:
    """The mask with every pixel turned that can be turned towards the other mask without a change of topology.

    Args:
        grid: The geometry.
        mask: The mask to change, in cells.
        towards: The mask to come near to, in cells.
        price: How much each pixel matters; the dearest go first.

    Returns:
        A mask of the topology of ``mask`` that no single pixel brings nearer to ``towards`` without changing it.
    """
    neighbourhood = Neighbourhood(grid)
    wrong = grid.inside & (mask != towards)
    now, differs = mask.tolist(), wrong.tolist()
    heap = [(-price[cell], cell) for cell in np.flatnonzero(wrong).tolist()]
    heapq.heapify(heap)
    while heap:
        _, cell = heapq.heappop(heap)
        if differs[cell] and neighbourhood.is_simple(now, cell):
            now[cell] = not now[cell]
            differs[cell] = False
            for offset in grid.around:
                if differs[cell + offset]:
                    heapq.heappush(heap, (-price[cell + offset], cell + offset))
    return np.array(now)
