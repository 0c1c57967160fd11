"""The pixels of an image and the cells around it, flat, and who touches whom.

    w w w w w w      w  wall: belongs to nothing, so that an offset from any other cell stays inside the array
    w o o o o w      o  outside: one immovable region, background or foreground as `boundary` says
    w o . . o w      .  the image
    w o o o o w
    w w w w w w

Colours are booleans: True is foreground. What touches depends on the colour (T-construction: 8 / 26 for foreground,
4 / 6 for background; V: the other way round). Regions are the components of both colours. In the plane they form a
tree (two neighbouring regions, one of either colour, are an edge), so that

    b0 = regions of foreground,    b1 = regions of background - 1,

and to turn the colour of a whole region merges all its neighbours: its own colour loses one, the other degree - 1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from topoprior.topology.filtration import Boundary, Construction

Array: TypeAlias = "np.ndarray[Any, Any]"
MARGIN = 2  # one cell of outside, one of wall


class Grid:
    """Geometry of an image of this shape under one convention.

    Attributes:
        touching: Offsets to the cells that touch, for either colour; indexed by colour.
        length: Of the step that each offset is.
        inside: Flat boolean array, the image's own pixels.
        outside: Flat indices of the cells of the outside.
        outside_colour: True with ``boundary="foreground"``.
    """

    def __init__(self, shape: tuple[int, ...], construction: Construction, boundary: Boundary) -> None:
        self.shape, self.construction, self.boundary = shape, construction, boundary
        self.padded_shape = tuple(side + 2 * MARGIN for side in shape)
        self.size = int(np.prod(self.padded_shape))
        self.strides = tuple(int(np.prod(self.padded_shape[axis + 1 :])) for axis in range(len(shape)))
        self.steps = [step for step in itertools.product((-1, 0, 1), repeat=len(shape)) if any(step)]
        corners = [self._offset(step) for step in self.steps]
        self.faces = [self._offset(step) for step in self.steps if sum(map(abs, step)) == 1]
        self.touching = (
            {True: corners, False: self.faces} if construction == "T" else {True: self.faces, False: corners}
        )
        self.around = corners
        self.length = {offset: sqrt(sum(map(abs, step))) for offset, step in zip(corners, self.steps, strict=True)}
        self.outside_colour = boundary == "foreground"
        layer = np.pad(np.full(shape, 2), 1, constant_values=1)
        kind = np.pad(layer, 1, constant_values=0).ravel()
        self.inside, self.wall, self.outside = kind == 2, kind == 0, np.flatnonzero(kind == 1)
        self.pixels = np.flatnonzero(self.inside)  # flat index in the image -> cell

    def _offset(self, step: tuple[int, ...]) -> int:
        return sum(s * stride for s, stride in zip(step, self.strides, strict=True))

    def embedded(self, image: Array, fill: float | bool) -> Array:
        """The image's values, flat, in their cells; ``fill`` elsewhere."""
        cells = np.full(self.size, fill, dtype=image.dtype)
        cells[self.pixels] = image.ravel()
        return cells

    def image(self, cells: Array) -> Array:
        """The inverse of `embedded`."""
        return cells[self.pixels].reshape(self.shape)

    def adjacency_of(self, colour: bool) -> Construction:
        """The construction in which foreground touches as this colour does here."""
        return "T" if self.touching[colour] is self.around else "V"

    def coordinates(self, cell: int) -> tuple[int, ...]:
        """Padded coordinates of a cell."""
        return tuple(int(c) for c in np.unravel_index(cell, self.padded_shape))


@dataclass(frozen=True, eq=False)
class Regions:
    """The components of both colours.

    Attributes:
        label: Region of every cell; -1 in the wall.
        colour: Of every region.
        degree: Number of neighbouring regions.
        outside: The region of the outside.
    """

    label: Array
    colour: Array
    degree: Array
    outside: int


def regions(grid: Grid, mask: Array) -> Regions:
    """All regions of a mask given in cells."""
    first, second = [grid.outside[:-1]], [grid.outside[1:]]
    for colour in (False, True):
        present = (mask == colour) & ~grid.wall
        for offset in grid.touching[colour]:
            if offset > 0:
                start = np.flatnonzero(present[:-offset] & present[offset:])
                first.append(start)
                second.append(start + offset)
    root = _roots(grid.size, np.concatenate(first), np.concatenate(second))
    root[grid.wall] = -1
    cells = np.flatnonzero(~grid.wall)
    representatives, compact = np.unique(root[cells], return_inverse=True)
    label = np.full(grid.size, -1)
    label[cells] = compact
    return Regions(label, mask[representatives], _degrees(grid, label, len(representatives)), label[grid.outside[0]])


def _roots(size: int, first: Array, second: Array) -> Array:
    """Smallest member of every component of a graph, by hooking larger roots to smaller ones and halving the way."""
    parent = np.arange(size)
    while len(first):
        a, b = parent[first], parent[second]
        apart = a != b
        first, second, a, b = first[apart], second[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while (above := parent[parent]).tobytes() != parent.tobytes():
            parent = above
    return parent


def _degrees(grid: Grid, label: Array, number: int) -> Array:
    edges = []
    for offset in grid.faces:
        if offset > 0:
            a, b = label[:-offset], label[offset:]
            apart = (a != b) & (a >= 0) & (b >= 0)
            edges.append(np.minimum(a[apart], b[apart]) * number + np.maximum(a[apart], b[apart]))
    pairs = np.unique(np.concatenate(edges))
    return np.bincount(pairs // number, minlength=number) + np.bincount(pairs % number, minlength=number)
