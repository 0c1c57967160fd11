"""Masks of volumes that have wanted Betti numbers; the outside is background.

Along one axis: a block with the cavities, two apart; plates one voxel thick, pierced by the tunnels, with a voxel as
pillar between one and the next; single voxels for the other components, wherever they touch nothing.

    # # # # # #   #   #   #   .     block of 2 x 1 x 1 cavities, three plates, a dot
    # . # . # #   #   .   #   .
    # # # # # # # # # # # # . #
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.refinement.editing.plane_layouts import plane_layout
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Construction


def volume_layout(shape: tuple[int, ...], construction: Construction, betti: tuple[int, ...]) -> Array | None:
    """A mask with these Betti numbers, at least one component, or None if this way there is none."""
    for axes in itertools.permutations(range(3)):
        body = _body(tuple(shape[axis] for axis in axes), construction, *betti[1:])
        if body is None:
            continue
        mask = body.transpose(np.argsort(axes))
        free = np.argwhere(~_grown(mask) & _every_other(shape))
        wanted = betti[0] - bool(mask.any())
        if len(free) >= wanted:
            mask[tuple(free[:wanted].T)] = True
            found = betti_numbers(torch.from_numpy(mask)[None, None], construction=construction)
            if tuple(found.flatten().tolist()) == betti:
                return mask
    return None


def _body(shape: tuple[int, ...], construction: Construction, tunnels: int, cavities: int) -> Array | None:
    """One component with all tunnels and cavities; None if there is no room along the first axis."""
    mask = np.zeros(shape, dtype=bool)
    end = 0
    if cavities:
        place = np.indices(shape)
        odd = (place % 2 == 1).all(0) & (place < np.array(shape)[:, None, None, None] - 1).all(0)
        hollow = np.argwhere(odd)[:cavities]
        if len(hollow) < cavities:
            return None
        mask[tuple(hollow.T)] = True
        mask = _grown(mask)
        mask[tuple(hollow.T)] = False
        end = int(hollow[:, 0].max()) + 2
    while tunnels:
        start = end + bool(end)
        plate = _plate(shape[1:], construction, tunnels) if start < shape[0] else None
        if plate is None:
            return None
        if end:
            mask[(end, *np.argwhere(mask[end - 1] & plate)[0])] = True
        mask[start] = plate
        tunnels -= int(betti_numbers(plate[None, None], construction=construction)[0, 0, 1])
        end = start + 1
    return mask


def _plate(shape: tuple[int, ...], construction: Construction, holes: int) -> Array | None:
    """A plane component with so many holes, or as many as there is room for; None if there is room for none."""
    rows, columns = (max(side - 2, 0) for side in shape)
    room = (rows * columns + 1) // 2 if construction == "T" else ((rows + 1) // 2) * ((columns + 1) // 2)
    return plane_layout(shape, construction, 1, min(holes, room)) if room else None


def _grown(mask: Array) -> Array:
    """The mask with all voxels around it."""
    grown = mask
    for axis in range(mask.ndim):
        along = np.moveaxis(grown, axis, 0)
        wider = along.copy()
        wider[1:] |= along[:-1]
        wider[:-1] |= along[1:]
        grown = np.moveaxis(wider, 0, axis)
    return grown


def _every_other(shape: tuple[int, ...]) -> Array:
    """Voxels two apart, counted from the far corner."""
    away = np.array(shape)[:, None, None, None] - 1 - np.indices(shape)
    every: Array = (away % 2 == 0).all(0)
    return every
