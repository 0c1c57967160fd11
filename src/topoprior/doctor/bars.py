"""What the bars of one map say about the loss: what gets no push, and what is lost in noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from topoprior.doctor.conventions import connectivity, other_conventions, text_of
from topoprior.doctor.finding import Finding
from topoprior.losses.functional import betti_prior_loss_from_diagrams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from topoprior.doctor.conventions import Conventions
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.diagram import PersistenceDiagrams
    from topoprior.topology.filtration import Construction

_TINY = 0.05  # bars shorter than this are noise in most maps
_MANY = 50
_NOISY_SHARE = 0.25  # of the loss
_FAINT = 0.02  # with power 2 the slope of such a bar is 0.04 or less
_SATURATED = 1e-3  # what is left of the gradient behind a sigmoid
_HAIR = 0.02
_LEFT = 0.1  # loss for each wanted bar, where the topology is right: worth a word
_WIDE = 0.05  # a range of thresholds worth telling
_FEATURES = ("components", "loops", "cavities")


def bar_findings(image: Tensor, prior: BettiPrior, conventions: Conventions) -> Iterator[Finding]:
    """Findings about one map, shape ``(1, 1, *spatial)``, detached, and a prior that it can have."""
    diagrams = conventions.diagrams(image)
    betti = diagrams.betti_numbers(conventions.threshold)[0, 0]
    right = bool(prior.is_satisfied_by(betti))
    loss = betti_prior_loss_from_diagrams(diagrams, prior, power=conventions.power).item()
    yield from _missing(diagrams, prior, conventions, loss)
    yield from _noise(diagrams, prior, conventions, loss)
    if not right:
        yield from _saturated(diagrams, prior, conventions, loss)
        yield from _other_threshold(diagrams, prior, conventions, betti)
    yield from other_conventions(image, prior, conventions, betti, right=right)
    if right:
        yield from _already_right(diagrams, prior, conventions, betti, loss)
    if prior.upper[0] == 0:
        yield Finding(
            "note",
            "essential class",
            "The prior wants no component. The one that never dies ends at 0, so its bar is as long as the largest "
            "value, and the loss lowers one pixel at a time: the largest.",
            "Expect many steps; a voxel-wise loss with an empty label does the same faster.",
            {"largest": image.max().item()},
        )


def bar_findings_without_prior(image: Tensor, conventions: Conventions) -> Iterator[Finding]:
    """What can be said of one map, shape ``(1, 1, *spatial)``, if nobody says what is wanted."""
    diagrams = conventions.diagrams(image)
    betti = diagrams.betti_numbers(conventions.threshold)[0, 0].tolist()
    other: Construction = "V" if conventions.construction == "T" else "T"
    others = conventions.diagrams(image, other).betti_numbers(conventions.threshold)[0, 0].tolist()
    if betti != others:
        yield connectivity("note", conventions.construction, betti, other, others)
    tiny = int((diagrams.persistence < _TINY).sum())
    if tiny >= _MANY and tiny >= 0.9 * len(diagrams):
        yield Finding(
            "note",
            "noise",
            f"{tiny} of {len(diagrams)} bars are shorter than {_TINY:g}.",
            f"Give --prior to see whether that matters; economy=Economy(min_persistence={_TINY:g}) leaves them out.",
            {"tiny": tiny, "bars": len(diagrams)},
        )


def _missing(
    diagrams: PersistenceDiagrams, prior: BettiPrior, conventions: Conventions, loss: float
) -> Iterator[Finding]:
    """Wanted bars of length 0, and nearly so."""
    for k, wanted in enumerate(prior.lower):
        if not prior.cares[k] or not wanted:
            continue
        lengths = diagrams.select(dimension=k).persistence
        there = int((lengths > 0).sum())
        if there < wanted:
            yield Finding(
                "error",
                "no trace",
                f"The prior wants {wanted} in dimension {k} ({_FEATURES[k]}), and the map has {there} such bars, "
                f"whatever the threshold. So {wanted - there} of the loss, {loss:.4g} in all, is constant: a bar of "
                "length 0 has no pixel to push.",
                "Give refine push=1 (--push 1), let guarantee (--guarantee) make the feature, or train longer with "
                "labels before the prior.",
                {"dimension": k, "wanted": wanted, "bars": there, "loss": loss},
            )
        elif conventions.power == 2 and lengths[wanted - 1] < _FAINT:
            length = lengths[wanted - 1].item()
            yield Finding(
                "warning",
                "faint trace",
                f"Of the {wanted} {_FEATURES[k]} wanted, the shortest has a bar of length {length:.3g}: with power=2 "
                f"its slope is {2 * length:.3g}.",
                "Give power=1 (prior.power), which pushes with constant force, or push=1 to refine (--push 1).",
                {"dimension": k, "wanted": wanted, "length": length},
            )


def _noise(
    diagrams: PersistenceDiagrams, prior: BettiPrior, conventions: Conventions, loss: float
) -> Iterator[Finding]:
    """Tiny unwanted bars that make up much of the loss."""
    unwanted = torch.zeros(len(diagrams), dtype=torch.bool)
    for k, high in enumerate(prior.upper):
        if high is not None and prior.cares[k]:
            unwanted |= (diagrams.dimension == k) & (diagrams.rank >= high)
    lengths = diagrams.persistence[unwanted].double()
    tiny = lengths[lengths < _TINY]
    share = tiny.pow(conventions.power).sum().item() / loss if loss > 0 else 0.0
    if len(tiny) >= _MANY and share >= _NOISY_SHARE:
        power = "power=2, which counts short bars less, " if conventions.power == 1 else ""
        yield Finding(
            "warning",
            "noise",
            f"{len(tiny)} unwanted bars shorter than {_TINY:g} make up {share:.0%} of the loss.",
            f"Give {power}economy=Economy(min_persistence={_TINY:g}) (--min-persistence {_TINY:g}) or max_bars.",
            {"tiny": len(tiny), "share": share, "loss": loss},
        )


def _saturated(
    diagrams: PersistenceDiagrams, prior: BettiPrior, conventions: Conventions, loss: float
) -> Iterator[Finding]:
    """Bars on the wrong side of the threshold, whose gradient does not pass a sigmoid."""
    present = (diagrams.births >= conventions.threshold) & (diagrams.deaths < conventions.threshold)
    wrong = torch.zeros_like(present)
    for k, (low, high) in enumerate(zip(prior.lower, prior.upper, strict=True)):
        if prior.cares[k]:
            many = torch.zeros_like(present) if high is None else (diagrams.rank >= high) & present
            wrong |= (diagrams.dimension == k) & (many | ((diagrams.rank < low) & ~present))
    ends = torch.stack((diagrams.births, diagrams.deaths))[:, wrong].double()
    pixels = torch.stack((diagrams.birth_index, diagrams.death_index))[:, wrong] >= 0
    slopes = conventions.power * (ends[0] - ends[1]) ** (conventions.power - 1) * pixels
    size, left = slopes.sum().item(), (slopes * ends * (1 - ends)).sum().item()
    if size > 0 and left < _SATURATED * size:
        yield Finding(
            "warning",
            "saturated",
            "In the pixels that would have to change, the probabilities are so near 0 or 1 that a sigmoid passes "
            f"{left / size:.1e} of the gradient.",
            "Train with less certainty (label smoothing, temperature, fewer steps before the prior), or edit the map "
            "with guarantee, which needs no gradient.",
            {"gradient": size, "behind a sigmoid": left, "loss": loss},
        )


def _other_threshold(
    diagrams: PersistenceDiagrams, prior: BettiPrior, conventions: Conventions, betti: Tensor
) -> Iterator[Finding]:
    """A threshold at which the topology is right."""
    levels = torch.arange(1, 100) / 100
    right = [bool(prior.is_satisfied_by(diagrams.betti_numbers(level)[0, 0])) for level in levels.tolist()]
    best, run = (0, 0), 0
    for place, good in enumerate([*right, False]):
        run = run + 1 if good else 0
        best = max(best, (run, place))
    width, end = best
    if width / 100 >= _WIDE:
        low, high = levels[end - width + 1].item(), levels[end].item()
        yield Finding(
            "warning",
            "threshold",
            f"At {conventions.threshold:g} the Betti numbers are {text_of(betti.tolist())}, but from {low:.2f} to "
            f"{high:.2f} they are what the prior {prior} wants.",
            f"Cut the map at {(low + high) / 2:.2f} (threshold=, --threshold), or calibrate the network.",
            {"betti": betti.tolist(), "from": round(low, 2), "to": round(high, 2)},
        )


def _already_right(
    diagrams: PersistenceDiagrams, prior: BettiPrior, conventions: Conventions, betti: Tensor, loss: float
) -> Iterator[Finding]:
    """The topology is right, and the loss is not 0."""
    found = text_of(betti.tolist())
    around = [conventions.threshold - _HAIR, conventions.threshold + _HAIR]
    near = [level for level in around if 0 < level <= 1]
    if not all(bool(prior.is_satisfied_by(diagrams.betti_numbers(level)[0, 0])) for level in near):
        yield Finding(
            "note",
            "by a hair",
            f"The topology is right at {conventions.threshold:g}, but not {_HAIR:g} above or below it.",
            "Refine with a margin (--margin 0.05).",
            {"betti": betti.tolist()},
        )
    elif loss > _LEFT * max(1, sum(prior.lower)):
        yield Finding(
            "note",
            "already right",
            f"The Betti numbers are {found}, as the prior {prior} wants. What is left of the loss, {loss:.4g}, is "
            "length that wanted bars lack of 1 and short bars below the threshold.",
            "A loss that stays there is no fault: look at metrics.topological_success.",
            {"betti": betti.tolist(), "loss": loss},
        )
