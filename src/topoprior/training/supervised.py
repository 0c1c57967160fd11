"""The supervised phase: labelled images only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.training.feed import feed
from topoprior.training.objectives import labelled_loss
from topoprior.training.phase import Loss, Phase

if TYPE_CHECKING:
    from torch import nn

    from topoprior.training.cases import Cases
    from topoprior.training.feed import Place
    from topoprior.training.phase import Part, Steps, Updates
    from topoprior.training.settings import Objective, SupervisedSettings


def supervised_phase(settings: SupervisedSettings, labelled: Cases, place: Place, channels: int) -> Phase:
    """The phase; see `topoprior.training.settings.SupervisedSettings`."""

    def begin(_: nn.Module) -> Steps:
        def updates(step: int) -> Updates:
            return [[labelled_part("supervised", settings.loss, settings.batch_size, labelled, place, channels, step)]]

        return updates

    return Phase("supervised", settings, "dice", begin)


def labelled_part(
    phase: str, objective: Objective, size: int, labelled: Cases, place: Place, channels: int, step: int
) -> Part:
    """The labelled images of one step and their loss."""

    def part(network: nn.Module) -> list[Loss]:
        batch = feed(labelled, place, purpose=f"{phase} labelled", step=step, size=size, channels=channels)
        assert batch.targets is not None
        return [Loss("labelled", 1.0, labelled_loss(network(batch.images), batch.targets, objective))]

    return part
