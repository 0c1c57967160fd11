"""Images in, birth and death pixels out: the only door to the compiled core.

The door is a registered torch operator, ``topoprior::persistence_pairs``, so that ``torch.compile`` keeps it in one graph and
``torch.func.vmap`` calls the core once for the whole stack. It returns integers only and is called on detached values; whoever wants
births and deaths reads the values at the indices, and gradients of any order come from that reading.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from topoprior import _core
from topoprior.topology.filtration import Boundary, Construction, check_values


class Pairs(NamedTuple):
    """One row per bar, all int64, shape ``(bars,)``, on the device of the images.

    Under ``vmap`` all cases have as many rows as the longest; rows without a bar have dimension -1 and all other entries -1.
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
    return Pairs(*operator(values.detach(), construction, boundary, dimensions, threads))


Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("topoprior::persistence_pairs", mutates_args=())
def _operator(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Five:
    array = _for_core(values)
    try:
        birth_index, death_index, offsets = _core.persistence_pairs(
            array, construction, boundary, dimensions, threads or torch.get_num_threads()
        )
    except ValueError:
        check_values(values)  # raises first, and says what to do about it, if the values are to blame
        raise
    counts = np.diff(offsets)
    spatial_axes = values.ndim - 1
    group = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(group)) - np.repeat(offsets[:-1], counts)
    columns = (birth_index, death_index, group % spatial_axes, group // spatial_axes, rank)
    birth, death, dimension, image, place = (torch.from_numpy(column).to(values.device) for column in columns)
    return birth, death, dimension, image, place


def _for_core(values: Tensor) -> np.ndarray:
    """C-contiguous array of a type the core takes; half precision becomes float32, which is exact."""
    values = values.detach().cpu()
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return values.contiguous().numpy()


@_operator.register_fake
def _fake(values: Tensor, construction: str, boundary: str, dimensions: int, threads: int) -> Five:
    bars = torch.library.get_ctx().new_dynamic_size()
    a, b, c, d, e = (values.new_empty((bars,), dtype=torch.int64) for _ in range(5))
    return a, b, c, d, e


@_operator.register_vmap
def _vmap(
    info: object,
    in_dims: tuple[int | None, ...],
    values: Tensor,
    construction: str,
    boundary: str,
    dimensions: int,
    threads: int,
) -> tuple[Five, tuple[int, ...]]:
    """One call for all cases, then rows padded to a common length."""
    values = values.movedim(in_dims[0] or 0, 0)
    cases, images = values.shape[:2]
    pairs = Pairs(*_operator(values.flatten(0, 1), construction, boundary, dimensions, threads))
    case = pairs.image // images
    bars = torch.bincount(case, minlength=cases)
    first = bars.cumsum(0) - bars
    place = torch.arange(len(case), device=case.device) - first[case]
    longest = int(bars.max())

    def padded(column: Tensor) -> Tensor:
        return column.new_full((cases, longest), -1).index_put((case, place), column)

    columns = pairs._replace(image=pairs.image % images)
    a, b, c, d, e = (padded(column) for column in columns)
    return (a, b, c, d, e), (0, 0, 0, 0, 0)
