"""Why is the loss of this map flat or wrong?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from topoprior.doctor.bars import bar_findings, bar_findings_without_prior
from topoprior.doctor.conventions import Conventions
from topoprior.doctor.finding import Finding, worst_first
from topoprior.doctor.prior import prior_findings
from topoprior.doctor.shape import shape_findings
from topoprior.doctor.values import map_findings, value_findings
from topoprior.priors.betti_prior import prior_table
from topoprior.priors.class_priors import ClassPriors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.imaging.networks import Activation
    from topoprior.priors.betti_prior import BettiPrior, PriorLike
    from topoprior.topology.filtration import Boundary, Construction, Images


def diagnose(
    values: Images,
    prior: PriorLike | ClassPriors | None = None,
    *,
    activation: Activation | None = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
    power: Literal[1, 2] = 2,
    threshold: float = 0.5,
) -> list[Finding]:
    """Say why the topological loss of an output is flat or wrong, and what to do about it.

    Of a tensor it is also said whether a gradient can flow back from it; of an array, and of ``tensor.numpy()``, not.

    Args:
        values: What is given to the loss, shape ``(batch, channel, *spatial)``. Here everything is accepted, and what
            the loss would refuse is a finding.
        prior: What is wanted; None to look at the values alone.
        activation: What the loss applies to them, ``"sigmoid"`` or ``"softmax"``; None if they are probabilities.
        construction: As given to the loss; so are ``boundary`` and ``power``.
        boundary: What the outside of the image counts as.
        power: Of the bar lengths.
        threshold: Where the mask is cut.

    Returns:
        Findings, the worst first; an empty list if nothing is to be said. What several maps share is said once.

    Raises:
        TypeError: If ``values`` is neither tensor nor array.
        ValueError: If they are empty, ``threshold`` is not greater than 0 and at most 1, or there are not as many
            priors as images or channels.

    Examples:
        >>> from topoprior import BettiPrior
        >>> for finding in diagnose(np.array([[[[3.0, -4.0, 2.0]]]])):
        ...     print(finding.severity, finding.name, finding.measured)
        error logits {'low': -4.0, 'high': 3.0}
        >>> disc = np.full((1, 1, 5, 5), 0.75)
        >>> disc[..., 0] = 0.25  # nowhere a trace of a loop
        >>> [finding.name for finding in diagnose(disc, BettiPrior(1, 1))]
        ['no trace']
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be greater than 0 and at most 1, got {threshold}")
    tensor = _as_tensor(values)
    findings = list(_gradient(tensor)) if isinstance(values, Tensor) and tensor.is_floating_point() else []
    tensor = tensor.detach()
    dimensions = None if prior is None else _dimensions(prior)
    findings += shape_findings(tensor.shape, dimensions, softmax=activation == "softmax")
    findings += value_findings(tensor, activation)
    if not any(each.severity == "error" and each.name not in ("cut graph", "activated twice") for each in findings):
        probability = _activated(tensor, activation)
        findings += map_findings(probability, threshold)
        conventions = Conventions(construction, boundary, power, threshold)
        findings += _merged(list(_of_maps(probability, prior, conventions)))
    return worst_first(findings)


def _as_tensor(values: Images) -> Tensor:
    if not isinstance(values, Tensor | np.ndarray):
        raise TypeError(f"values must be a torch tensor or a numpy array, got {type(values).__name__}")
    if 0 in values.shape:
        raise ValueError(f"values must not be empty, got shape {tuple(values.shape)}")
    if isinstance(values, Tensor):
        return values.as_subclass(Tensor)
    return torch.from_numpy(np.array(values, order="C"))


def _gradient(tensor: Tensor) -> Iterator[Finding]:
    if not tensor.requires_grad:
        yield Finding(
            "error",
            "cut graph",
            "The tensor requires no gradient, so the loss of it is a number that moves nothing.",
            "Give the network's own output: no .detach(), .data, .item(), NumPy or torch.no_grad between it and the "
            "loss, and parameters with requires_grad=True.",
            {"requires_grad": False},
        )


def _activated(values: Tensor, activation: str | None) -> Tensor:
    """Probabilities, in at least single precision."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    if activation == "sigmoid":
        return torch.sigmoid(values)
    return torch.softmax(values, 1) if activation == "softmax" else values.clamp(0, 1)


def _dimensions(prior: PriorLike | ClassPriors) -> int:
    first: object = prior.priors[0] if isinstance(prior, ClassPriors) else prior
    while isinstance(first, list | tuple):
        first = first[0]
    return first.dimensions  # type: ignore[attr-defined, no-any-return]


def _of_maps(
    probability: Tensor, prior: PriorLike | ClassPriors | None, conventions: Conventions
) -> Iterator[tuple[str, Finding]]:
    """The findings of each map, with its name."""
    for name, image, wanted in _maps(probability, prior):
        if image.min() == image.max():
            continue  # said already
        if wanted is None:
            found = list(bar_findings_without_prior(image, conventions))
        else:
            shape = tuple(image.shape[2:])
            found = list(prior_findings(wanted, shape, conventions.construction, conventions.boundary))
            if not found:
                found = list(bar_findings(image, wanted, conventions))
        yield from ((name, each) for each in found)


def _maps(
    probability: Tensor, prior: PriorLike | ClassPriors | None
) -> Iterator[tuple[str, Tensor, BettiPrior | None]]:
    """Each map that the loss looks at: one for each image and channel, or for each image and class or union."""
    batch, channels = probability.shape[:2]
    for number in range(batch):
        image = probability[number : number + 1]
        if isinstance(prior, ClassPriors):
            if len(prior.classes) != channels:
                raise ValueError(f"the prior speaks of {len(prior.classes)} classes, got {channels} channels")
            for name, union, wanted in zip(prior.names, prior.unions, prior.priors, strict=True):
                yield f"image {number}, {name}", image[:, list(union)].sum(1, keepdim=True).clamp(max=1), wanted
            continue
        rows = None if prior is None else prior_table(prior, batch, channels)
        row = None if rows is None else rows[number if len(rows) > 1 else 0]
        for channel in range(channels):
            one = None if row is None else row[channel if len(row) > 1 else 0]
            yield f"image {number}, channel {channel}", image[:, channel : channel + 1], one


def _merged(found: list[tuple[str, Finding]]) -> list[Finding]:
    """What several maps share, once, in the words of the first and worst."""
    merged = []
    for kind in dict.fromkeys(each.name for _, each in found):
        alike = [(where, each) for where, each in found if each.name == kind]
        where, first = min(alike, key=lambda pair: ("error", "warning", "note").index(pair[1].severity))
        if len(dict.fromkeys(where for where, _ in found)) > 1 or where != "image 0, channel 0":
            maps = len(dict.fromkeys(name for name, _ in alike))
            told = f"In {where} (one of {maps}): " if maps > 1 else f"In {where}: "
            first = replace(first, what=told + first.what, measured={**first.measured, "where": where, "maps": maps})
        merged.append(first)
    return merged
