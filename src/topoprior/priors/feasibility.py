"""Priors that no image can have, whatever its pixels, and priors that every image has."""

from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.filtration import Boundary


def check_feasible(prior: BettiPrior, spatial_axes: int, *, boundary: Boundary = "background") -> None:
    """Refuse a prior that no image of so many axes can satisfy, or that asks for nothing.

    Loops and cavities need a component to be in; with ``boundary="foreground"`` the outside is always a component;
    and in one dimension there is nothing but components.

    Raises:
        ValueError: If the prior has another number of dimensions, asks for nothing, or cannot be satisfied.

    Examples:
        >>> check_feasible(BettiPrior(0, 1), 2)
        Traceback (most recent call last):
        ValueError: no image has no component but a loop: the prior 0,1 cannot be reached
    """
    if prior.dimensions != spatial_axes:
        raise ValueError(
            f"a prior for an image with {spatial_axes} axes has {spatial_axes} Betti numbers, one per dimension, "
            f"got {prior.dimensions}: {prior}"
        )
    if not any(prior.cares):
        raise ValueError(f"a prior must ask for something, got only don't care: {prior}")
    if boundary == "foreground" and prior.lower[0] <= 1 and prior.upper[0] is None and not any(prior.cares[1:]):
        raise ValueError(f"with boundary foreground the outside is a component: the prior {prior} asks for nothing")
    if prior.upper[0] != 0:
        return
    if boundary == "foreground":
        raise ValueError(f"with boundary foreground the outside is a component: the prior {prior} cannot be reached")
    for name, wanted in zip(("a loop", "a cavity"), prior.lower[1:], strict=False):
        if wanted:
            raise ValueError(f"no image has no component but {name}: the prior {prior} cannot be reached")
