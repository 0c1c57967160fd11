"""The conventions of a loss, and what others would make of the same map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from topoprior.doctor.finding import Finding
from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.diagram import PersistenceDiagrams
    from topoprior.topology.filtration import Boundary, Construction


@dataclass(frozen=True)
class Conventions:
    """How the loss looks at a map: its own options of these names, and the threshold of the mask."""

    construction: Construction = "T"
    boundary: Boundary = "background"
    power: Literal[1, 2] = 2
    threshold: float = 0.5

    def diagrams(
        self, image: Tensor, construction: Construction | None = None, boundary: Boundary | None = None
    ) -> PersistenceDiagrams:
        """The bars, under these conventions or one that differs."""
        return persistence(image, construction=construction or self.construction, boundary=boundary or self.boundary)


def other_conventions(
    image: Tensor, prior: BettiPrior, conventions: Conventions, betti: Tensor, *, right: bool
) -> Iterator[Finding]:
    """What the other construction and the other boundary would say."""
    level, found = conventions.threshold, betti.tolist()
    other: Construction = "V" if conventions.construction == "T" else "T"
    outside: Boundary = "foreground" if conventions.boundary == "background" else "background"
    by_other = conventions.diagrams(image, other).betti_numbers(level)[0, 0]
    by_outside = conventions.diagrams(image, boundary=outside).betti_numbers(level)[0, 0]
    if not right and bool(prior.is_satisfied_by(by_other)):
        yield connectivity("warning", conventions.construction, found, other, by_other.tolist(), prior)
    elif found != by_other.tolist():
        yield connectivity("note", conventions.construction, found, other, by_other.tolist())
    if not right and bool(prior.is_satisfied_by(by_outside)):
        yield Finding(
            "warning",
            "boundary",
            f"With boundary='{conventions.boundary}' the Betti numbers are {text_of(found)}; the prior {prior} holds "
            f"with boundary='{outside}', where the outside is {'a' if outside == 'foreground' else 'no'} component.",
            f"Give boundary='{outside}' (--boundary {outside}), or a prior that counts as this boundary does.",
            {"betti": found, outside: by_outside.tolist()},
        )


def connectivity(
    severity: Literal["warning", "note"],
    construction: str,
    betti: list[int],
    other: str,
    others: list[int],
    prior: BettiPrior | None = None,
) -> Finding:
    """What two constructions say, if they do not agree."""
    fits = "" if prior is None else f"; the prior {prior} holds with '{other}' only"
    return Finding(
        severity,
        "connectivity",
        f"With construction='{construction}' the Betti numbers are {text_of(betti)}, with '{other}' {text_of(others)}"
        f"{fits}: pixels touch at corners.",
        "Take the construction by which your labels were counted (topoprior audit shows both), everywhere the same.",
        {construction: betti, other: others},
    )


def text_of(numbers: list[int]) -> str:
    """Betti numbers as a prior is written."""
    return ",".join(map(str, numbers))
