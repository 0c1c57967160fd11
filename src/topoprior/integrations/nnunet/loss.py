"""nnU-Net's loss with the prior added: takes what nnU-Net gives its losses, deep supervision included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from topoprior.losses.functional import betti_prior_loss
from topoprior.priors.unions import union_probabilities
from topoprior.topology.filtration import in_full_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topoprior.integrations.nnunet.asked import Asked
    from topoprior.priors.betti_prior import BettiPrior


@dataclass
class Tally:
    """What the prior did since it was last asked.

    Attributes:
        loss: Sum of the topological losses of the patches of which something was asked.
        asked: How many these are.
        patches: How many there were.
    """

    loss: float = 0.0
    asked: int = 0
    patches: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.loss + other.loss, self.asked + other.asked, self.patches + other.patches)

    @property
    def mean(self) -> float:
        """The mean topological loss of a patch of which something was asked; NaN if there was none."""
        return self.loss / self.asked if self.asked else float("nan")


class PriorLoss(nn.Module):
    """A loss of nnU-Net plus ``factor * weight`` times the topological loss of the patches.

    With deep supervision the prior is about the output at full resolution alone: at lower ones thin walls and small
    holes are gone, and it would ask for what cannot be. The loss of the batch is the mean over all its patches, those
    of which nothing is asked with 0, so a patch counts the same whatever the others are.

    Args:
        loss: nnU-Net's own, wrapped for deep supervision or not.
        asked: What is asked of which patch.

    Attributes:
        factor: Share of the weight that applies now; 0: the prior is not computed.
        tally: What happened since `take_tally`.
    """

    def __init__(self, loss: nn.Module, asked: Asked) -> None:
        super().__init__()
        self.loss = loss
        self.asked = asked
        self.factor = 0.0
        self.tally = Tally()

    def forward(self, output: Tensor | Sequence[Tensor], target: Tensor | Sequence[Tensor]) -> Tensor:
        """The loss of a batch.

        Args:
            output: Logits ``(batch, channel, *spatial)``, or with deep supervision several, full resolution first.
            target: As nnU-Net makes it, in the same form.
        """
        loss: Tensor = self.loss(output, target)
        if self.factor == 0:
            return loss
        logits = output if isinstance(output, Tensor) else output[0]
        labels = target if isinstance(target, Tensor) else target[0]
        return loss + self.factor * self.asked.settings.weight * self.topology(logits, labels)

    def topology(self, logits: Tensor, target: Tensor) -> Tensor:
        """The topological loss alone, a mean over the patches; float32, or float64 for such logits."""
        rows = self.asked.rows(target)
        chosen = [patch for patch, row in enumerate(rows) if any(any(prior.cares) for prior in row)]
        self.tally += Tally(0.0, 0, len(rows))
        # Half precision would make ties and plateaus of what are differences.
        logits = in_full_precision(logits)
        if not chosen:
            return logits.sum() * 0  # for distributed training every output takes part in every loss
        losses = self._losses(logits[chosen], [rows[patch] for patch in chosen])
        self.tally += Tally(float(losses.detach().sum()), len(chosen), 0)
        return losses.sum() / len(rows)

    def take_tally(self) -> Tally:
        """What happened since the last time, and begin anew."""
        taken, self.tally = self.tally, Tally()
        return taken

    def _losses(self, logits: Tensor, rows: list[list[BettiPrior]]) -> Tensor:
        """One for each patch, entries added."""
        settings = self.asked.settings
        probability = torch.sigmoid(logits) if self.asked.labels.has_regions else torch.softmax(logits, 1)
        options: dict[str, Any] = {
            name: getattr(settings, name)
            for name in ("construction", "boundary", "power", "essential", "max_bars", "economy")
        }
        maps = union_probabilities(probability, self.asked.unions)
        return betti_prior_loss(maps, rows, reduction="none", **options).sum(1)
