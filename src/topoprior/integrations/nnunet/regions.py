"""Refinement where nnU-Net's channels are regions: each has a prior of its own, and a label file is painted of all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.guarantee import guarantee
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.priors.class_priors import Classes, Numbers
    from topoprior.refinement.result import RefinementResult
    from topoprior.refinement.stopping import StopReason

_HAIR = 2.0**-12  # by which the painted class leads at least; single precision tells it from rounding


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
    """`topoprior.refinement.guarantee.completed` of a painted result.

    Regions that are edited one by one may come to stick out of each other. So the label map is edited as that of
    classes, of which a region is a union; that of the reference, if the refinement has led away from the prior.
    """
    if result.succeeded:
        return result
    wrong = [
        distance_to_prior(betti, [list(prior.priors)]).sum() for betti in (result.betti_before, result.betti_after)
    ]
    reference = result.reference[:, 1:]
    channels = reference if wrong[0] < wrong[1] else result.output[:, 1:]
    level = torch.tensor(conventions["threshold"], dtype=channels.dtype).item()
    options = {name: conventions[name] for name in ("construction", "boundary")}
    edited = guarantee(_classes(channels, level), _of_classes(prior, labels), **options)
    output = _leading(channels, _numbers(channels >= level, labels), edited.labels, labels, level)
    stop_reason: StopReason = "edited" if edited.succeeded else edited.stop_reason
    seconds = result.seconds + edited.seconds
    changed = replace(result, output=output, reference=reference, mask=output >= level, seconds=seconds)
    return painted(replace(changed, stop_reason=stop_reason), prior, labels, conventions)


def _of_classes(prior: ClassPriors, labels: Labels) -> ClassPriors:
    """Priors of regions as those of unions of what a pixel of the label file can be."""
    entries: dict[Classes, Numbers] = {}
    for (region,), one in zip(prior.unions, prior.priors, strict=True):
        union = tuple(k for k, value in enumerate(labels.written, 1) if value in labels.values[region - 1])
        entries[union] = one
    return ClassPriors(entries, classes=labels.classes)


def _classes(channels: Tensor, level: float) -> Tensor:
    """Probabilities of what a pixel can be, background first; the largest is that of the painted label map.

    A class is as sure as its region and as the absence of all regions that would be painted over it.
    """
    there = torch.where(channels < level, channels / level / 2, 0.5 + (channels - level) / (1 - level) / 2)
    there = torch.where(channels < level, there.clamp(max=0.5 - _HAIR), there.clamp(min=0.5 + _HAIR))
    absent = (1 - there).flip(1).cummin(1).values.flip(1)  # of this region and all later ones
    whole = torch.ones_like(there[:, :1])
    sure = torch.minimum(torch.cat([whole, there], 1), torch.cat([absent, whole], 1))
    return sure / sure.sum(1, keepdim=True)


def _leading(channels: Tensor, before: Tensor, after: Tensor, labels: Labels, level: float) -> Tensor:
    """Channels that are painted as the label map ``after``, changed where it differs from that of ``before``."""
    below = torch.nextafter(torch.tensor(level, dtype=channels.dtype), torch.tensor(0.0, dtype=channels.dtype)).item()
    output = channels.clone()
    values = torch.tensor((0, *labels.written), device=after.device)[after]
    for number, region in enumerate(labels.values, 1):
        inside = torch.isin(values, torch.tensor(region, device=values.device)) & (after > number) | (after == number)
        channel = output[:, number - 1]
        turned = torch.where(inside, channel.clamp(min=level), channel.clamp(max=below))
        output[:, number - 1] = torch.where(before == after, channel, turned)
    return output


def _numbers(mask: Tensor, labels: Labels) -> Tensor:
    return torch.from_numpy(labels.numbers(mask[0].cpu().numpy()))[None].to(mask.device)


def _entries(numbers: Tensor, prior: ClassPriors, labels: Labels) -> Tensor:
    """The region of each entry in the label file, bool ``(1, entry, *spatial)``."""
    written = torch.tensor((0, *labels.written), device=numbers.device)[numbers]
    regions = [labels.values[union[0] - 1] for union in prior.unions]
    return torch.stack([torch.isin(written, torch.tensor(values, device=written.device)) for values in regions], 1)


def _with_background(output: Tensor) -> Tensor:
    return torch.cat([1 - output.amax(1, keepdim=True), output], 1)
