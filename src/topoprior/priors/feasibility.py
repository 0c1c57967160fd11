"""Priors that no image can have, whatever its pixels, and priors that every image has.

The loss refuses the latter alone: towards a prior out of reach it still has a gradient. Refinement, which would run to
its last step, refuses both.
"""

from collections.abc import Iterator

from topoprior.priors.betti_prior import BettiPrior, PriorLike
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
    check_asks(prior, boundary=boundary)
    check_reachable(prior, boundary=boundary)


def check_asks(prior: PriorLike, *, boundary: Boundary = "background", essential: str = "finite") -> None:
    """Refuse priors of a batch, already resolved, whose loss is 0 on every image, whatever its pixels.

    Some component costs nothing: the outside with ``boundary="foreground"``, the longest with ``essential="drop"``.
    "At least one" is then no wish. One prior that asks for something is enough, as with "don't care".

    Raises:
        ValueError: If none of them asks for anything.

    Examples:
        >>> check_asks(BettiPrior((1, None), None))
        >>> check_asks(BettiPrior((1, None), None), boundary="foreground")
        Traceback (most recent call last):
        ValueError: with boundary='foreground' the outside is a component of its own, so the prior 1-,* asks for \
nothing: ask for 2 or more, an upper limit, or another dimension
    """
    if boundary == "foreground":
        reason = "with boundary='foreground' the outside is a component of its own"
    elif essential == "drop":
        reason = "with essential='drop' the first component is left out"
    else:
        return  # "only don't care" is refused where priors are resolved
    if not any(_asks_beside_one_component(entry) for entry in priors_in(prior)):
        named = ", ".join(dict.fromkeys(map(str, priors_in(prior))))
        raise ValueError(
            f"{reason}, so the prior {named} asks for nothing: ask for 2 or more, an upper limit, or another dimension"
        )


def check_reachable(prior: PriorLike, *, boundary: Boundary = "background") -> None:
    """Refuse a prior, or priors of a batch, already resolved, that no image can satisfy.

    Raises:
        ValueError: If one of them cannot be satisfied.
    """
    for entry in priors_in(prior):
        if entry.upper[0] != 0:
            continue
        if boundary == "foreground":
            raise ValueError(
                f"with boundary foreground the outside is a component: the prior {entry} cannot be reached"
            )
        for name, wanted in zip(("a loop", "a cavity"), entry.lower[1:], strict=False):
            if wanted:
                raise ValueError(f"no image has no component but {name}: the prior {entry} cannot be reached")


def priors_in(prior: PriorLike) -> Iterator[BettiPrior]:
    """All priors of a batch, one after the other."""
    if isinstance(prior, BettiPrior):
        yield prior
    else:
        for part in prior:
            yield from priors_in(part)


def _asks_beside_one_component(prior: BettiPrior) -> bool:
    cares = prior.cares
    return any(cares[1:]) or (cares[0] and (prior.lower[0] > 1 or prior.upper[0] is not None))
