"""Two masks to compare, checked once for all metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.topology.betti import as_binary

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.topology.filtration import Images


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
