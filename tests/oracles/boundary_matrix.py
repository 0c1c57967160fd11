"""Persistent homology of a super-level filtration by the textbook: build the whole complex, reduce its boundary
matrix over F2.

Nothing here is clever. Cells are listed one by one, sorted by the moment they appear, and their boundaries are
reduced column by column with Python sets. It is the slow twin of the compiled core and shares no idea with it (no
duality, no lower links, no union-find).

Grid of cells. Along an axis of n pixels a cell has an integer coordinate; even means a point, odd an interval.

    T-construction, pixels are intervals:   0  1  2  3 ... 2n      pixel i is coordinate 2i + 1
    V-construction, pixels are points:      0  1  2  3 ... 2n - 2  pixel i is coordinate 2i

A cell of the T-construction appears with the first of the pixels whose closed cube contains it; one of the
V-construction with the last of its corner pixels. Pixels appear from high to low value, equal values in row-major
order, and every cell is attributed to "its" pixel.

boundary="foreground": the image gets one layer of outside pixels that appear before all others. All cells that appear
with them are collapsed to one point, the 0-cell "outside". What is left is the box modulo its rim: a CW complex of
the d-sphere.
"""

import itertools

import numpy as np

from oracles.row import Row

OUTSIDE = "outside"


def rows(image, construction="T", boundary="background"):
    """All bars of non-zero length and the essential one, as a sorted list of `Row`."""
    cells = appearance(image, construction, boundary)  # cell -> pixel, in order of appearance
    value = {int(i): float(v) for i, v in enumerate(image.ravel())} | {-1: 1.0}
    pairs, essential = reduce_boundaries(list(cells), lambda cell: faces(cell, cells))
    found = [
        Row(dimension(a), value[cells[a]], value[cells[b]], cells[a], cells[b])
        for a, b in pairs
        if value[cells[a]] != value[cells[b]]
    ]
    kept = [cell for cell in essential if dimension(cell) < image.ndim]  # drops the class of the whole sphere
    assert [dimension(cell) for cell in kept] == [0]
    return sorted([*found, Row(0, value[cells[kept[0]]], 0.0, cells[kept[0]], -1)])


def dimension(cell):
    return 0 if cell == OUTSIDE else sum(c % 2 for c in cell)


def appearance(image, construction, boundary):
    """Dictionary from cell to the flat index of its pixel (-1: outside), in order of appearance."""
    pad = int(boundary == "foreground")
    order = sorted(range(image.size), key=lambda i: (-image.ravel()[i], i))
    rank = np.full(image.shape, -1)
    rank.ravel()[order] = range(image.size)
    rank = np.pad(rank, pad, constant_values=-1)
    size = [2 * n + 1 if construction == "T" else 2 * n - 1 for n in rank.shape]
    first_or_last = min if construction == "T" else max
    ranked = {}
    for cell in itertools.product(*map(range, size)):
        owner = first_or_last(int(rank[pixel]) for pixel in pixels_of(cell, construction, rank.shape))
        if owner >= 0:
            ranked[cell] = owner
    cells = {OUTSIDE: -1} if pad else {}
    for cell in sorted(ranked, key=lambda cell: (ranked[cell], dimension(cell), cell)):
        cells[cell] = order[ranked[cell]]
    return cells


def pixels_of(cell, construction, shape):
    """T: the pixels whose closed cube contains the cell. V: the cell's corners."""
    choices = []
    for c, n in zip(cell, shape, strict=True):
        if construction == "T":
            near = [c // 2] if c % 2 else [c // 2 - 1, c // 2]
        else:
            near = [c // 2, c // 2 + 1] if c % 2 else [c // 2]
        choices.append([i for i in near if 0 <= i < n])
    return itertools.product(*choices)


def faces(cell, cells):
    """The boundary over F2, a set of cells; a collapsed face is nothing, a collapsed point is the outside."""
    boundary = set()
    if cell == OUTSIDE:
        return boundary
    for axis, c in enumerate(cell):
        if c % 2:
            for step in (-1, 1):
                face = (*cell[:axis], c + step, *cell[axis + 1 :])
                if face not in cells:
                    if dimension(face) > 0:
                        continue
                    face = OUTSIDE
                boundary ^= {face}
    return boundary


def reduce_boundaries(cells, boundary_of):
    """The standard algorithm: (birth cell, death cell) pairs and the unpaired cells."""
    place = {cell: i for i, cell in enumerate(cells)}
    reduced, killer = {}, {}
    for cell in cells:
        column = boundary_of(cell)
        while column and (lowest := max(column, key=place.__getitem__)) in killer:
            column = column ^ reduced[killer[lowest]]
        if column:
            reduced[cell] = column
            killer[lowest] = cell
    paired = set(killer) | set(killer.values())
    return list(killer.items()), [cell for cell in cells if cell not in paired]
