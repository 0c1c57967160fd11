"""Images that take turns in a batch: each has a seat until its refinement ends, and the next image gets it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, cast

import torch

from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.course import Course
from topoprior.refinement.goals import ChannelGoal
from topoprior.refinement.optimisation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from topoprior.refinement.copies import Copies
    from topoprior.refinement.optimisation import Settings

Row: TypeAlias = tuple[BettiPrior, ...]  # the priors of one image, one for each channel that has one


@dataclass
class Seat:
    """The place of one image in the batch, from its reference to its last state."""

    image: int
    row: Row
    course: Course
    began: float
    reference: Tensor | None = None
    weights: dict[str, Tensor] | None = None  # of the state to keep so far, if they are wanted


def taken_in_turn(
    rows: list[Row],
    copies: Copies,
    predict: Callable[[list[Seat]], Tensor],
    settings: Settings,
    *,
    networks: bool,
) -> Iterator[Seat]:
    """All images, each as soon as it is done. Seat k has copy k; who leaves makes room for the next."""
    waiting = enumerate(rows)

    def seated(count: int) -> list[Seat]:
        return [
            Seat(image, row, Course(settings.rule, settings.max_steps), time.perf_counter())
            for image, row in islice(waiting, count)
        ]

    seats = seated(len(copies))
    while seats:
        loss = _add_states(seats, predict(seats), copies, settings, networks=networks)
        if any(seat.course.reason is None for seat in seats):
            copies.step(loss)
        staying = []
        for place, seat in enumerate(seats):
            if seat.course.reason is not None:
                yield seat
                for newcomer in seated(1):
                    seats[place] = newcomer
                    copies.restart(place)
            if seats[place].course.reason is None:
                staying.append(place)
        if len(staying) < len(seats):
            copies.keep(staying)
            seats = [seats[place] for place in staying]


def _add_states(seats: list[Seat], output: Tensor, copies: Copies, settings: Settings, *, networks: bool) -> Tensor:
    """Note the present state of every seat; what comes back is the sum of their losses."""
    finite = torch.isfinite(output.detach()).flatten(1).all(1).tolist()
    there = [place for place, is_finite in enumerate(finite) if is_finite]
    for place in set(range(len(seats))) - set(there):
        seats[place].course.end_not_finite()
    if len(there) < len(seats):
        output = output[there]
    if not there:
        return output.sum()
    reference = torch.cat([cast("Tensor", seats[place].reference) for place in there])
    goal = ChannelGoal([seats[place].row for place in there], settings)
    states = evaluate(output, reference, goal, settings.weight)
    for place, state in zip(there, states.each(), strict=True):
        if seats[place].course.add(*state) and networks:
            seats[place].weights = copies.weights(place)
    return states.loss.sum()
