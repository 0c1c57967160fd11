"""Images in, birth and death pixels out: the only door to the compiled core.

The door is a registered torch operator, ``topoprior::persistence_pairs``, so that ``torch.compile`` keeps it in one
graph and ``torch.func.vmap`` calls the core once for the whole stack. It returns integers only and is called on
detached values; whoever wants births and deaths reads the values at the indices, and gradients of any order come from
that reading.
"""

from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from topoprior import _core
from topoprior.topology.filtration import Boundary, Construction, check_values, in_full_precision

Array: TypeAlias = np.ndarray[Any, Any]


class Pairs(NamedTuple):
    """One column per bar, all int64, on the device of the images; sorted by image, dimension and rank.

    Under ``vmap`` all cases have as many columns as the longest. One without a bar has dimension -1, both ends -1,
    image 0, rank 0 and places 0.
    """

    ends: Tensor  # (2, bars): index of the birth pixel, index of the death pixel
    dimension: Tensor  # (bars,), like the two that follow
    image: Tensor
    rank: Tensor
    places: Tensor  # (2, bars): the ends counted through all images of the case; 0 where an end is -1


NO_BAR = (-1, -1, -1, 0, 0, 0, 0)


def persistence_pairs(
    values: Tensor, *, construction: Construction, boundary: Boundary, dimensions: int, threads: int
) -> Pairs:
    """Birth and death pixels of all bars.

    Args:
        values: Shape ``(images, *spatial)``: floating point in [0, 1], or uint8 that is 0 or 1.
        construction: ``"T"`` or ``"V"``.
        boundary: ``"background"`` or ``"foreground"``.
        dimensions: Bit mask of the wanted homology dimensions.
        threads: At least 1, or 0 for as many as torch uses.

    Raises:
        ValueError: If a value is not finite or lies outside [0, 1].
    """
    operator = torch.ops.topoprior.persistence_pairs
    table = operator(values.detach().unsqueeze(0), construction, boundary, dimensions, threads).squeeze(0)
    return Pairs(table[:2], table[2], table[3], table[4], table[5:])


@torch.library.custom_op("topoprior::persistence_pairs", mutates_args=())
def _operator(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Tensor:
    """Table of shape ``(cases, 7, bars)`` for values of shape ``(cases, images, *spatial)``."""
    stack = values.flatten(0, 1)
    try:
        table, offsets = _core.persistence_pairs(
            _for_core(stack),
            cast("Construction", construction),
            cast("Boundary", boundary),
            dimensions,
            threads or torch.get_num_threads(),
        )
    except ValueError:
        check_values(stack)  # if the values are to blame, this raises first and says what to do about it
        raise
    images, spatial_axes = values.shape[1], stack.ndim - 1
    bars = np.diff(offsets[:: images * spatial_axes])
    if len(bars) > 1:
        table = _per_case(table, bars, images, stack[0].numel())
    return torch.from_numpy(table.reshape(len(bars), 7, -1)).to(values.device)


def _for_core(values: Tensor) -> Array:
    """C-contiguous array of a type the core takes."""
    return in_full_precision(values.detach().cpu()).contiguous().numpy()


def _per_case(table: Array, bars: Array, images: int, pixels: int) -> Array:
    """The table cut into one for each case, shorter ones filled up with `NO_BAR`; images are counted in each anew."""
    case = table[3] // images
    table[3] -= case * images
    table[5:] -= (table[:2] >= 0) * (case * images * pixels)
    there = np.arange(bars.max(initial=0)) < bars[:, None]
    tables = np.empty((len(bars), 7, there.shape[1]), dtype=np.int64)
    for row, (column, filling) in enumerate(zip(table, NO_BAR, strict=True)):
        tables[:, row][there] = column
        tables[:, row][~there] = filling
    return tables


@_operator.register_fake
def _fake(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Tensor:  # noqa: ARG001
    return values.new_empty((values.shape[0], 7, torch.library.get_ctx().new_dynamic_size()), dtype=torch.int64)


@_operator.register_vmap
def _vmap(_: object, in_dims: tuple[int, ...], values: Tensor, *options: str | int) -> tuple[Tensor, int]:
    """The stack of calls as one call with more cases, so that nested ``vmap`` works as well."""
    values = values.movedim(in_dims[0], 0)
    return _operator(values.flatten(0, 1), *options).unflatten(0, values.shape[:2]), 0
