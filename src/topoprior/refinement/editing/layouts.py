"""Masks that have wanted Betti numbers, for when no edit of the map leads there.

An image that can carry Betti numbers can carry all smaller ones too (but no hole without a component), so the smallest
wanted ones decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from topoprior.refinement.editing.capacity import dual
from topoprior.refinement.editing.plane_layouts import plane_layout
from topoprior.refinement.editing.volume_layouts import volume_layout

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Boundary, Construction


def layout(
    shape: tuple[int, ...], construction: Construction, boundary: Boundary, betti: tuple[int, ...]
) -> Array | None:
    """A mask with these Betti numbers, or None if this way there is none.

    Examples:
        >>> layout((4, 6), "T", "background", (2, 1)).astype(int)
        array([[0, 1, 0, 0, 1, 0],
               [1, 0, 1, 0, 0, 0],
               [0, 1, 0, 0, 0, 0],
               [0, 0, 0, 0, 0, 0]])
    """
    if boundary == "foreground":
        if len(shape) == 1:
            inner = layout((max(shape[0] - 2, 0),), construction, "background", (betti[0] - 1,))
            return None if inner is None else np.pad(inner, 1)[: shape[0]]
        other = layout(shape, *dual(construction, betti))
        return None if other is None else ~other
    if betti[0] == 0:
        return None if any(betti[1:]) else np.zeros(shape, dtype=bool)
    if 0 in shape:
        return None
    if len(shape) == 3:
        return volume_layout(shape, construction, betti)
    mask = plane_layout((1, *shape)[-2:], construction, betti[0], betti[1] if len(shape) == 2 else 0)
    return None if mask is None else mask.reshape(shape)
