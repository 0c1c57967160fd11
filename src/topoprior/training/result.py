"""What comes of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from topoprior.training.objectives import foreground, predicted_classes

if TYPE_CHECKING:
    from pathlib import Path

    from topoprior.baselines.post_processing import PostProcessing
    from topoprior.priors.betti_prior import PriorLike


@dataclass(frozen=True)
class PhaseResult:
    """How a phase went.

    Attributes:
        name: ``"supervised"``, ``"prior"``, ``"pseudo-labels 1"``, ``"pseudo-labels+prior 1"``, ...
        steps: How many were taken.
        best_step: After which the kept state was seen; 0 if the phase brought nothing better.
        stop_reason: ``"no more steps"`` or ``"no better for a while"``.
        validation: Of the kept state: ``dice``, and ``success`` and ``topology`` (the loss) where there are priors.
    """

    name: str
    steps: int
    best_step: int
    stop_reason: str
    validation: dict[str, float]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network and how it came about.

    Attributes:
        network: On the CPU, in evaluation mode; gives logits.
        activation: ``"sigmoid"`` or ``"softmax"``: what turns them into probabilities.
        phases: How each phase went.
        history: The records of ``metrics.jsonl``.
        post_processing: What masks go through; None for nothing.
        seconds: The time of this call.
        folder: Where the files are; None if nothing was written.
    """

    network: nn.Module
    activation: str
    phases: tuple[PhaseResult, ...]
    history: tuple[dict[str, Any], ...]
    post_processing: PostProcessing | None
    seconds: float
    folder: Path | None

    @torch.no_grad()
    def probabilities(self, images: Tensor, *, batch_size: int = 16) -> Tensor:
        """The probability of each class, shape ``(cases, classes, *spatial)``.

        Args:
            images: Prepared as the training images were, shape ``(cases, channel, *spatial)``, on the CPU.
            batch_size: Images that pass through the network together.
        """
        return torch.cat([foreground(self.network(part).float()) for part in torch.split(images, batch_size)])

    @torch.no_grad()
    def masks(self, images: Tensor, *, prior: PriorLike | None = None, batch_size: int = 16) -> Tensor:
        """The mask of each class after post-processing, boolean, shape ``(cases, classes, *spatial)``.

        Args:
            images: As in :meth:`probabilities`.
            prior: For the post-processing that wants it.
            batch_size: As in :meth:`probabilities`.

        Raises:
            ValueError: If the post-processing needs a prior and there is none.
        """
        if self.post_processing is not None:
            return self.post_processing(self.probabilities(images, batch_size=batch_size), image=images, prior=prior)
        classes = torch.cat([predicted_classes(self.network(part).float()) for part in torch.split(images, batch_size)])
        count = 1 if self.activation == "sigmoid" else int(self.network(images[:1]).shape[1]) - 1
        return classes[:, None] == torch.arange(1, count + 1).view(-1, *[1] * (classes.ndim - 1))

    def summary(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        return {
            "phases": [asdict(phase) for phase in self.phases],
            "post_processing": None if self.post_processing is None else self.post_processing.as_dict(),
            "seconds": round(self.seconds, 2),
            "folder": None if self.folder is None else str(self.folder),
        }
