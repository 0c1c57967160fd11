"""Which Betti numbers fit into an image, and a mask that has them.

**Bounds** of an image of m x n pixels, ``boundary="background"``; halves are rounded up:

============  ==============================  ============================================
construction  components, at most             holes, at most (a hole never touches the frame)
============  ==============================  ============================================
``"T"``       m/2 * n/2                       (m - 2)(n - 2) / 2
``"V"``       m n / 2                         (m - 2)/2 * (n - 2)/2
============  ==============================  ============================================

Of regions that touch by corners each of the m/2 * n/2 blocks of 2 x 2 pixels meets at most one; of regions that touch
by faces each domino meets at most one. So no image has more.

**Layouts.** A body in one corner of the image holds all holes, dots fill the rest:

    T, holes in the pattern of a chessboard      V, holes two apart
    # # # # . #                                  # # # # # #
    # . # # . .                                  # . # . # .
    # # . # . #                                  # # # # # #
    # # # . . .   <- this corner is not needed   . # . # . #
    . . . . # .                                  # . # . # .

With one component, or without holes, the layouts reach the bounds. With both they may fall short of what fits by very
few: all masks of 3 x 3 to 3 x 6, 4 x 4 and 4 x 5 pixels were counted, and only (2, 2) in 4 x 5 for T has no layout.
Where there is none, images of up to `ENUMERABLE` pixels are decided by looking at all masks.

``boundary="foreground"`` is the same thing with both colours and both constructions exchanged: the complement has
b1 + 1 components (or none, if b1 = 0) and b0 - 1 holes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Boundary, Construction

ENUMERABLE = 18


def half(number: int) -> int:
    """Half of it, rounded up."""
    return (number + 1) // 2


def exceeds_bounds(
    shape: tuple[int, ...], construction: Construction, boundary: Boundary, betti: tuple[int, ...]
) -> bool:
    """Whether no mask of this shape, of one or two axes, can have these Betti numbers or larger ones."""
    if boundary == "foreground":
        return (
            exceeds_bounds(shape, *_dual(construction, betti)) if len(shape) == 2 else betti[0] - 1 > half(shape[0] - 2)
        )
    if len(shape) == 1:
        return betti[0] > half(shape[0])
    m, n = shape
    inner = (max(m - 2, 0), max(n - 2, 0))
    if construction == "T":
        most = half(m) * half(n), half(inner[0] * inner[1])
    else:
        most = half(m * n), half(inner[0]) * half(inner[1])
    return betti[0] > most[0] or betti[1] > most[1] or (betti[0] == 0 and betti[1] > 0)


def _dual(construction: Construction, betti: tuple[int, ...]) -> tuple[Construction, Boundary, tuple[int, ...]]:
    """What the complement has, its outside being background."""
    other: Construction = "V" if construction == "T" else "T"
    parts = betti[-1] + 1 if betti[-1] or betti[0] > 1 or any(betti[1:-1]) else 0
    return other, "background", (parts, *betti[1:-1], betti[0] - 1)


def layout(
    shape: tuple[int, ...], construction: Construction, boundary: Boundary, betti: tuple[int, ...]
) -> Array | None:
    """A mask with these Betti numbers, or None if this way there is none.

    Examples:
        >>> layout((4, 6), "T", "background", (2, 1)).astype(int)
        array([[1, 1, 1, 0, 0, 0],
               [1, 0, 1, 0, 0, 1],
               [1, 1, 0, 0, 0, 0],
               [0, 0, 0, 0, 0, 0]])
    """
    if boundary == "foreground":
        if len(shape) == 1:
            inner = layout((max(shape[0] - 2, 0),), construction, "background", (betti[0] - 1,))
            return None if inner is None else np.pad(inner, 1)[: shape[0]]
        other = layout(shape, *_dual(construction, betti))
        return None if other is None else ~other
    if any(betti[1:]) and betti[0] == 0:
        return None
    if len(shape) == 3:
        return _volume(shape, betti)
    rows, columns = (1, *shape)[-2:]
    holes = betti[1] if len(shape) == 2 else 0
    for body in _bodies(rows, columns, construction, holes):
        free = np.argwhere(_dots(rows, columns, body.shape, construction))
        wanted = betti[0] - bool(holes)
        if len(free) >= wanted:
            mask = np.zeros((rows, columns), dtype=bool)
            mask[: body.shape[0], : body.shape[1]] = body
            mask[tuple(free[:wanted].T)] = True
            return mask.reshape(shape)
    return None


def _bodies(rows: int, columns: int, construction: Construction, holes: int) -> Iterator[Array]:
    """One component with so many holes: for each height the narrowest."""
    if not holes:
        yield np.zeros((0, 0), dtype=bool)
        return
    for height in range(3, rows + 1):
        for width in range(3, columns + 1):
            i, j = np.indices((height, width))
            inner = (i > 0) & (i < height - 1) & (j > 0) & (j < width - 1)
            pierced = np.flatnonzero(inner & ((i + j) % 2 == 0 if construction == "T" else (i % 2 == 1) & (j % 2 == 1)))
            if len(pierced) >= holes:
                body = np.ones((height, width), dtype=bool)
                body.ravel()[pierced[:holes]] = False
                body[-1, -1] = construction == "V"
                yield body
                break


def _dots(rows: int, columns: int, body: tuple[int, ...], construction: Construction) -> Array:
    """Where single pixels can lie that touch neither each other nor the body."""
    i, j = np.indices((rows, columns))
    height, width = body
    if construction == "T":
        far = (i > height) | (j > width) | ((i == height) & (j == width))
        if not height:
            far[:] = True
        dots: Array = far & ((rows - 1 - i) % 2 == 0) & ((columns - 1 - j) % 2 == 0)
        return dots
    near = ((i < height) & (j <= width)) | ((i <= height) & (j < width))
    if not height:
        near[:] = False
    choices: list[Array] = [~near & ((i + j) % 2 == parity) for parity in (0, 1)]
    return choices[int(choices[1].sum() > choices[0].sum())]


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


def cheapest_of_all(
    mask: Array, price: Array, lower: Array, upper: Array, construction: Construction, boundary: Boundary
) -> Array | None:
    """The cheapest of all masks of a tiny image with Betti numbers in a range; None if there is none.

    Args:
        mask: The mask to change, of at most `ENUMERABLE` pixels.
        price: What it costs to turn each pixel, same shape.
        lower: Smallest Betti numbers allowed.
        upper: Largest Betti numbers allowed.
        construction: ``"T"`` or ``"V"``.
        boundary: ``"background"`` or ``"foreground"``.
    """
    every = (np.arange(1 << mask.size)[:, None] >> np.arange(mask.size)) & 1 == 1
    betti = betti_numbers(every.reshape(-1, 1, *mask.shape), construction=construction, boundary=boundary)[:, 0].numpy()
    right = every[((betti >= lower) & (betti <= upper)).all(1)]
    if not len(right):
        return None
    best: Array = right[((right != mask.ravel()) * price.ravel()).sum(1).argmin()]
    return best.reshape(mask.shape)
