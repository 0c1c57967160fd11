"""What follows from the priors of classes and unions, which of them contradict each other, which are missing.

Only what can be proved is called a contradiction: no label map whatever satisfies the priors. Not all that is
impossible is found. A, B, C are unions without a common class, ``b_k`` Betti numbers, ``d`` the number of axes.

With either construction and the outside as background:

1. One union alone: no loop and no cavity without a component (`topoprior.priors.feasibility`).
2. A class without a component is empty, so a union has the numbers of what is left of it without its empty classes,
   and that of all other classes is the whole image: one component and nothing else.
3. A union has a component if a part of it has one, and at most as many as its parts together.
4. If A+B has as many components as A and B together, they do not touch, and every b_k adds up.
5. d = 2, inclusion-exclusion with the Euler characteristic chi = b_0 - b_1:
   chi(A+B+C) - chi(A+B) - chi(A+C) - chi(B+C) + chi(A) + chi(B) + chi(C) >= 0.
   In T the left side is the number of corners at which all three meet: closed squares of three sets have nothing but
   corners in common. In V it is the number of 2x2 blocks in which all three and nothing else occur: a pixel, an edge
   and a block with pixels of at most two of them cancel. For d = 3 there is no such rule, lines of contact may branch.

In V alone:

6. b_{d-1}(A+B) >= b_{d-1}(A) - b_0(B): a hole of A that is not one of A+B is filled by B, and holes of A do not touch
   each other, so that each takes a component of B. (In T two holes may touch at a corner, and one B fills both.)
   With all classes in A+B this says that A has no more holes than the rest has components.

With ``boundary="foreground"`` only 1 and 3 are looked at, and the outside is a common component of all unions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from topoprior.priors.class_priors import ClassPriors, ClassPriorsLike, name_of
from topoprior.priors.feasibility import check_reachable
from topoprior.topology.filtration import check_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.topology.filtration import Boundary, Construction

Union = frozenset[int]


@dataclass(frozen=True)
class Consistency:
    """What `ClassPriors.check` finds.

    Attributes:
        contradictions: Why no label map satisfies the priors; empty if no reason was found.
        follows: What the numbers say of how the classes lie to each other (outside as background only).
        missing: Unions without a prior, of up to two classes in 2-D and three in 3-D, background (the first class) and
            classes known to be absent left out. These unions describe a segmentation up to the contacts of more
            classes at a time (Byrne et al., arXiv 2107.12689); each one missing leaves something open.
    """

    contradictions: tuple[str, ...]
    follows: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        kinds = (("contradiction", self.contradictions), ("follows", self.follows), ("missing", self.missing))
        return "\n".join(f"{kind}: {text}" for kind, texts in kinds for text in texts)


@lru_cache(maxsize=256)
def consistency(priors: ClassPriors, construction: Construction, boundary: Boundary) -> Consistency:
    """See `ClassPriors.check`."""
    check_options(construction, boundary)
    contradictions = list(_alone(priors, boundary))
    follows: list[str] = []
    if not contradictions:
        known, contradictions = _known(priors, boundary)
        rules = _Rules(known, priors, construction, boundary)
        contradictions += rules.contradictions()
        follows = [] if contradictions or boundary == "foreground" else list(rules.follows())
    return Consistency(tuple(dict.fromkeys(contradictions)), tuple(follows), tuple(_missing(priors)))


def check_consistent(priors: ClassPriorsLike, *, construction: Construction, boundary: Boundary) -> None:
    """Refuse priors, one for all images or one each, that no label map satisfies.

    Raises:
        ValueError: If a contradiction is found.
    """
    for one in dict.fromkeys([priors] if isinstance(priors, ClassPriors) else priors):
        found = consistency(one, construction, boundary).contradictions
        if found:
            raise ValueError(f"no label map has these class priors: {'; '.join(found)} (priors: {one})")


class _Range(NamedTuple):
    """The numbers that a union may have, per dimension."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def euler(self) -> tuple[float, float]:
        """Smallest and largest Euler characteristic."""
        odd = [sum(numbers[1::2]) for numbers in self]
        even = [sum(numbers[0::2]) for numbers in self]
        return even[0] - odd[1], even[1] - odd[0]


def _alone(priors: ClassPriors, boundary: Boundary) -> Iterator[str]:
    for name, prior in zip(priors.names, priors.priors, strict=True):
        try:
            check_reachable(prior, boundary=boundary)
        except ValueError as error:
            yield f"{name}: {error}"


def _known(priors: ClassPriors, boundary: Boundary) -> tuple[dict[Union, _Range], list[str]]:
    """The ranges of unions without their empty classes (rule 2), and the contradictions met on the way."""
    every = frozenset(range(len(priors.classes)))
    ranges = [
        _Range(prior.lower, tuple(inf if high is None else high for high in prior.upper)) for prior in priors.priors
    ]
    if boundary == "foreground":
        return {frozenset(union): one for union, one in zip(priors.unions, ranges, strict=True)}, []
    empty = _empty(priors)
    nothing = _Range((0,) * priors.dimensions, (0,) * priors.dimensions)
    whole = _Range((1, *nothing.low[1:]), (1, *nothing.high[1:]))
    known: dict[Union, _Range] = {frozenset(): nothing, every - empty: whole}
    contradictions = []
    for union, prior, one in zip(priors.unions, priors.priors, ranges, strict=True):
        rest = frozenset(union) - empty
        other = known.get(rest, one)
        both = _Range(tuple(map(max, one.low, other.low)), tuple(map(min, one.high, other.high)))
        if any(low > high for low, high in zip(*both, strict=True)):
            left = name_of(sorted(rest), priors.classes) or "nothing"
            left = "the whole image" if rest == every - empty else left
            contradictions.append(
                f"{name_of(union, priors.classes)} wants {prior}, but is {left}, since "
                f"{name_of(sorted(empty), priors.classes)} has no component"
            )
        else:
            known[rest] = both
    return known, contradictions


def _empty(priors: ClassPriors) -> Union:
    """The classes that the priors say do not occur."""
    without = (union for union, prior in zip(priors.unions, priors.priors, strict=True) if prior.upper[0] == 0)
    return frozenset(k for union in without for k in union)


def _missing(priors: ClassPriors) -> Iterator[str]:
    present = [k for k in range(1, len(priors.classes)) if k not in _empty(priors)]
    given = {tuple(k for k in union if k in present) for union in priors.unions}
    for size in range(1, min(priors.dimensions, len(present)) + 1):
        for union in combinations(present, size):
            if union not in given:
                yield name_of(union, priors.classes)


class _Rules:
    """Rules 3 to 6 over all pairs and triples of known unions."""

    def __init__(
        self, known: dict[Union, _Range], priors: ClassPriors, construction: Construction, boundary: Boundary
    ) -> None:
        self.known = {union: one for union, one in known.items() if union}
        self.classes = priors.classes
        self.every = frozenset(range(len(priors.classes))) - _empty(priors)
        self.dimensions = priors.dimensions
        self.in_v = construction == "V" and boundary == "background" and priors.dimensions > 1
        self.shared = int(boundary == "foreground")  # components that all unions have in common: the outside

    def contradictions(self) -> list[str]:
        """Of all rules that hold for the construction and boundary."""
        found = [text for whole, parts in self._by_classes() for text in self._components(whole, parts)]
        for whole, one, other in self._divided():
            found += self._components(whole, (one, other))
            if not self.shared:
                found += self._apart(whole, one, other)
            if self.in_v:
                found += [*self._filled(whole, one, other), *self._filled(whole, other, one)]
        if self.dimensions == 2 and not self.shared:
            found += self._euler()
        return found

    def follows(self) -> Iterator[str]:
        """Contact, distance, and filled holes."""
        feature = "loop" if self.dimensions == 2 else "cavity"
        for whole, one, other in self._divided():
            if self._is_all(whole):
                continue
            a, b, both = (self.known[union] for union in (one, other, whole))
            if a.low[0] and b.low[0] and both.low[0] >= a.high[0] + b.high[0]:
                yield f"{self._name(one)} and {self._name(other)} do not touch"
            if both.high[0] < a.low[0] + b.low[0]:
                yield f"{self._name(one)} and {self._name(other)} touch"
            for outer, inner in ((one, other), (other, one)):
                if self.dimensions > 1 and self.known[outer].low[-1] and not both.high[-1]:
                    yield f"{self._name(inner)} fills every {feature} of {self._name(outer)}"

    def _divided(self) -> Iterator[tuple[Union, Union, Union]]:
        """All known unions that consist of two known ones, each division once."""
        for whole in self.known:
            for one in self.known:
                other = whole - one
                if one < whole and other in self.known and min(one) < min(other):
                    yield whole, one, other

    def _by_classes(self) -> Iterator[tuple[Union, tuple[Union, ...]]]:
        for whole in self.known:
            parts = tuple(frozenset({k}) for k in sorted(whole))
            if len(parts) > 2 and all(part in self.known for part in parts):
                yield whole, parts

    def _components(self, whole: Union, parts: tuple[Union, ...]) -> Iterator[str]:
        wanted = self.known[whole]
        most = sum(self.known[part].high[0] for part in parts) - self.shared * (len(parts) - 1)
        if wanted.low[0] > most:
            names = " and ".join(map(self._name, parts))
            yield (
                f"{self._name(whole)} wants at least {wanted.low[0]} components, but {names} together have at most "
                f"{most}"
            )
        for part in parts:
            if wanted.high[0] == 0 and self.known[part].low[0] > 0:
                yield f"{self._name(whole)} wants no component, but {self._name(part)} has at least one"

    def _apart(self, whole: Union, one: Union, other: Union) -> Iterator[str]:
        a, b, both = (self.known[union] for union in (one, other, whole))
        if both.low[0] < a.high[0] + b.high[0]:
            return
        for k in range(1, self.dimensions):
            if both.low[k] > a.high[k] + b.high[k] or both.high[k] < a.low[k] + b.low[k]:
                yield (
                    f"{self._name(whole)} has all components of {self._name(one)} and {self._name(other)}, so these do "
                    f"not touch, and their Betti numbers b{k} must add up"
                )

    def _filled(self, whole: Union, outer: Union, inner: Union) -> Iterator[str]:
        holes, most, filled = self.known[outer].low[-1], self.known[whole].high[-1], self.known[inner].high[0]
        if holes - filled > most:
            yield (
                f"{self._name(outer)} has at least {holes} holes, {self._name(whole)} at most {most}, but "
                f"{self._name(inner)} has at most {filled} components to fill the others with"
            )

    def _euler(self) -> Iterator[str]:
        for whole, one, rest in self._divided_in_any_order():
            for two in self.known:
                three = rest - two
                if not (two < rest and three in self.known and min(one) < min(two) < min(three)):
                    continue
                pairs, singles = (one | two, one | three, two | three), (one, two, three)
                if not all(pair in self.known for pair in pairs):
                    continue
                most = (
                    self.known[whole].euler()[1]
                    - sum(self.known[pair].euler()[0] for pair in pairs)
                    + sum(self.known[single].euler()[1] for single in singles)
                )
                if most < 0:
                    names = ", ".join(map(self._name, singles))
                    yield (
                        f"{names}, their pairs and their union have Euler characteristics by which all three meet in "
                        f"at most {most} points"
                    )

    def _divided_in_any_order(self) -> Iterator[tuple[Union, Union, Union]]:
        """Known unions and a known part with the lowest class; the rest may be without a prior."""
        for whole in self.known:
            for one in self.known:
                if one < whole and min(one) == min(whole):
                    yield whole, one, whole - one

    def _is_all(self, union: Union) -> bool:
        return union == self.every

    def _name(self, union: Union) -> str:
        return "the whole image" if self._is_all(union) else name_of(sorted(union), self.classes)
