"""Refinement where nnU-Net's channels are regions: each has a prior of its own, and a label file is painted of all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.guarantee import completed
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult


def region_row(prior: ClassPriors, labels: Labels) -> list[list[BettiPrior]]:
    """The priors as the functions for independent channels take them, "don't care" where there is none.

    Raises:
        ValueError: If a prior is about the background or a union.
    """
    row = [BettiPrior(*[None] * prior.dimensions)] * len(labels.names)
    for union, one in zip(prior.unions, prior.priors, strict=True):
        if len(union) > 1 or union == (0,):
            name = "+".join(labels.classes[k] for k in union)
            raise ValueError(f"each region has a prior of its own, but none is known for {name!r}: it is no region")
        row[union[0] - 1] = one
    return [row]


def painted(
    result: RefinementResult, prior: ClassPriors, labels: Labels, conventions: dict[str, Any]
) -> RefinementResult:
    """A refinement of region channels as the label file tells it.

    Where a region sticks out of another one that should hold it, the file says something else than the channels. So
    Betti numbers and success are those of the regions of the file.

    Args:
        result: With one channel for each region.
        prior: What was wanted.
        labels: The regions.
        conventions: Construction, boundary and threshold.

    Returns:
        With channels like ``labels.classes``: the mask has one class for each pixel, and the output one more channel in
        front, 1 minus the largest probability of a region. Betti numbers are those of the entries of the prior.
    """
    threshold = conventions["threshold"]
    before = _numbers(result.reference >= threshold, labels)
    after = _numbers(result.mask, labels)
    options = {name: conventions[name] for name in ("construction", "boundary")}
    counted = [betti_numbers(_entries(numbers, prior, labels), **options) for numbers in (before, after)]
    one_hot = torch.nn.functional.one_hot(after, len(labels.classes)).movedim(-1, 1).bool()
    return replace(
        result,
        output=_with_background(result.output),
        reference=_with_background(result.reference),
        mask=one_hot,
        betti_before=counted[0],
        betti_after=counted[1],
        pixels_changed=int((before != after).sum()),
        succeeded=not bool(distance_to_prior(counted[1], [list(prior.priors)]).any()),
    )


def completed_regions(
    result: RefinementResult, prior: ClassPriors, labels: Labels, conventions: dict[str, Any]
) -> RefinementResult:
    """`topoprior.refinement.guarantee.completed` of a painted result; regions that overlap may spoil it yet."""
    if result.succeeded:
        return result
    row = region_row(prior, labels)
    channels = replace(result, output=result.output[:, 1:], reference=result.reference[:, 1:])
    return painted(completed(channels, row, **conventions), prior, labels, conventions)


def _numbers(mask: Tensor, labels: Labels) -> Tensor:
    return torch.from_numpy(labels.numbers(mask[0].cpu().numpy()))[None].to(mask.device)


def _entries(numbers: Tensor, prior: ClassPriors, labels: Labels) -> Tensor:
    """The region of each entry in the label file, bool ``(1, entry, *spatial)``."""
    written = torch.tensor((0, *labels.written), device=numbers.device)[numbers]
    regions = [labels.values[union[0] - 1] for union in prior.unions]
    return torch.stack([torch.isin(written, torch.tensor(values, device=written.device)) for values in regions], 1)


def _with_background(output: Tensor) -> Tensor:
    return torch.cat([1 - output.amax(1, keepdim=True), output], 1)
