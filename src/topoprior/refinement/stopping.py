"""When a refinement stops, and which of its states is kept.

Two rules, both read off the bars that the loss has already computed:

- **Stop** once the Betti numbers are right with a margin, at ``threshold - margin``, ``threshold`` and
  ``threshold + margin``, for ``patience`` steps in a row. A mask that is right at 0.5 alone may hang on one pixel
  of probability 0.5001; the margin asks for bars that are longer than that, the patience for a state that lasts.
- **Keep** the best state seen, not the last: the smallest Betti error at the threshold; among equals one that is
  right with the margin; among those the one nearest to the reference output. The reference itself is the first
  candidate at distance 0, so a run that brings the topology no nearer rolls back to it.

Without patience neither holds: all steps are taken, whatever the topology, and the last state is kept. So do protocols
with a fixed number of steps.

No optimiser and no network here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.refinement.numbers import check_number, check_steps

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.diagram import PersistenceDiagrams

StopReason = Literal["already right", "topology right", "no more steps", "no edit helps", "edited", "not finite"]


class Verdict(NamedTuple):
    """How right the topology of one state of one image is.

    Attributes:
        betti: Betti numbers at the threshold, shape ``(1, channel, dimension)``.
        error: Components, loops and cavities missing or too many at the threshold, all channels together.
        robust: Right at the threshold and at ``margin`` to either side of it.
    """

    betti: Tensor
    error: int
    robust: bool

    def rank(self, fidelity: float) -> tuple[int, bool, float]:
        """Key by which states are compared, the smaller the better."""
        return self.error, not self.robust, fidelity


@dataclass(frozen=True)
class StoppingRule:
    """When the topology counts as right, and for how many steps it has to stay so.

    Args:
        threshold: Probability at which the mask is cut.
        margin: The Betti numbers have to be right at ``threshold - margin`` and ``threshold + margin`` too.
        patience: Number of consecutive steps with the right topology after which to stop; None for never.

    Raises:
        TypeError: If one of them is no number.
        ValueError: If a level leaves the open interval (0, 1) or ``patience`` is no whole number of at least 1.

    Examples:
        A loop of bar (0.52, 0.10) is there at 0.5, but not at 0.55:

        >>> import torch, topoprior as tp
        >>> ring = torch.full((1, 1, 3, 3), 0.52)
        >>> ring[..., 1, 1] = 0.1
        >>> rule = StoppingRule(threshold=0.5, margin=0.05, patience=1)
        >>> (verdict,) = rule.judge(tp.persistence(ring), tp.BettiPrior(1, 1))
        >>> verdict.error, verdict.robust
        (0, False)
    """

    threshold: float
    margin: float
    patience: int | None

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold)
        check_number("margin", self.margin)
        if self.patience is not None:
            check_steps("patience", self.patience, least=1)
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if not 0 <= self.margin < min(self.threshold, 1 - self.threshold):
            raise ValueError(
                f"margin must be at least 0 and keep threshold - margin and threshold + margin between 0 and 1, "
                f"got margin {self.margin} at threshold {self.threshold}"
            )

    def judge(self, diagrams: PersistenceDiagrams, prior: PriorLike) -> list[Verdict]:
        """For each image: Betti numbers of the bars at the threshold and around it, against the prior."""
        levels = (self.threshold, self.threshold - self.margin, self.threshold + self.margin)
        betti = [diagrams.betti_numbers(level) for level in levels]
        errors = torch.stack([distance_to_prior(numbers, prior).flatten(1).sum(1) for numbers in betti], 1)
        return [
            Verdict(numbers, error[0], not any(error))
            for numbers, error in zip(torch.split(betti[0], 1), errors.tolist(), strict=True)
        ]


class Streak:
    """Counts the robust states in a row.

    Examples:
        >>> streak = Streak(patience=2)
        >>> [streak.reached(robust) for robust in (True, False, True, True)]
        [False, False, False, True]
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._length = 0

    def reached(self, robust: bool) -> bool:
        """Whether this state, the next one, completes the streak."""
        self._length = self._length + 1 if robust else 0
        return self._patience is not None and self._length >= self._patience
