"""How classes lie to each other, in words, and the priors of unions that say it.

A and B stand for classes or unions without a common class, a and b for their wanted Betti numbers, d for the number of
axes. Outside the image is background (``boundary="background"``).

======================  ========================================  ================================================
words                   prior of A+B                              what a label map with these numbers satisfies
======================  ========================================  ================================================
``A apart from B``      a_k + b_k in every dimension              exactly: no pixel of A touches one of B
``A touches B``         1 to a_0 + b_0 - 1 components             exactly: some pixel of A touches one of B
``A touches B once``    a_0 + b_0 - 1 components, a_k + b_k in    A touches B, and the contact adds neither a loop
                        the dimensions above                      nor a cavity, as a single connected contact does
``A encloses B``        1 to a_0 components, no loop in 2-D, no   every hole of A (2-D) or cavity of A (3-D) is
                        cavity in 3-D                             filled by B, to the last pixel
======================  ========================================  ================================================

"Touches" is that of the construction: through corners in T, through faces only in V. Why the right column is true:

- The components of A+B are those of A and of B, joined where they touch. So their number is a_0 + b_0 if nothing
  touches, and less otherwise. Sets that do not touch have the loops and cavities of both, and nothing else.
- A hole of A is a component of what is not A. If a pixel of it were not in B, the component around it of what is
  neither in A nor in B would be a hole of A+B; but A+B has none.

What they do not say:

- *encloses*, B may be more than the filled hole. In V it is not if B has as many components as A has holes: then the
  holes are components of B. In T, B may slip out of a ring between two of its pixels that touch at a corner only,
  and go on outside: both A and B connect through that corner. Between A and B nothing may lie: else write ``A encloses
  layer+B``. In 3-D tunnels of the union are left open unless A and B have none.
- *touches*, with several components: one contact is enough. It does not say where, nor how wide.
- *once*: the numbers of the union are those of one simply connected contact; further contacts that happen to cancel
  (one adds a loop, another fills one) are not excluded.
- Nothing speaks of size, thickness, orientation or left and right: topology has no words for these.

Containment of nested regions (a tumour core within the whole tumour) needs no word: labels are a partition, the whole
tumour is the union of its parts, and its prior is that of the union.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from topoprior.priors.betti_prior import BettiPrior, Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from topoprior.priors.class_priors import Classes, ClassPriors

_SENTENCE = re.compile(r"(?P<first>.+?) (?P<verb>encloses|touches|apart from) (?P<second>.+?)(?P<once> once)?")


def translate(words: str | Iterable[str], known: ClassPriors) -> dict[Classes, BettiPrior]:
    """The known priors with those of the sentences; where both speak of one union, what both allow.

    Raises:
        ValueError: If a sentence cannot be read, lacks numbers, or contradicts what is known or said before.
    """
    entries = known.as_dict()
    for sentence in _sentences(words):
        first, second, verb = _parse(sentence)
        parts = [_numbers(known, operand, sentence) for operand in (first, second)]
        if set(first) & set(second):
            raise ValueError(f"{sentence!r} must speak of two sides without a common class")
        prior = _TRANSLATIONS[verb](parts[0], parts[1], sentence)
        union: Classes = tuple(sorted(first + second, key=known.classes.index))
        entries[union] = _both(entries[union], prior, sentence) if union in entries else prior
    return entries


def _sentences(words: str | Iterable[str]) -> list[str]:
    if not isinstance(words, Iterable):
        raise TypeError(f"words must be sentences, got {words!r}")
    texts = words.split(";") if isinstance(words, str) else list(words)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"words must be sentences, got {text!r}")
    return [" ".join(text.split()) for text in texts if text.strip()]


def _parse(sentence: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    match = _SENTENCE.fullmatch(sentence)
    verb = match and f"{match['verb']}{match['once'] or ''}"
    if match is None or verb not in _TRANSLATIONS:
        raise ValueError(
            f"a sentence must be 'A encloses B', 'A touches B', 'A touches B once' or 'A apart from B', got "
            f"{sentence!r}"
        )
    first, second = (tuple(name.strip() for name in match[side].split("+")) for side in ("first", "second"))
    return first, second, verb


def _numbers(known: ClassPriors, operand: tuple[str, ...], sentence: str) -> BettiPrior:
    try:
        return known[operand]
    except KeyError:
        name = "+".join(operand)
        raise ValueError(f"{sentence!r} needs the Betti numbers of {name}: give a prior for it") from None


def _apart(first: BettiPrior, second: BettiPrior, sentence: str) -> BettiPrior:
    _components(first, second, sentence)
    return BettiPrior(*_sums(first, second))


def _touches(first: BettiPrior, second: BettiPrior, sentence: str) -> BettiPrior:
    most = _components(first, second, sentence) - 1
    return BettiPrior((1, most), *[None] * (first.dimensions - 1))


def _touches_once(first: BettiPrior, second: BettiPrior, sentence: str) -> BettiPrior:
    return BettiPrior(_components(first, second, sentence) - 1, *_sums(first, second)[1:])


def _encloses(first: BettiPrior, second: BettiPrior, sentence: str) -> BettiPrior:
    dimensions = first.dimensions
    if dimensions == 1:
        raise ValueError(f"{sentence!r}: in one dimension nothing encloses")
    if not first.lower[-1]:
        feature = "loop" if dimensions == 2 else "cavity"
        raise ValueError(f"{sentence!r}: what encloses must have at least one {feature}, got the prior {first}")
    solid = (first.upper[1], second.upper[1]) == (0, 0)
    tunnels = [] if dimensions == 2 else [0 if solid else None]
    return BettiPrior((1, first.upper[0]), *tunnels, 0)  # fewer than A has where an island of A lies in its hole


_TRANSLATIONS: dict[str, Callable[[BettiPrior, BettiPrior, str], BettiPrior]] = {
    "encloses": _encloses,
    "touches": _touches,
    "touches once": _touches_once,
    "apart from": _apart,
}


def _components(first: BettiPrior, second: BettiPrior, sentence: str) -> int:
    """How many components both have together; without exact numbers their union tells nothing about contact."""
    for prior in (first, second):
        if prior.lower[0] != prior.upper[0] or not prior.lower[0]:
            raise ValueError(
                f"{sentence!r} needs classes whose number of components is known exactly and not 0, got {prior}"
            )
    return first.lower[0] + second.lower[0]


def _sums(first: BettiPrior, second: BettiPrior) -> list[Range]:
    return [
        (low + more, None if high is None or most is None else high + most)
        for low, high, more, most in zip(first.lower, first.upper, second.lower, second.upper, strict=True)
    ]


def _both(given: BettiPrior, said: BettiPrior, sentence: str) -> BettiPrior:
    """What both priors allow, with the weights of the given one."""
    ranges: list[Range] = []
    for low, high, least, most in zip(given.lower, given.upper, said.lower, said.upper, strict=True):
        ends = [end for end in (high, most) if end is not None]
        ranges.append((max(low, least), min(ends) if ends else None))
    if any(high is not None and high < low for low, high in ranges):
        raise ValueError(f"{sentence!r} wants {said} for the union, which contradicts the prior {given} that it has")
    return BettiPrior(*ranges, weights=given.weights)
