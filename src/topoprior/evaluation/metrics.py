"""How right a mask is: its topology against a prior, its pixels, surface and centreline against a target.

The Betti numbers are those of the loss, of the refinement and of the plots: one construction and one boundary
setting for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from topoprior.evaluation.distances import average_surface_distance, hausdorff95
from topoprior.evaluation.masks import mask_pair
from topoprior.evaluation.skeleton import cl_dice
from topoprior.priors.betti_prior import resolve_priors
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction

__all__ = [
    "average_surface_distance",
    "betti_error",
    "cl_dice",
    "dice",
    "distance_to_prior",
    "hausdorff95",
    "topological_success",
]


def topological_success(
    mask: Tensor | np.ndarray,
    prior: PriorLike,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> Tensor:
    """Whether each mask has the wanted topology: every Betti number is one that the prior allows.

    The mean of this over a data set is the share of topologically correct masks that the paper reports. Give masks
    (``probability >= 0.5``), not probabilities.

    Args:
        mask: Boolean or 0/1 valued, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        prior: One prior for all, one per image of the batch, or one per image and channel.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Returns:
        Boolean tensor of shape ``(batch, channel)``.

    Raises:
        ValueError: If ``mask`` holds other values than 0 and 1, or the prior does not fit its shape.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.2, "topologically correct". PMC9721526.

    Examples:
        A ring is one component with one loop:

        >>> from topoprior import BettiPrior
        >>> ring = torch.tensor([[[[1, 1, 1], [1, 0, 1], [1, 1, 1]]]])
        >>> topological_success(ring, BettiPrior(1, 1))
        tensor([[True]])
        >>> topological_success(ring, BettiPrior(1, 0))
        tensor([[False]])
    """
    return betti_error(mask, prior, construction=construction, boundary=boundary).sum(-1) == 0


def betti_error(
    mask: Tensor | np.ndarray,
    prior: PriorLike,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> Tensor:
    """How far the Betti numbers of each mask are from those that the prior allows, dimension by dimension.

    The error of a dimension is the number of components, loops or cavities that are missing or too many: 0 inside the
    range of the prior, and always 0 where the prior does not care. The weights of the prior do not enter.

    Args:
        mask: Boolean or 0/1 valued, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        prior: One prior for all, one per image of the batch, or one per image and channel.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Returns:
        Integer tensor of shape ``(batch, channel, dimension)``.

    Raises:
        ValueError: If ``mask`` holds other values than 0 and 1, or the prior does not fit its shape.

    Examples:
        Three components where one or two are wanted, and no loop where one is wanted:

        >>> from topoprior import BettiPrior
        >>> mask = torch.tensor([[[[1, 0, 1, 0, 1]] * 2]])
        >>> betti_error(mask, BettiPrior((1, 2), 1))
        tensor([[[1, 1]]])
    """
    betti = betti_numbers(mask, construction=construction, boundary=boundary)
    return distance_to_prior(betti, prior)


def distance_to_prior(betti: Tensor, prior: PriorLike) -> Tensor:
    """The same error for Betti numbers already counted, shape ``(batch, channel, dimension)``."""
    batch, channels, dimensions = betti.shape
    wanted = resolve_priors(prior, batch, channels, dimensions)
    lower, upper = wanted.lower.to(betti.device), wanted.upper.to(betti.device)
    return torch.clamp(lower - betti, min=0) + torch.clamp(betti - upper, min=0)


def dice(prediction: Tensor | np.ndarray, target: Tensor | np.ndarray) -> Tensor:
    """Dice overlap of two masks, per image and channel: twice the common pixels over the sum of both.

    Two empty masks agree, so their overlap is 1; an empty mask against a non-empty one is 0.

    Args:
        prediction: Boolean or 0/1 valued mask, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        target: The mask to compare with, same shape.

    Returns:
        Tensor of shape ``(batch, channel)`` in ``[0, 1]``, float64.

    Raises:
        TypeError: If a mask is neither tensor nor array.
        ValueError: If the shapes differ, are wrong or empty, or a mask holds other values than 0 and 1.

    Examples:
        >>> dice(torch.tensor([[[1, 1, 0, 0]]]), torch.tensor([[[0, 1, 1, 0]]]))
        tensor([[0.5000]], dtype=torch.float64)
    """
    ours, theirs = mask_pair(prediction, target)
    common = (ours & theirs).flatten(2).sum(-1, dtype=torch.float64)
    total = ours.flatten(2).sum(-1) + theirs.flatten(2).sum(-1)
    return torch.where(total > 0, 2 * common / total.clamp(min=1), 1.0)
