"""The phase with the prior: labelled images and, through their topology alone, unlabelled ones (equation 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.training.feed import feed
from topoprior.training.objectives import topological_loss
from topoprior.training.phase import Loss, Phase
from topoprior.training.supervised import labelled_part

if TYPE_CHECKING:
    from torch import nn

    from topoprior.training.cases import Cases
    from topoprior.training.feed import Place
    from topoprior.training.phase import Part, Steps, Updates
    from topoprior.training.settings import PriorSettings


def prior_phase(
    settings: PriorSettings,
    labelled: Cases,
    unlabelled: Cases,
    place: Place,
    channels: int,
    threads: int | None,
) -> Phase:
    """The phase; see `topoprior.training.settings.PriorSettings`.

    Equation 6 adds the losses of all images, here means are taken over each batch. So the lambda of the equation for
    the two batches of a step is ``weight * batch_size / unlabelled_batch_size``; it is logged.
    """

    def topology(step: int) -> Part:
        def part(network: nn.Module) -> list[Loss]:
            size = settings.unlabelled_batch_size
            batch = feed(unlabelled, place, purpose="prior unlabelled", step=step, size=size, channels=channels)
            assert batch.priors is not None
            value = topological_loss(network(batch.images), batch.priors, settings, threads)
            return [Loss("topology", settings.weight, value)]

        return part

    def begin(_: nn.Module) -> Steps:
        def updates(step: int) -> Updates:
            parts = [
                labelled_part("prior", settings.loss, settings.batch_size, labelled, place, channels, step),
                topology(step),
            ]
            return [parts] if settings.combine == "sum" else [[part] for part in parts]

        return updates

    sums = settings.weight * settings.batch_size / settings.unlabelled_batch_size
    facts = (("weight", settings.weight), ("lambda of equation 6", sums))
    return Phase("prior", settings, settings.keep, begin, facts=facts)
