"""Which Betti numbers are too many for an image.

**Bounds** of an image of m x n pixels, ``boundary="background"``; halves are rounded up:

============  ==============================  ============================================
construction  components, at most             holes, at most (a hole never touches the frame)
============  ==============================  ============================================
``"T"``       m/2 * n/2                       (m - 2)(n - 2) / 2
``"V"``       m n / 2                         (m - 2)/2 * (n - 2)/2
============  ==============================  ============================================

Of regions that touch by corners each of the m/2 * n/2 blocks of 2 x 2 pixels meets at most one; of regions that touch
by faces each domino meets at most one. So no image has more.

Both together use up the same room:

    T:  4 b0 + 2 b1 + 3/2 (sqrt(1 + 8 b1) - 1)  <=  (m + 1)(n + 1)
    V:  4 b0 + 8 b1 + 2 (sqrt(1 + 16 b1) - 1)   <=  2 m n + m + n

For "T" count the corners of pixels, of which no two components share one. A component of F pixels with h holes and a
perimeter p outside, all sides of its pixels being E, has 1 - h + E - F of them. E is half of 4 F + 4 h + p or more, and
F at least h + p/4, so there are at least 1 + 2 h + 3 p/4 corners; and as F + h pixels lie within the perimeter, p is at
least 2 + sqrt(4 + 32 h). For "V" count the sides, of which no two components share one either: there are at least
2 F + 2 h + p/2. With the last pixel of a hole go the next one to the right, the one below, and the one between them,
all three of the component and of no other hole; the first pixel of each row is none of these; so if the component is r
pixels high and wide, F is at least 3 h + r, there are at least 8 h + 4 r sides, and r r is at least 4 h + r. Either sum
is least if one component has all holes and the others are single pixels.

**Exactly.** All numbers that fit were counted, row by row, in images of up to 5 x 24 and 8 x 12 pixels. In the former
there is a layout for all of them (`topoprior.refinement.editing.plane_layouts`); in the latter 1 in 50 of the largest
is missed, by one hole.

``boundary="foreground"`` is the same thing with both colours and both constructions exchanged: the complement has
b1 + 1 components (or none, if b1 = 0) and b0 - 1 holes.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior.topology.filtration import Boundary, Construction

DECIDED = (5, 24)


def half(number: int) -> int:
    """Half of it, rounded up."""
    return (number + 1) // 2


def exceeds_bounds(
    shape: tuple[int, ...], construction: Construction, boundary: Boundary, betti: tuple[int, ...]
) -> bool:
    """Whether no mask of this shape, of one or two axes, can have these Betti numbers or larger ones.

    Examples:
        Four by four single pixels fill 7 x 7; a hole takes the room of more than one of them:

        >>> exceeds_bounds((7, 7), "T", "background", (16, 0))
        False
        >>> exceeds_bounds((7, 7), "T", "background", (15, 1))
        True
    """
    if boundary == "foreground":
        return (
            exceeds_bounds(shape, *dual(construction, betti)) if len(shape) == 2 else betti[0] - 1 > half(shape[0] - 2)
        )
    if len(shape) == 1:
        return betti[0] > half(shape[0])
    m, n = shape
    inner = (max(m - 2, 0), max(n - 2, 0))
    components, holes = betti
    if construction == "T":
        most = half(m) * half(n), half(inner[0] * inner[1])
        crowded = 4 * components + 2 * holes + 1.5 * (sqrt(1 + 8 * holes) - 1) > (m + 1) * (n + 1)
    else:
        most = half(m * n), half(inner[0]) * half(inner[1])
        crowded = 4 * components + 8 * holes + 2 * (sqrt(1 + 16 * holes) - 1) > 2 * m * n + m + n
    return components > most[0] or holes > most[1] or crowded or (components == 0 and holes > 0)


def is_decided(shape: tuple[int, ...]) -> bool:
    """Whether it is known that what has no layout does not fit into an image of this shape, of one or two axes."""
    return len(shape) == 1 or (min(shape) <= DECIDED[0] and max(shape) <= DECIDED[1])


def dual(construction: Construction, betti: tuple[int, ...]) -> tuple[Construction, Boundary, tuple[int, ...]]:
    """What the complement has, its outside being background."""
    other: Construction = "V" if construction == "T" else "T"
    parts = betti[-1] + 1 if betti[-1] or betti[0] > 1 or any(betti[1:-1]) else 0
    return other, "background", (parts, *betti[1:-1], betti[0] - 1)
