"""A refinement of the page's map: how it is made, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from topoprior.refinement.guarantee import completed
from topoprior.refinement.probability_map import refine_map

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from topoprior.app.wish import Wish

MOST_STEPS = 1000


@dataclass(frozen=True)
class Method:
    """How a map is refined.

    Attributes:
        weight: Lambda of equation 5.
        max_steps: Largest number of steps; 0 with ``guarantee`` edits alone.
        guarantee: Edit what the refinement leaves wrong.
    """

    weight: float = 0.1
    max_steps: int = 500
    guarantee: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 100:
            raise ValueError(f"the weight must be greater than 0 and at most 100, got {self.weight}")
        if self.max_steps not in range(MOST_STEPS + 1):
            raise ValueError(f"the number of steps must be from 0 to {MOST_STEPS}, got {self.max_steps}")


@dataclass(frozen=True, eq=False)
class Trial:
    """A map before and after its refinement.

    Attributes:
        probability: The refined map, shape ``(height, width)``.
        before: The mask before, boolean.
        after: The mask after.
        betti_before: Its Betti numbers.
        betti_after: And those of the mask after.
        succeeded: Whether these are as wanted.
        stop_reason: As in `topoprior.RefinementResult`.
        steps: How many steps were taken.
        seconds: How long it took.
    """

    probability: NDArray[np.float32]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    betti_before: list[int]
    betti_after: list[int]
    succeeded: bool
    stop_reason: str
    steps: int
    seconds: float

    @property
    def gained(self) -> int:
        """Pixels that the mask has gained."""
        return int((self.after & ~self.before).sum())

    @property
    def lost(self) -> int:
        """Pixels that it has lost."""
        return int((self.before & ~self.after).sum())


def refined(probability: NDArray[np.float32], wish: Wish, method: Method) -> Trial:
    """The map after `refine_map`, and after an edit of what that leaves wrong if this is asked for.

    Raises:
        ValueError: If the image cannot carry the prior and ``guarantee`` is asked for.

    Examples:
        >>> import numpy as np
        >>> from topoprior import BettiPrior
        >>> from topoprior.app.wish import Wish
        >>> row = np.array([[1.0, 0.9, 0.1, 0.9, 0.8, 0.9]], np.float32)
        >>> trial = refined(row, Wish(BettiPrior(1, None)), Method(weight=1))
        >>> trial.betti_before, trial.betti_after, trial.gained, trial.lost
        ([2, 0], [1, 0], 1, 0)
    """
    image = torch.from_numpy(probability)[None, None]
    options = {**wish.counting, "threshold": wish.threshold}
    result = refine_map(image, wish.prior, weight=method.weight, max_steps=method.max_steps, **options)
    if method.guarantee:
        result = completed(result, wish.prior, **options)
    return Trial(
        probability=result.output[0, 0].numpy(),
        before=(result.reference >= wish.threshold)[0, 0].numpy(),
        after=result.mask[0, 0].numpy(),
        betti_before=result.betti_before[0, 0].tolist(),
        betti_after=result.betti_after[0, 0].tolist(),
        succeeded=result.succeeded,
        stop_reason=result.stop_reason,
        steps=result.steps,
        seconds=result.seconds,
    )
