"""Pseudo-label bootstrapping: a network's predictions on unlabelled images become their labels, round after round.

The baseline of the paper's second experiment, after Bai et al. (2017), "Semi-supervised learning for network-based
cardiac MR image segmentation", MICCAI, without its CRF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from topoprior.training.feed import feed
from topoprior.training.objectives import labelled_loss, one_hot, predicted_classes
from topoprior.training.phase import Phase, Term
from topoprior.training.supervised import labelled_term

if TYPE_CHECKING:
    from topoprior.training.cases import Cases
    from topoprior.training.feed import Place
    from topoprior.training.phase import Steps, Updates
    from topoprior.training.settings import PseudoLabelSettings

_BATCH = 16


def pseudo_label_phases(
    settings: PseudoLabelSettings, labelled: Cases, unlabelled: Cases, place: Place, channels: int
) -> list[Phase]:
    """One phase for each round; see `topoprior.training.settings.PseudoLabelSettings`."""
    return [
        _round(f"pseudo-labels {k + 1}", settings, labelled, unlabelled, place, channels)
        for k in range(settings.rounds)
    ]


def _round(
    name: str, settings: PseudoLabelSettings, labelled: Cases, unlabelled: Cases, place: Place, channels: int
) -> Phase:
    def begin(teacher: nn.Module) -> Steps:
        soft = pseudo_labels(teacher, unlabelled.images, settings, place.device)

        def updates(step: int) -> Updates:
            def loss(network: nn.Module) -> Tensor:
                size = settings.unlabelled_batch_size
                batch = feed(
                    unlabelled, place, purpose=f"{name} unlabelled", step=step, size=size, channels=channels, soft=soft
                )
                assert batch.targets is not None
                return labelled_loss(network(batch.images), batch.targets, settings.loss, weights=batch.weights)

            ours = labelled_term(name, settings.loss, settings.batch_size, labelled, place, channels, step)
            return [[ours, Term("pseudo-labelled", 1.0, loss)]]

        return updates

    return Phase(name, settings, "dice", begin, fresh=settings.restart)


@torch.no_grad()
def pseudo_labels(
    teacher: nn.Module, images: Tensor, settings: PseudoLabelSettings, device: torch.device
) -> tuple[Tensor, Tensor]:
    """What a network says of images, as targets for another.

    Args:
        teacher: In evaluation mode, on ``device``; gives logits.
        images: Shape ``(cases, channel, *spatial)``, on the CPU.
        settings: Hard or soft, and how confident.
        device: Where the network is.

    Returns:
        The targets of all channels, ``(cases, channels, *spatial)``, and the weights of the pixels, 0 or 1,
        ``(cases, 1, *spatial)``; both on the CPU.

    Examples:
        >>> from topoprior.training import PseudoLabelSettings
        >>> images = torch.tensor([[[[3.0, 0.1, -0.1, -3.0]]]])  # the network passes them on as logits
        >>> settings = PseudoLabelSettings(confidence=0.9)
        >>> targets, weights = pseudo_labels(nn.Identity(), images, settings, torch.device("cpu"))
        >>> targets.tolist(), weights.tolist()
        ([[[[1.0, 1.0, 0.0, 0.0]]]], [[[[1.0, 0.0, 0.0, 1.0]]]])
    """
    targets, weights = [], []
    for part in torch.split(images, _BATCH):
        logits = teacher(part.to(device)).float()
        probability = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)
        sure = torch.maximum(probability, 1 - probability) if logits.shape[1] == 1 else probability
        weights.append((sure.amax(1, keepdim=True) >= settings.confidence).float().cpu())
        hard = one_hot(predicted_classes(logits), logits.shape[1])
        targets.append((hard if settings.labels == "hard" else probability).cpu())
    return torch.cat(targets), torch.cat(weights)
