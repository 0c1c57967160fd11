"""What is wanted, as the page's fields say it: Betti numbers, how pixels touch, where the mask is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topoprior.priors.feasibility import check_feasible

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction

EXACTLY, BETWEEN, AT_LEAST, ANY = "exactly", "between", "at least", "any number"
AMOUNTS = (EXACTLY, BETWEEN, AT_LEAST, ANY)
WORDS = ("component", "loop")


@dataclass(frozen=True)
class Wish:
    """What a mask should have, and how that is counted."""

    prior: BettiPrior
    construction: Construction = "T"
    boundary: Boundary = "background"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"the threshold must lie between 0 and 1, got {self.threshold}")
        check_feasible(self.prior, 2, boundary=self.boundary)

    @property
    def counting(self) -> dict[str, Any]:
        """The keywords of every function that counts."""
        return {"construction": self.construction, "boundary": self.boundary}


def entry(amount: str, low: float | None, high: float | None, *, dimension: int) -> int | tuple[int, int | None] | None:
    """One Betti number of a prior, from its fields.

    Args:
        amount: One of `AMOUNTS`.
        low: The number, or the smallest; None for an empty field.
        high: The largest, where there is one.
        dimension: 0 for components, 1 for loops: what errors speak of.

    Raises:
        ValueError: If a field that is needed is empty, or its number is not whole.

    Examples:
        >>> entry("exactly", 1, None, dimension=0), entry("at least", 2, None, dimension=1)
        (1, (2, None))
    """
    if amount == ANY:
        return None
    what = f"{WORDS[dimension]}s"
    least = _whole(low, what)
    if amount == EXACTLY:
        return least
    if amount == AT_LEAST:
        return (least, None)
    if amount != BETWEEN:
        raise ValueError(f"{what}: choose one of {', '.join(AMOUNTS)}, got {amount!r}")
    most = _whole(high, what)
    if most < least:
        raise ValueError(f"{what}: the range must run from the smaller to the larger number, got {least} to {most}")
    return (least, most)


def counted(number: int, dimension: int) -> str:
    """A Betti number in words.

    Examples:
        >>> counted(1, 0), counted(3, 1), counted(0, 1)
        ('1 component', '3 loops', '0 loops')
    """
    return f"{number} {WORDS[dimension]}{'' if number == 1 else 's'}"


def in_words(numbers: list[int]) -> str:
    """Both Betti numbers of an image in words.

    Examples:
        >>> in_words([2, 1])
        '2 components and 1 loop'
    """
    return " and ".join(counted(number, dimension) for dimension, number in enumerate(numbers))


def wanted_in_words(prior: BettiPrior) -> str:
    """A prior for an image in words.

    Examples:
        >>> from topoprior import BettiPrior
        >>> wanted_in_words(BettiPrior(1, (0, 2)))
        '1 component and 0 to 2 loops'
        >>> wanted_in_words(BettiPrior((2, None), None))
        'at least 2 components and any number of loops'
    """
    told = []
    for dimension, (low, high) in enumerate(zip(prior.lower, prior.upper, strict=True)):
        if high is None:
            told.append(f"any number of {WORDS[dimension]}s" if low == 0 else f"at least {counted(low, dimension)}")
        else:
            told.append(counted(low, dimension) if low == high else f"{low} to {counted(high, dimension)}")
    return " and ".join(told)


def _whole(number: float | None, what: str) -> int:
    if number is None:
        raise ValueError(f"{what}: a field is empty, write a number into it")
    if number != int(number) or number < 0:
        raise ValueError(f"{what}: the number must be whole and at least 0, got {number:g}")
    return int(number)
