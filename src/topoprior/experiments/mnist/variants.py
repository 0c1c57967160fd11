"""Who is given which prior: the paper's rule, and controls that tell what topology adds from what the label gives away.

The paper gives each test digit the prior of its true label. A prior that depends on the label tells something of it,
whatever is done with the prior, so a gain may come from topology or from that leak. The variants part the two. All are
made of the same refinements: each digit towards each prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from topoprior.imaging.datasets.digits import Digits

    Numbers = NDArray[Any]

LINE, LOOP, TWO_LOOPS = (BettiPrior(1, loops) for loops in range(3))
PRIORS = (LINE, LOOP, TWO_LOOPS)
PRIOR_OF = {digit: {0: LOOP, 6: LOOP, 8: TWO_LOOPS, 9: LOOP}.get(digit, LINE) for digit in range(10)}
ANY = BettiPrior(1, (0, 2))
SHARE_OF_A_WAY = 0.25  # of a digit's training images: so many must have other loops to be another way to write it

TITLES = {
    "denoised": "Denoiser alone",
    "prior": "Prior of the true digit (the paper)",
    "guaranteed": "... and the edit that guarantees it",
    "range": "Range prior for digits written in two ways",
    "read": "Prior of the digit as read after denoising",
    "surest": "Each of the three priors, the surest reading",
    "any": "One prior for all, (1, 0-2)",
    "shuffled": "Prior of another test digit",
    "wrong": "One of the two wrong priors",
    "told": "Denoiser alone, reading limited to digits of the true prior",
}
LEAKS = {"prior", "guaranteed", "range", "told"}  # what they are given depends on the true label


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a variant makes of the test digits.

    Attributes:
        read: The digit that the classifier reads, shape ``(digits,)``.
        error: Mean squared error to the true image, shape ``(digits,)``.
        betti: Betti numbers at 0.5, shape ``(digits, 2)``.
        asked: The prior that each was refined towards; None if none was.
    """

    read: Numbers
    error: Numbers
    betti: Numbers
    asked: list[BettiPrior] | None


def range_priors(digits: Digits) -> dict[int, BettiPrior]:
    """For each digit the range of loops in which it is written: the paper's, widened to all ways that are frequent.

    Args:
        digits: For training, clean.

    Examples:
        Of four twos, one has a loop at its foot, and all other digits are as the paper has them:

        >>> from topoprior.imaging.datasets.digits import Digits
        >>> images = torch.zeros(4, 1, 28, 28)
        >>> images[:, :, 20, 4:9] = 1
        >>> images[3, :, 22, 4:9] = images[3, :, 21, 4] = images[3, :, 21, 8] = 1
        >>> found = range_priors(Digits(images, torch.full((4,), 2)))
        >>> found[2], found[3]
        (BettiPrior(1, (0, 1)), BettiPrior(1, 0))
    """
    betti = betti_numbers(digits.images >= 0.5)[:, 0]
    found = {}
    for digit, prior in PRIOR_OF.items():
        own = betti[digits.labels == digit]
        low, high = prior.lower[1], prior.upper[1]
        for loops in range(len(PRIORS)):
            share = (own == torch.tensor([1, loops])).all(1).double().mean().item() if len(own) else 0.0
            if share >= SHARE_OF_A_WAY:
                low, high = min(low, loops), max(high or 0, loops)
        found[digit] = BettiPrior(1, (low, high))
    return found


def asked_priors(
    variant: str, labels: Sequence[int], read: Sequence[int], ranges: Mapping[int, BettiPrior], *, seed: int
) -> list[BettiPrior]:
    """The prior that a variant asks of each test digit.

    Args:
        variant: ``"prior"``, ``"guaranteed"``, ``"range"``, ``"read"``, ``"any"``, ``"shuffled"`` or ``"wrong"``.
        labels: The true digits.
        read: As the classifier reads them after denoising.
        ranges: Of `range_priors`.
        seed: Of what is random: of ``"shuffled"`` and ``"wrong"``.

    Examples:
        >>> wrong = asked_priors("wrong", [1, 8], [1, 8], {}, seed=0)
        >>> wrong[0] in (LOOP, TWO_LOOPS), wrong[1] in (LINE, LOOP)
        (True, True)
    """
    random = np.random.default_rng(seed)
    if variant == "range":
        return [ranges[label] for label in labels]
    if variant == "read":
        return [PRIOR_OF[label] for label in read]
    if variant == "any":
        return [ANY] * len(labels)
    if variant == "shuffled":
        # A shift of a random order, so that nobody keeps the own prior but by another digit's having the same.
        order = random.permutation(len(labels))
        partner = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
        return [PRIOR_OF[labels[partner[place]]] for place in range(len(labels))]
    if variant == "wrong":
        shifts = random.integers(1, len(PRIORS), len(labels)).tolist()
        return [
            PRIORS[(PRIORS.index(PRIOR_OF[label]) + shift) % len(PRIORS)]
            for label, shift in zip(labels, shifts, strict=True)
        ]
    return [PRIOR_OF[label] for label in labels]


def outcomes(
    denoised: Mapping[str, Any],
    refined: Mapping[BettiPrior, Mapping[str, Any]],
    labels: Sequence[int],
    ranges: Mapping[int, BettiPrior],
    *,
    seed: int,
) -> dict[str, Outcome]:
    """What each variant comes to at one number of lines, as far as the refinements for it are there.

    Args:
        denoised: Result of the cell without a prior.
        refined: Results of the cells with one.
        labels: The true digits.
        ranges: Of `range_priors`.
        seed: As for `asked_priors`.
    """
    read = _digits(denoised["read"])
    found = {"denoised": Outcome(np.array(read), np.array(denoised["error"]), _betti(denoised), None)}
    told = [int(denoised["read_given"][str(PRIOR_OF[label])][place]) for place, label in enumerate(labels)]
    found["told"] = Outcome(np.array(told), found["denoised"].error, found["denoised"].betti, None)
    for variant in ("prior", "guaranteed", "range", "read", "any", "shuffled", "wrong"):
        asked = asked_priors(variant, labels, read, ranges, seed=seed)
        if _are_there(asked, refined):
            found[variant] = _chosen(asked, refined, "guaranteed" if variant == "guaranteed" else "refined")
    everyone = [[prior] * len(labels) for prior in PRIORS]
    if all(_are_there(asked, refined) for asked in everyone):
        sure = np.array([refined[prior]["refined"]["sure"] for prior in PRIORS])
        found["surest"] = _chosen([PRIORS[row] for row in sure.argmax(0)], refined, "refined")
    return {variant: found[variant] for variant in TITLES if variant in found}


def _are_there(asked: Sequence[BettiPrior], refined: Mapping[BettiPrior, Mapping[str, Any]]) -> bool:
    places = {prior: set(cell["places"]) for prior, cell in refined.items()}
    return all(place in places.get(prior, ()) for place, prior in enumerate(asked))


def _chosen(asked: list[BettiPrior], refined: Mapping[BettiPrior, Mapping[str, Any]], form: str) -> Outcome:
    """Of each digit the refinement towards the prior asked."""
    rows = {prior: {place: row for row, place in enumerate(cell["places"])} for prior, cell in refined.items()}
    picked = [(refined[prior][form], rows[prior][place]) for place, prior in enumerate(asked)]
    return Outcome(
        np.array([int(cell["read"][row]) for cell, row in picked]),
        np.array([cell["error"][row] for cell, row in picked]),
        np.array([(cell["components"][row], cell["loops"][row]) for cell, row in picked]),
        asked,
    )


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text]


def _betti(cell: Mapping[str, Any]) -> Numbers:
    return np.stack([cell["components"], cell["loops"]], axis=1)
