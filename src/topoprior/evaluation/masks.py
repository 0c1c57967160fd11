"""Two masks to compare, checked once for all metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from topoprior.topology.betti import as_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from topoprior.topology.filtration import Images

    Array: TypeAlias = np.ndarray[Any, Any]


def mask_pair(prediction: Images, target: Images) -> tuple[Tensor, Tensor]:
    """Both masks as plain uint8 tensors of zeros and ones, of one shape ``(batch, channel, *spatial)``.

    Raises:
        TypeError: If a mask is neither tensor nor array.
        ValueError: If the shapes differ, are wrong or empty, or a mask holds other values than 0 and 1.
    """
    ours, theirs = as_binary(prediction, name="prediction"), as_binary(target, name="target")
    if ours.shape != theirs.shape:
        raise ValueError(
            f"prediction and target must have the same shape, got {tuple(ours.shape)} and {tuple(theirs.shape)}"
        )
    return ours, theirs


def each_pair(prediction: Tensor, target: Tensor) -> Iterator[tuple[tuple[int, int], Array, Array]]:
    """Image, channel, and both masks of it as boolean arrays, cut to the smallest box that holds both.

    For what takes the outside for background the box makes no difference but in time.
    """
    for b, c in np.ndindex(*prediction.shape[:2]):
        ours, theirs = (mask[b, c].cpu().numpy().astype(bool) for mask in (prediction, target))
        box = _box(ours | theirs)
        yield (b, c), ours[box], theirs[box]


def _box(mask: Array) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        held = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(held[0], held[-1] + 1) if held.size else slice(0, 0))
    return tuple(box)
