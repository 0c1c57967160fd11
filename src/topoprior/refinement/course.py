"""The course of one image's refinement: its loss curves, its best state, and why it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from topoprior.refinement.result import RefinementResult
from topoprior.refinement.stopping import Streak

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from topoprior.refinement.goals import Goal
    from topoprior.refinement.stopping import StoppingRule, StopReason, Verdict

    Callback = Callable[[int, dict[str, float]], object]


class _Best(NamedTuple):
    """A copy of the best state so far."""

    rank: tuple[int, bool, float]
    step: int
    output: Tensor
    verdict: Verdict


class Course:
    """What has happened so far; `reason` says why it ended, and is None as long as it goes on.

    Args:
        rule: When to stop, and which state to keep.
        max_steps: Largest number of steps.
        callback: Called for every state.
    """

    def __init__(self, rule: StoppingRule, max_steps: int, callback: Callback | None = None) -> None:
        self.reason: StopReason | None = None
        self._by_rule = rule.patience is not None
        self._streak = Streak(rule.patience)
        self._max_steps = max_steps
        self._callback = callback
        self._steps = -1
        self._history: dict[str, list[float]] = {"loss": [], "fidelity": [], "topology": []}
        self._first: Verdict
        self._best: _Best

    def add(self, output: Tensor, values: dict[str, float], verdict: Verdict) -> bool:
        """Note the next state, the reference first, and say whether it is the one to keep so far.

        Args:
            output: Of this state, shape ``(1, channel, *spatial)``; copied if it is to be kept.
            values: The terms of equation 5.
            verdict: On the topology of the output.
        """
        self._steps += 1
        for name, value in values.items():
            self._history[name].append(value)
        rank = verdict.rank(values["fidelity"])
        best = self._steps == 0 or not self._by_rule or rank < self._best.rank
        if best:
            self._best = _Best(rank, self._steps, output.detach().clone(), verdict)
        if self._callback is not None:
            self._callback(self._steps, values)
        if self._steps == 0:
            self._first = verdict
            if self._by_rule and verdict.error == 0:
                self.reason = "already right"
        elif self._streak.reached(verdict.robust):
            self.reason = "topology right"
        if self.reason is None and self._steps == self._max_steps:
            self.reason = "no more steps"
        return best

    def end_not_finite(self) -> None:
        """End because a NaN or an infinity turned up: the step was taken, but the state it led to has no loss."""
        self._steps += 1
        self.reason = "not finite"

    def result(self, goal: Goal, reference: Tensor, seconds: float) -> RefinementResult:
        """What came out, once it has ended."""
        if self.reason is None:
            raise RuntimeError("the refinement goes on")
        mask = goal.mask(self._best.output)
        return RefinementResult(
            output=self._best.output,
            mask=mask,
            reference=reference,
            history=self._history,
            betti_before=self._first.betti.clone(),  # not a view of a whole batch
            betti_after=self._best.verdict.betti.clone(),
            pixels_changed=goal.pixels_changed(mask, goal.mask(reference)),
            succeeded=self._best.verdict.error == 0,
            stop_reason=self.reason,
            steps=self._steps,
            best_step=self._best.step,
            seconds=seconds,
        )
