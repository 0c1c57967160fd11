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
from topoprior.topology.filtration import Boundary, Construction, check_values


class Pairs(NamedTuple):
    """One row per bar, all int64, shape ``(bars,)``, on the device of the images.

    Under ``vmap`` all cases have as many rows as the longest. A row without a bar has dimension -1, both indices -1,
    image 0 and rank 0.
    """

    birth_index: Tensor
    death_index: Tensor
    dimension: Tensor
    image: Tensor
    rank: Tensor


def persistence_pairs(
    values: Tensor, *, construction: Construction, boundary: Boundary, dimensions: int, threads: int
) -> Pairs:
    """Birth and death indices of all bars, sorted by image, dimension and rank.

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
    columns = operator(values.detach().unsqueeze(0), construction, boundary, dimensions, threads)
    return Pairs(*(column.squeeze(0) for column in columns))


Columns: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("topoprior::persistence_pairs", mutates_args=())
def _operator(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Columns:
    """Columns of shape ``(cases, bars)`` for values of shape ``(cases, images, *spatial)``."""
    stack = values.flatten(0, 1)
    try:
        birth_index, death_index, offsets = _core.persistence_pairs(
            _for_core(stack),
            cast("Construction", construction),
            cast("Boundary", boundary),
            dimensions,
            threads or torch.get_num_threads(),
        )
    except ValueError:
        check_values(stack)  # if the values are to blame, this raises first and says what to do about it
        raise
    cases, images = values.shape[:2]
    bars = np.diff(offsets)
    columns = (
        birth_index,
        death_index,
        np.repeat(np.tile(np.arange(stack.ndim - 1), len(stack)), bars),
        np.repeat(np.tile(np.arange(images), cases).repeat(stack.ndim - 1), bars),
        np.arange(len(birth_index)) - np.repeat(offsets[:-1], bars),
    )
    a, b, c, d, e = (
        torch.from_numpy(column).to(values.device) for column in _in_rows(columns, bars.reshape(cases, -1).sum(1))
    )
    return a, b, c, d, e


def _for_core(values: Tensor) -> "np.ndarray[Any, Any]":
    """C-contiguous array of a type the core takes; half precision becomes float32, which is exact."""
    values = values.detach().cpu()
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return values.contiguous().numpy()


def _in_rows(columns: "tuple[np.ndarray[Any, Any], ...]", bars: "np.ndarray[Any, Any]") -> "list[np.ndarray[Any, Any]]":
    """Each column cut into one row per case, and shorter rows filled up."""
    if len(bars) == 1:
        return [column[None] for column in columns]
    there = np.arange(bars.max(initial=0)) < bars[:, None]
    rows = [np.full(there.shape, filling) for filling in (-1, -1, -1, 0, 0)]
    for row, column in zip(rows, columns, strict=True):
        row[there] = column
    return rows


@_operator.register_fake
def _fake(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Columns:  # noqa: ARG001
    shape = (values.shape[0], torch.library.get_ctx().new_dynamic_size())
    a, b, c, d, e = (values.new_empty(shape, dtype=torch.int64) for _ in range(5))
    return a, b, c, d, e


@_operator.register_vmap
def _vmap(_: object, in_dims: tuple[int, ...], values: Tensor, *options: str | int) -> tuple[Columns, tuple[int, ...]]:
    """The stack of calls as one call with more cases, so that nested ``vmap`` works as well."""
    values = values.movedim(in_dims[0], 0)
    a, b, c, d, e = (column.unflatten(0, values.shape[:2]) for column in _operator(values.flatten(0, 1), *options))
    return (a, b, c, d, e), (0, 0, 0, 0, 0)
