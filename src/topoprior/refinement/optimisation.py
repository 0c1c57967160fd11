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

from topoprior.refinement.course import Course
from topoprior.refinement.goals import goal_of
from topoprior.refinement.numbers import check_number, check_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.course import Callback
    from topoprior.refinement.goals import Goal
    from topoprior.refinement.result import RefinementResult
    from topoprior.refinement.stopping import StoppingRule, Verdict
    from topoprior.topology.filtration import Boundary, Construction


@dataclass(frozen=True)
class Settings:
    """The options that `refine`, `refine_many` and `refine_map` share; they are explained there."""

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


class States(NamedTuple):
    """One state of each image: output, terms of equation 5 (with their graph), verdict on the topology."""

    output: Tensor  # (image, channel, *spatial)
    fidelity: Tensor  # (image,), like the two that follow
    topology: Tensor
    loss: Tensor
    verdicts: list[Verdict]

    def each(self) -> Iterator[tuple[Tensor, dict[str, float], Verdict]]:
        """For each image what `Course.add` wants: the output, the three terms as numbers, the verdict."""
        names = ("loss", "fidelity", "topology")
        rows = torch.stack([self.loss, self.fidelity, self.topology], 1).tolist()
        for output, values, verdict in zip(torch.split(self.output, 1), rows, self.verdicts, strict=True):
            yield output, dict(zip(names, values, strict=True)), verdict


def evaluate(output: Tensor, reference: Tensor, goal: Goal, weight: float) -> States:
    """Equation 5 for each image of a batch, as for that image alone."""
    topology, verdicts = goal.topology(output)
    fidelity = F.mse_loss(output, reference, reduction="none").flatten(1).mean(1)
    return States(output, fidelity, topology, fidelity + weight * topology, verdicts)


def minimise(
    predict: Callable[[], Tensor],
    variables: Sequence[Tensor],
    prior: PriorLike | ClassPriorsLike,
    settings: Settings,
    *,
    project: Callable[[], object] | None = None,
) -> RefinementResult:
    """Minimise equation 5 over ``variables`` by Adam; on return they hold the state that is kept.

    Args:
        predict: Gives the probability map ``(1, channel, *spatial)`` for the present values of ``variables``.
        variables: Leaf tensors that require gradients; changed in place.
        prior: What is wanted.
        settings: The options.
        project: Called after each step, to bring the variables back to where they are allowed to be.
    """
    began = time.perf_counter()
    optimiser = torch.optim.Adam(variables, lr=settings.learning_rate)
    output = predict()
    reference = output.detach().clone()
    goal = goal_of(prior, reference, settings)
    states = evaluate(output, reference, goal, settings.weight)
    goal.check_reachable()
    course = Course(settings.rule, settings.max_steps, settings.callback)
    kept: list[Tensor] = []
    while True:
        (state,) = states.each()
        if course.add(*state):
            kept = [variable.detach().clone() for variable in variables]
        if course.reason is not None:
            break
        optimiser.zero_grad()
        states.loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if project is not None:
            project()
        output = predict()
        if not bool(torch.isfinite(output).all()):
            course.end_not_finite()
            break
        states = evaluate(output, reference, goal, settings.weight)
    optimiser.zero_grad()
    with torch.no_grad():
        for variable, value in zip(variables, kept, strict=True):
            variable.copy_(value)
    return course.result(goal, reference, time.perf_counter() - began)
