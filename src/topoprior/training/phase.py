"""A phase of a training run: what its steps minimise, for how long, and which state it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.training.settings import Keep, Schedule


class Loss(NamedTuple):
    """A loss with its name in the log, such as ``"labelled"`` or ``"topology"``, and what it is multiplied by."""

    name: str
    weight: float
    value: Tensor


Part = Callable[[nn.Module], list[Loss]]
"""One pass of images through the network, and the losses of what comes out."""
Updates = list[list[Part]]
"""The updates of one step, one after the other, each of the sum of all losses of its parts."""
Steps = Callable[[int], Updates]
"""The updates of each step, counted from 0; a function of the step alone."""


class Duration(Protocol):
    """What the settings of all phases say."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def weight_decay(self) -> float: ...  # noqa: D102
    @property
    def schedule(self) -> Schedule: ...  # noqa: D102
    @property
    def validate_every(self) -> int: ...  # noqa: D102
    @property
    def patience(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Phase:
    """A phase.

    Attributes:
        name: As it is logged.
        duration: How long, how fast, and how often it is looked at.
        keep: Which state it keeps: see `topoprior.training.settings.PriorSettings`.
        begin: Given the network as the phase finds it, in evaluation mode, returns its steps.
        fresh: Begin with new weights.
        facts: Worth a line in the log.
    """

    name: str
    duration: Duration
    keep: Keep
    begin: Callable[[nn.Module], Steps]
    fresh: bool = False
    facts: tuple[tuple[str, float], ...] = ()


def learning_rate(duration: Duration, step: int) -> float:
    """The learning rate of a step, from 0.

    Examples:
        >>> from topoprior.training import SupervisedSettings
        >>> settings = SupervisedSettings(learning_rate=1.0, steps=100)
        >>> [round(learning_rate(settings, step), 2) for step in (0, 5, 52, 99)]
        [0.17, 1.0, 0.51, 0.0]
    """
    if duration.schedule == "constant":
        return duration.learning_rate
    warm_up = duration.steps // 20
    if step < warm_up:
        return duration.learning_rate * (step + 1) / (warm_up + 1)
    progress = (step - warm_up) / max(1, duration.steps - warm_up)
    return duration.learning_rate * (1 + math.cos(math.pi * progress)) / 2
