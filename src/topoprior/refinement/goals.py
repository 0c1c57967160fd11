"""What a refinement works towards: channels that each have a prior, or classes that exclude each other.

A channel of its own is cut at the threshold. Of classes every pixel has one, the most probable; so the verdict is on
the label map, and "right with a margin" means that it stays right if every union loses, or takes, the pixels that it
leads or trails by up to ``2 * margin`` (`topoprior.priors.unions.union_leads`). The loss comes from the bars of the
channels, or of the summed probabilities of unions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.evaluation.metrics import distance_to_prior
from topoprior.losses.class_prior_loss import class_prior_loss
from topoprior.losses.economy import economical_diagrams
from topoprior.losses.functional import betti_prior_loss, betti_prior_loss_from_diagrams
from topoprior.priors.class_priors import ClassPriors, are_class_priors, resolve_class_priors
from topoprior.priors.feasibility import check_reachable
from topoprior.priors.unions import most_probable, union_leads
from topoprior.refinement.class_push import NearestLabels
from topoprior.refinement.numbers import check_class_options
from topoprior.refinement.push import NearestEdit
from topoprior.refinement.stopping import Verdict
from topoprior.topology.betti import betti_numbers
from topoprior.topology.filtration import check_options, check_threads, dimension_mask

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.optimisation import Settings
    from topoprior.topology.diagram import PersistenceDiagrams


class Goal(Protocol):
    """The wanted topology of outputs ``(image, channel, *spatial)``."""

    def topology(self, output: Tensor) -> tuple[Tensor, list[Verdict]]:
        """For each image the topological loss, shape ``(image,)``, with its graph, and the verdict."""

    def mask(self, output: Tensor) -> Tensor:
        """The mask, bool, in the shape of the output."""

    def pixels_changed(self, mask: Tensor, before: Tensor) -> int:
        """In how many pixels two masks differ."""

    def check_reachable(self) -> None:
        """Refuse what no mask can have."""


def goal_of(prior: PriorLike | ClassPriorsLike, output: Tensor, settings: Settings) -> Goal:
    """The goal that priors stand for.

    Raises:
        TypeError: If class priors are mixed with something else.
        ValueError: If class priors do not fit the output, or come with an option that classes have no use for.
    """
    if not are_class_priors(prior):
        nearest = NearestEdit(prior, settings.construction, settings.boundary, settings.rule.threshold)
        return ChannelGoal(prior, settings, nearest if settings.push else None)
    (priors,) = resolve_class_priors(prior, output.shape[0], output.shape[1], output.ndim - 2)
    check_class_options(settings.rule.threshold, include_background=settings.include_background)
    nearest_labels = NearestLabels(priors, settings.construction, settings.boundary) if settings.push else None
    return ClassGoal(priors, settings, nearest_labels)


@dataclass(frozen=True)
class ChannelGoal:
    """One prior for each channel, all of them independent."""

    prior: PriorLike
    settings: Settings
    nearest: NearestEdit | None = None  # if the push is on; then the output is one image

    def topology(self, output: Tensor) -> tuple[Tensor, list[Verdict]]:
        """The verdict is on the image as it is; an economy is for the loss."""
        settings = self.settings
        images = output if settings.include_background else output[:, 1:]
        diagrams, loss = self._bars_and_loss(images)
        verdicts = settings.rule.judge(diagrams, self.prior)
        if self.nearest is not None and verdicts[0].error:
            loss = loss + settings.push * self.nearest.distance(images)
        return loss, verdicts

    def _bars_and_loss(self, images: Tensor) -> tuple[PersistenceDiagrams, Tensor]:
        """All bars, exact at the levels of the verdict, and the loss; computed once where one economy serves both."""
        settings = self.settings
        construction, boundary = settings.construction, settings.boundary
        power, essential, max_bars = settings.power, settings.essential, settings.max_bars
        counting = settings.economy.for_counting(settings.rule.threshold - settings.rule.margin)
        check_options(construction, boundary)
        dimensions, threads = dimension_mask(None, images.ndim - 2), check_threads(settings.threads)
        diagrams = economical_diagrams(images, counting, construction, boundary, dimensions, threads)
        if counting == settings.economy:
            loss = betti_prior_loss_from_diagrams(
                diagrams,
                self.prior,
                power=power,
                essential=essential,
                max_bars=max_bars,
                min_persistence=counting.min_persistence,
                reduction="none",
            )
        else:
            loss = betti_prior_loss(
                images,
                self.prior,
                construction=construction,
                boundary=boundary,
                power=power,
                essential=essential,
                max_bars=max_bars,
                economy=settings.economy,
                reduction="none",
                threads=settings.threads,
            )
        return diagrams, loss.mean(1)

    def mask(self, output: Tensor) -> Tensor:
        """Where the probability reaches the threshold."""
        return output >= self.settings.rule.threshold

    def pixels_changed(self, mask: Tensor, before: Tensor) -> int:
        """Of all channels together."""
        return int((mask != before).sum())

    def check_reachable(self) -> None:
        """See `topoprior.priors.feasibility`."""
        check_reachable(self.prior, boundary=self.settings.boundary)


@dataclass(frozen=True)
class ClassGoal:
    """Priors of classes and unions of one image; the Betti numbers of the verdict are those of their entries."""

    priors: ClassPriors
    settings: Settings
    nearest: NearestLabels | None = None  # if the push is on

    def topology(self, output: Tensor) -> tuple[Tensor, list[Verdict]]:
        """The loss of the sums of probabilities, the verdict on the label map."""
        settings, values = self.settings, output.detach()
        found = topology_of_labels(most_probable(values), self.priors, settings.construction, settings.boundary)
        error = int(found.error.sum())
        pushed = self.nearest.push(output) if self.nearest is not None and error else None
        loss = class_prior_loss(
            output if pushed is None else torch.where(pushed.pixels[:, None], values, output),
            self.priors,
            construction=settings.construction,
            boundary=settings.boundary,
            power=settings.power,
            essential=settings.essential,
            max_bars=settings.max_bars,
            economy=settings.economy,
            threads=settings.threads,
        )
        if pushed is not None:
            loss = loss + settings.push * pushed.distance
        return loss.view(1), [Verdict(found.betti, error, error == 0 and self._right_with_margin(values))]

    def _right_with_margin(self, output: Tensor) -> bool:
        rule = self.settings.rule
        leads = union_leads(output, self.priors.unions)
        masks = torch.cat([leads >= level for level in (rule.threshold - rule.margin, rule.threshold + rule.margin)])
        betti = betti_numbers(masks, construction=self.settings.construction, boundary=self.settings.boundary)
        return not distance_to_prior(betti, [self.priors.priors]).any()

    def mask(self, output: Tensor) -> Tensor:
        """In each pixel the most probable class, the first of several."""
        return torch.zeros_like(output, dtype=torch.bool).scatter_(1, most_probable(output)[:, None], True)

    def pixels_changed(self, mask: Tensor, before: Tensor) -> int:
        """Pixels with another class."""
        return int((mask != before).any(1).sum())

    def check_reachable(self) -> None:
        """The loss has refused priors that contradict each other."""
