"""The minimisation of equation 5, the same loop for a network and for a bare map.

    (1/V) |S(w) - S(w_n)|^2  +  weight * L_topo(S(w))

``S`` is the probability map that the free variables ``w`` produce, ``S(w_n)`` the reference output where they start
(detached), ``V`` the number of values of ``S``. What the topology is to be, and when it is right, is the goal's affair.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
import torch.nn.functional as F

from topoprior.refinement.goals import goal_of
from topoprior.refinement.numbers import check_number, check_steps
from topoprior.refinement.result import RefinementResult
from topoprior.refinement.stopping import Streak

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.goals import Goal
    from topoprior.refinement.stopping import StoppingRule, StopReason, Verdict
    from topoprior.topology.filtration import Boundary, Construction

    Callback = Callable[[int, dict[str, float]], object]


@dataclass(frozen=True)
class Settings:
    """The options that `refine` and `refine_map` share; they are explained there."""

    weight: float
    learning_rate: float
    max_steps: int
    rule: StoppingRule
    construction: Construction
    boundary: Boundary
    power: Literal[1, 2]
    essential: Essential
    max_bars: int | None
    economy: Economy
    push: float
    include_background: bool
    threads: int | None
    callback: Callback | None

    def __post_init__(self) -> None:
        for name in ("weight", "learning_rate"):
            value = getattr(self, name)
            check_number(name, value)
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        check_number("push", self.push)
        if not 0 <= self.push < float("inf"):
            raise ValueError(f"push must be at least 0 and finite, got {self.push}")
        check_steps("max_steps", self.max_steps, least=0)


class State(NamedTuple):
    """One state of the run: its output, the terms of equation 5 (with their graph), the verdict on its topology."""

    output: Tensor
    fidelity: Tensor
    topology: Tensor
    loss: Tensor
    verdict: Verdict

    def values(self) -> dict[str, float]:
        """The three terms as numbers, the entry of this state in the history."""
        return {"loss": self.loss.item(), "fidelity": self.fidelity.item(), "topology": self.topology.item()}


def minimise(
    predict: Callable[[], Tensor],
    variables: Sequence[Tensor],
    prior: PriorLike | ClassPriorsLike,
    settings: Settings,
    *,
    project: Callable[[], object] | None = None,
) -> RefinementResult:
    """Minimise equation 5 over ``variables`` by Adam; on return they hold the best state.

    Args:
        predict: Gives the probability map ``(1, channel, *spatial)`` for the present values of ``variables``.
        variables: Leaf tensors that require gradients; changed in place.
        prior: What is wanted.
        settings: The options.
        project: Called after each step, to bring the variables back to where they are allowed to be.
    """
    began = time.perf_counter()
    optimiser = torch.optim.Adam(variables, lr=settings.learning_rate)
    streak = Streak(settings.rule.patience)
    output = predict()
    reference = output.detach().clone()
    goal = goal_of(prior, reference, settings)
    state = _evaluate(output, reference, goal, settings.weight)
    goal.check_reachable()
    run = _Record(state, variables, settings.callback)
    reason: StopReason | None = "already right" if state.verdict.error == 0 else None
    while reason is None:
        if run.step == settings.max_steps:
            reason = "no more steps"
            break
        optimiser.zero_grad()
        state.loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if project is not None:
            project()
        output = predict()
        if not bool(torch.isfinite(output).all()):
            reason = "not finite"
            run.step += 1  # taken, but the state it led to has no loss to note
            break
        state = _evaluate(output, reference, goal, settings.weight)
        run.add(state)
        if streak.reached(state.verdict.robust):
            reason = "topology right"
    optimiser.zero_grad()
    run.restore_best()
    mask = goal.mask(run.best.output)
    return RefinementResult(
        output=run.best.output,
        mask=mask,
        reference=reference,
        history=run.history,
        betti_before=run.first.betti,
        betti_after=run.best.verdict.betti,
        pixels_changed=goal.pixels_changed(mask, goal.mask(reference)),
        succeeded=run.best.verdict.error == 0,
        stop_reason=reason,
        steps=run.step,
        best_step=run.best.step,
        seconds=time.perf_counter() - began,
    )


def _evaluate(output: Tensor, reference: Tensor, goal: Goal, weight: float) -> State:
    topology, verdict = goal.topology(output)
    fidelity = F.mse_loss(output, reference)
    return State(output, fidelity, topology, fidelity + weight * topology, verdict)


class _Best(NamedTuple):
    """A copy of the best state so far."""

    rank: tuple[int, bool, float]
    step: int
    output: Tensor
    variables: list[Tensor]
    verdict: Verdict


class _Record:
    """What has happened so far: the history, the reference's verdict, the best state."""

    def __init__(self, reference: State, variables: Sequence[Tensor], callback: Callback | None) -> None:
        self.step = -1
        self.history: dict[str, list[float]] = {"loss": [], "fidelity": [], "topology": []}
        self.first = reference.verdict
        self.best: _Best
        self._variables = variables
        self._callback = callback
        self.add(reference)

    def add(self, state: State) -> None:
        """Note the next state, and keep a copy of it if it is the best."""
        self.step += 1
        values = state.values()
        for name, value in values.items():
            self.history[name].append(value)
        rank = state.verdict.rank(values["fidelity"])
        if self.step == 0 or rank < self.best.rank:
            copies = [variable.detach().clone() for variable in self._variables]
            self.best = _Best(rank, self.step, state.output.detach().clone(), copies, state.verdict)
        if self._callback is not None:
            self._callback(self.step, values)

    def restore_best(self) -> None:
        """Write the best state back into the variables."""
        with torch.no_grad():
            for variable, copy in zip(self._variables, self.best.variables, strict=True):
                variable.copy_(copy)
