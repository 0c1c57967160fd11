"""A push towards what the loss cannot see: how far a map is from the nearest one found with the wanted topology.

A bar of length zero has no pixel to act on, so equation 3 has no slope towards a feature of which the map shows no
trace. `topoprior.guarantee` knows pixels that would make it: the cheapest edit of the mask that it finds. The distance
is what that edit costs, in the L1 norm over its pixels,

    D(S)  =  sum over pixels to raise of (threshold - S)  +  sum over pixels to lower of (S - threshold),

and its slope is -1 or +1 in each of these pixels, however flat the map is: all pixels of a path are pushed together.

An edit is kept for as long as it would do, so that the push does not waver between two repairs that cost the same.
Pixels that are on the right side of the threshold are not pushed any more. Once the topology is right there is no
distance; to make the new bars long is for equation 3.

Channels that have priors of their own are pushed one by one. For classes see `topoprior.refinement.class_push`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.refinement.guarantee import guarantee
from topoprior.topology.betti import betti_numbers
from topoprior.topology.filtration import in_full_precision

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction


class NearestEdit:
    """The distance above, for the states of one refinement, one after the other.

    Args:
        prior: What is wanted.
        construction: Of the mask.
        boundary: Of the mask.
        threshold: Where the map is cut.

    Examples:
        To lower the right end costs 0.3, to raise the gap 0.4 + 0.3:

        >>> from topoprior import BettiPrior
        >>> row = torch.tensor([[[0.9, 0.1, 0.2, 0.8]]], requires_grad=True)
        >>> distance = NearestEdit(BettiPrior(1), "T", "background", 0.5).distance(row)
        >>> distance, torch.autograd.grad(distance, row)[0]
        (tensor(0.3000, grad_fn=<SumBackward0>), tensor([[[0., 0., 0., 1.]]]))
    """

    def __init__(self, prior: PriorLike, construction: Construction, boundary: Boundary, threshold: float) -> None:
        self._prior, self._threshold = prior, threshold
        self._construction, self._boundary = construction, boundary
        self._edit: _Edit | None = None

    def distance(self, images: Tensor) -> Tensor:
        """The distance of a map ``(1, channel, *spatial)`` whose topology is wrong, with its graph.

        It is 0 where no edit is found that brings the topology nearer, which can only be in 3-D.
        """
        mask = images.detach() >= self._threshold
        if self._edit is None or self._error(self._edit.of(mask)) > self._edit.error:
            found = guarantee(
                images,
                self._prior,
                construction=self._construction,
                boundary=self._boundary,
                threshold=self._threshold,
            ).mask
            self._edit = _Edit(found & ~mask, mask & ~found, self._error(found))
        turned = self._edit.of(mask) != mask
        beyond = in_full_precision(images) - self._threshold
        # Not the absolute value: that has no slope in a pixel right at the threshold.
        return torch.where(mask, beyond, -beyond)[turned].sum().to(images.dtype)

    def _error(self, mask: Tensor) -> int:
        betti = betti_numbers(mask, construction=self._construction, boundary=self._boundary)
        return int(distance_to_prior(betti, self._prior).sum())


class _Edit(NamedTuple):
    """Pixels to raise and to lower, and what was wrong with the topology even so when it was found."""

    raised: Tensor
    lowered: Tensor
    error: int

    def of(self, mask: Tensor) -> Tensor:
        """The mask after the edit."""
        return (mask | self.raised) & ~self.lowered
