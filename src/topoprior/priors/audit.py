"""What labels say about priors: which Betti numbers occur and how often, which prior fits them, which labels break it.

Labels are not without faults, and anatomy varies: a prior that sounds evident may hold for four labels of five. So
look before a network is trained towards it.

All is about one construction and one boundary. A union of classes is counted in the labels that hold all its classes:
where one is absent, the union is a smaller one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, inf, prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from topoprior.topology.filtration import Boundary, Construction

Numbers: TypeAlias = tuple[int, ...]
"""Betti numbers of one mask, dimension 0 first."""
Union: TypeAlias = tuple[int, ...]
"""Indices of classes, ascending; background is 0."""
Whole: TypeAlias = NDArray[np.int64]


def unions_of(classes: Sequence[int], *, largest: int) -> list[Union]:
    """All unions of up to so many classes, small ones first.

    Examples:
        >>> unions_of([1, 2, 3], largest=2)
        [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3)]
    """
    return [union for size in range(1, largest + 1) for union in combinations(sorted(classes), size)]


@dataclass(frozen=True)
class Share:
    """A part of some cases.

    Attributes:
        held: How many have the property.
        total: How many there are.
    """

    held: int
    total: int

    @property
    def value(self) -> float:
        """From 0 to 1; NaN of no cases."""
        return self.held / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Proposal:
    """A prior that fits labels.

    Attributes:
        prior: Numbers, or the smallest ranges that cover enough.
        coverage: The labels that have it.
    """

    prior: BettiPrior
    coverage: Share


@dataclass(frozen=True)
class Broken:
    """One prior that a label does not have.

    Attributes:
        union: What it is about.
        numbers: The Betti numbers of the label.
        prior: What is wanted.
        error: Components, loops and cavities missing or too many.
        alike: How many labels have the same numbers there.
    """

    union: Union
    numbers: Numbers
    prior: BettiPrior
    error: int
    alike: int


@dataclass(frozen=True)
class Breaker:
    """A label that breaks priors.

    Attributes:
        case: Its name.
        broken: Which, the worst first.
    """

    case: str
    broken: tuple[Broken, ...]

    @property
    def badness(self) -> tuple[int, int]:
        """Sorts from the worst to the mildest; of equals, the rarest numbers first."""
        return -sum(each.error for each in self.broken), min(each.alike for each in self.broken)


def histogram(numbers: Iterable[Numbers]) -> dict[Numbers, int]:
    """How often each Betti numbers occur, the most frequent first; of equals, the smaller numbers.

    Examples:
        >>> histogram([(1, 1), (1, 0), (1, 1)])
        {(1, 1): 2, (1, 0): 1}
    """
    return dict(sorted(Counter(numbers).items(), key=lambda entry: (-entry[1], entry[0])))


def propose(numbers: Mapping[Numbers, int], *, coverage: float = 0.95) -> Proposal:
    """The tightest prior that enough labels have.

    The most frequent Betti numbers if these suffice. Otherwise ranges, one per dimension, that allow as few different
    Betti numbers as possible; of several such, those that the most labels have; of these, the smallest numbers.

    Args:
        numbers: Betti numbers to how often they occur.
        coverage: The share of the labels that the prior must hold for, above 0 and at most 1.

    Raises:
        ValueError: If there are no labels, their numbers of dimensions differ, or ``coverage`` is out of its range.

    Examples:
        >>> propose({(1, 1): 96, (2, 1): 4})
        Proposal(prior=BettiPrior(1, 1), coverage=Share(held=96, total=100))
        >>> propose({(1, 1): 90, (1, 0): 7, (3, 0): 3}).prior
        BettiPrior(1, (0, 1))
    """
    if not numbers:
        raise ValueError("a prior can be proposed from labels only, got none")
    if len({len(each) for each in numbers}) > 1:
        raise ValueError(f"Betti numbers must have one number of dimensions, got {', '.join(map(str, numbers))}")
    check_coverage(coverage)
    total = sum(numbers.values())
    enough = ceil(Fraction(str(coverage)) * total)  # 0.55 of 100 are 55: floating point says 56
    box = _Boxes(numbers, enough).smallest()
    prior = BettiPrior(*box)
    return Proposal(prior, Share(sum(count for each, count in numbers.items() if not _error(each, prior)), total))


def check_coverage(coverage: float) -> None:
    """Raise ``ValueError`` unless it is above 0 and at most 1."""
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must be greater than 0 and at most 1, got {coverage}")


@dataclass(frozen=True, eq=False)
class Audit:
    """The Betti numbers of many labels under one construction and boundary.

    Attributes:
        classes: Their names, background first.
        cases: Names of all labels.
        numbers: Each union to the Betti numbers of the cases that hold all its classes. All single classes are there,
            and all parts of unions.
        construction: Under which they were counted.
        boundary: The same.

    Examples:
        A ring that is filled in two labels, and open in one of them; the third holds a disc alone:

        >>> numbers = {
        ...     (1,): {"a": (1, 1), "b": (1, 0)},
        ...     (2,): {"a": (1, 0), "b": (1, 0), "c": (1, 0)},
        ...     (1, 2): {"a": (1, 0), "b": (1, 0)},
        ... }
        >>> audit = Audit(("BG", "ring", "disc"), ("a", "b", "c"), numbers)
        >>> print(audit.proposed(coverage=0.5))
        ring 1,0; disc 1,0; ring+disc 1,0
        >>> wanted = ClassPriors({"ring": (1, 1), "disc": (1, 0)}, classes=audit.classes)
        >>> audit.coverage(wanted)
        Share(held=2, total=3)
        >>> audit.breakers(wanted)[0].broken[0].numbers
        (1, 0)
    """

    classes: tuple[str, ...]
    cases: tuple[str, ...]
    numbers: Mapping[Union, Mapping[str, Numbers]]
    construction: Construction = "T"
    boundary: Boundary = "background"

    @property
    def dimensions(self) -> int:
        """How many Betti numbers a mask has."""
        return len(next(numbers for of_union in self.numbers.values() for numbers in of_union.values()))

    def name(self, union: Union) -> str:
        """The classes of a union, joined by plus signs."""
        return name_of(union, self.classes)

    def histogram(self, union: Union) -> dict[Numbers, int]:
        """How often each Betti numbers occur in the cases that hold all classes of a union."""
        return histogram(self.numbers[union].values())

    def proposals(self, *, coverage: float = 0.95) -> dict[Union, Proposal]:
        """What `propose` says of each union that occurs."""
        return {
            union: propose(self.histogram(union), coverage=coverage) for union, cases in self.numbers.items() if cases
        }

    def proposed(self, *, coverage: float = 0.95) -> ClassPriors:
        """The proposals as class priors."""
        found = self.proposals(coverage=coverage)
        return ClassPriors({union: each.prior for union, each in found.items()}, classes=self.classes)

    def coverage(self, priors: ClassPriors | Mapping[str, ClassPriors], union: Union | None = None) -> Share:
        """The share of cases that have their priors, all of them or that of one union.

        Cases that say nothing of the priors, because they lack classes, are not counted. Priors of each case speak of
        absent classes too: these have no component.

        Args:
            priors: Of all cases, or for each case.
            union: The one union; None for all of them together.
        """
        verdicts = [
            [
                self._error(case, each, prior)
                for each, prior in self._told(case, priors)
                if union is None or union == each
            ]
            for case in self.cases
        ]
        judged = [errors for errors in verdicts if errors]
        return Share(sum(not any(errors) for errors in judged), len(judged))

    def breakers(self, priors: ClassPriors | Mapping[str, ClassPriors]) -> list[Breaker]:
        """The cases that do not have their priors, the worst first, and of equals the rarest.

        Args:
            priors: Of all cases, or for each case.
        """
        alike = {union: self.histogram(union) for union in self.numbers}
        found = []
        for case in self.cases:
            broken = []
            for union, prior in self._told(case, priors):
                error, numbers = self._error(case, union, prior), self.numbers_of(case, union)
                if error:
                    broken.append(Broken(union, numbers, prior, error, alike[union].get(numbers, 0)))
            if broken:
                found.append(Breaker(case, tuple(sorted(broken, key=lambda each: -each.error))))
        return sorted(found, key=lambda each: each.badness)

    def _told(self, case: str, priors: ClassPriors | Mapping[str, ClassPriors]) -> Iterable[tuple[Union, BettiPrior]]:
        """The unions of a case that priors speak of."""
        of_case = priors if isinstance(priors, ClassPriors) else priors[case]
        for union, prior in zip(of_case.unions, of_case.priors, strict=True):
            if union not in self.numbers:
                raise ValueError(f"{self.name(union)} was not counted, only {', '.join(map(self.name, self.numbers))}")
            if of_case is not priors or case in self.numbers[union]:
                yield union, prior

    def numbers_of(self, case: str, union: Union) -> Numbers:
        """The Betti numbers of a union in a case, where some of its classes may be absent, or all."""
        present = tuple(each for each in union if case in self.numbers[(each,)])
        if present:
            return self.numbers[present][case]
        return (int(self.boundary == "foreground"), *(0,) * (self.dimensions - 1))

    def _error(self, case: str, union: Union, prior: BettiPrior) -> int:
        return _error(self.numbers_of(case, union), prior)


def _error(numbers: Numbers, prior: BettiPrior) -> int:
    """Features missing or too many."""
    return sum(
        max(low - number, 0) + (0 if high is None else max(number - high, 0))
        for number, low, high in zip(numbers, prior.lower, prior.upper, strict=True)
    )


class _Boxes:
    """Ranges over the dimensions, all that can be the smallest: a box holds no more than each of its sides alone."""

    def __init__(self, numbers: Mapping[Numbers, int], enough: int) -> None:
        self._points, self._counts = np.array(list(numbers)), np.array(list(numbers.values()))
        self._enough = enough
        every = [_sides(self._points[:, k], self._counts, enough) for k in range(self._points.shape[1])]
        self._narrowest = [int(sides[0, 0]) for sides in every]
        self._best = inf, 0, (0,)
        self._box: tuple[tuple[int, int], ...] = ()

    def smallest(self) -> tuple[tuple[int, int], ...]:
        """The box that allows the least; of equals that with the most labels, then that of the smallest numbers."""
        self._search((), self._points, self._counts)
        return self._box

    def _search(self, box: tuple[tuple[int, int], ...], points: Whole, counts: Whole) -> None:
        k = len(box)
        last = k == points.shape[1] - 1
        least = prod(high - low + 1 for low, high in box) * prod(self._narrowest[k + 1 :])
        sides = _sides(points[:, k], counts, self._enough)
        for width, loss, low, high in (sides[:1] if last else sides).tolist():
            if least * width > self._best[0]:
                return  # all that follow are wider
            longer = (*box, (low, high))
            if not last:
                inside = (points[:, k] >= low) & (points[:, k] <= high)
                self._search(longer, points[inside], counts[inside])
                continue
            rank = (least * width, loss, tuple(each for each, _ in longer))
            if rank < self._best:
                self._best, self._box = rank, longer


def _sides(values: Whole, counts: Whole, enough: int) -> Whole:
    """All ranges of one number that hold enough labels: rows of width, minus the labels, low and high; sorted."""
    ends, place = np.unique(values, return_inverse=True)
    until = np.concatenate(([0], np.cumsum(np.bincount(place, weights=counts)).astype(np.int64)))
    held = until[None, 1:] - until[:-1, None]
    low, high = np.nonzero((held >= enough) & (ends[None] >= ends[:, None]))
    rows = np.stack([ends[high] - ends[low] + 1, -held[low, high], ends[low], ends[high]], 1)
    return np.asarray(rows[np.lexsort(rows.T[::-1])])
