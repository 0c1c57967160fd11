"""What a map has, and what a prior says of it: bars with their roles, Betti numbers, the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from topoprior.losses.functional import betti_prior_loss_from_diagrams
from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from topoprior.app.wish import Wish
    from topoprior.topology.diagram import PersistenceDiagrams

Role = Literal["wanted", "allowed", "surplus"]
Pixel = tuple[int, int]


@dataclass(frozen=True)
class Bar:
    """One bar, with what the prior makes of it.

    Attributes:
        dimension: 0 for a component, 1 for a loop.
        birth: Probability at which it appears.
        death: Probability at which it goes.
        role: ``"wanted"``: the loss makes it longer; ``"surplus"``: shorter; ``"allowed"``: it leaves it alone.
        birth_pixel: Row and column of the pixel that sets the birth; None if that is the outside of the image.
        death_pixel: The same of the death; None if it never dies.
    """

    dimension: int
    birth: float
    death: float
    role: Role
    birth_pixel: Pixel | None
    death_pixel: Pixel | None


@dataclass(frozen=True, eq=False)
class Exploration:
    """What the page tells of a map.

    Attributes:
        bars: For each dimension its bars, longest first.
        missing: For each dimension, how many bars are wanted that do not exist at all.
        losses: For each dimension its part of the loss; None where the prior does not care.
        betti: Betti numbers at the threshold.
        level: The level that was looked at.
        betti_at_level: Betti numbers there.
        right: Whether the mask at the threshold has the wanted Betti numbers.
    """

    bars: tuple[tuple[Bar, ...], ...]
    missing: tuple[int, ...]
    losses: tuple[float | None, ...]
    betti: list[int]
    level: float
    betti_at_level: list[int]
    right: bool

    @property
    def loss(self) -> float:
        """Equation 4: the sum over the dimensions."""
        return sum(part for part in self.losses if part is not None)


def explore(probability: NDArray[np.float32], wish: Wish, *, level: float) -> Exploration:
    """All that the page tells of a map.

    Args:
        probability: Shape ``(height, width)``, values in [0, 1].
        wish: What is wanted, and how it is counted.
        level: The level to look at, greater than 0 and at most 1.

    Raises:
        ValueError: If the level is out of range.

    Examples:
        >>> import numpy as np
        >>> from topoprior.app.wish import Wish
        >>> row = np.array([[0.9, 0.2, 0.7]], np.float32)
        >>> found = explore(row, Wish(BettiPrior(1, None)), level=0.1)
        >>> found.betti, found.betti_at_level, [bar.role for bar in found.bars[0]], found.losses[1]
        ([2, 0], [1, 0], ['wanted', 'surplus'], None)
        >>> round(found.loss, 2)  # (1 - 0.9**2) + (0.7 - 0.2)**2
        0.44
    """
    diagrams = persistence(torch.from_numpy(probability)[None, None], **wish.counting)
    betti = diagrams.betti_numbers(wish.threshold)[0, 0]
    prior = wish.prior
    bars = tuple(_bars(diagrams, prior, dimension) for dimension in range(2))
    return Exploration(
        bars=bars,
        missing=tuple(max(0, low - len(group)) for low, group in zip(prior.lower, bars, strict=True)),
        losses=tuple(_loss(diagrams, prior, dimension) for dimension in range(2)),
        betti=betti.tolist(),
        level=level,
        betti_at_level=diagrams.betti_numbers(level)[0, 0].tolist(),
        right=bool(prior.is_satisfied_by(betti)),
    )


def _bars(diagrams: PersistenceDiagrams, prior: BettiPrior, dimension: int) -> tuple[Bar, ...]:
    group = diagrams.select(dimension=dimension)
    columns = (group.births, group.deaths, group.birth_index, group.death_index)
    low, high = prior.lower[dimension], prior.upper[dimension]
    width = diagrams.shape[-1]
    return tuple(
        Bar(dimension, birth, death, _role(rank, low, high), _pixel(born, width), _pixel(died, width))
        for rank, (birth, death, born, died) in enumerate(zip(*(c.tolist() for c in columns), strict=True))
    )


def _role(rank: int, low: int, high: int | None) -> Role:
    if rank < low:
        return "wanted"
    return "allowed" if high is None or rank < high else "surplus"


def _pixel(index: int, width: int) -> Pixel | None:
    return None if index < 0 else divmod(index, width)


def _loss(diagrams: PersistenceDiagrams, prior: BettiPrior, dimension: int) -> float | None:
    """The part of one dimension: the other weighs nothing."""
    if not prior.cares[dimension]:
        return None
    ranges = zip(prior.lower, prior.upper, strict=True)
    alone = BettiPrior(*((low, high) for low, high in ranges), weights=[float(k == dimension) for k in range(2)])
    try:
        return betti_prior_loss_from_diagrams(diagrams, alone).item()
    except ValueError:  # with the outside as foreground "at least one component" is no wish
        return 0.0
