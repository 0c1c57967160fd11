"""Priors that ask for nothing, or for what no image of this size can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.doctor.finding import Finding
from topoprior.priors.feasibility import check_feasible
from topoprior.refinement.editing.capacity import exceeds_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction


def prior_findings(
    prior: BettiPrior, spatial: tuple[int, ...], construction: Construction, boundary: Boundary
) -> Iterator[Finding]:
    """Findings about a prior for images of these sides, as many as the prior has Betti numbers."""
    try:
        check_feasible(prior, len(spatial), boundary=boundary)
    except ValueError as error:
        yield Finding(
            "error",
            "prior out of reach",
            f"{str(error)[0].upper()}{str(error)[1:]}.",
            "Write the numbers as components, loops, cavities; topoprior audit proposes those of your labels.",
            {"prior": str(prior)},
        )
        return
    least = (max(prior.lower[0], int(any(prior.lower[1:]) or boundary == "foreground")), *prior.lower[1:])
    if len(spatial) < 3 and exceeds_bounds(spatial, construction, boundary, least):
        yield Finding(
            "error",
            "prior too large",
            f"No image of {' x '.join(map(str, spatial))} pixels has the Betti numbers {prior}, or more.",
            "Take larger patches, or smaller numbers.",
            {"prior": str(prior), "shape": list(spatial)},
        )
