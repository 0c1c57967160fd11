"""Pseudo-label bootstrapping: a network's predictions on unlabelled images become their labels, round after round.

The baseline of the paper's second experiment, after Bai et al. (2017), "Semi-supervised learning for network-based
cardiac MR image segmentation", MICCAI, without its CRF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from topoprior.training.feed import feed
from topoprior.training.objectives import labelled_loss, one_hot, predicted_classes, topological_loss
from topoprior.training.phase import Loss, Phase
from topoprior.training.supervised import labelled_part

if TYPE_CHECKING:
    from topoprior.training.cases import Cases
    from topoprior.training.feed import Batch, Place
    from topoprior.training.phase import Part, Steps, Updates
    from topoprior.training.settings import Objective, PriorSettings, PseudoLabelSettings

_BATCH = 16


def pseudo_label_phases(
    settings: PseudoLabelSettings,
    labelled: Cases,
    unlabelled: Cases,
    place: Place,
    channels: int,
    *,
    prior: PriorSettings | None = None,
    threads: int | None = None,
) -> list[Phase]:
    """One phase for each round; see `topoprior.training.settings.PseudoLabelSettings`.

    Args:
        settings: Of the rounds.
        labelled: Images with labels.
        unlabelled: Images that are labelled anew before each round.
        place: Which process this is.
        channels: Of the network's output.
        prior: Add the topological loss of the same unlabelled images, as these settings say; None for pseudo-labels
            alone.
        threads: Of the persistence engine.
    """

    def one_round(name: str) -> Phase:
        def begin(teacher: nn.Module) -> Steps:
            soft = pseudo_labels(teacher, unlabelled.images, settings, place.device)

            def unlabelled_part(step: int) -> Part:
                def part(network: nn.Module) -> list[Loss]:
                    size = settings.unlabelled_batch_size
                    purpose = f"{name} unlabelled"
                    batch = feed(unlabelled, place, purpose=purpose, step=step, size=size, channels=channels, soft=soft)
                    return _losses(network(batch.images), batch, settings.loss, prior, threads)

                return part

            def updates(step: int) -> Updates:
                ours = labelled_part(name, settings.loss, settings.batch_size, labelled, place, channels, step)
                return [[ours, unlabelled_part(step)]]

            return updates

        return Phase(name, settings, "dice" if prior is None else prior.keep, begin, fresh=settings.restart)

    method = "pseudo-labels" if prior is None else "pseudo-labels+prior"
    return [one_round(f"{method} {k + 1}") for k in range(settings.rounds)]


def _losses(
    logits: Tensor, batch: Batch, objective: Objective, prior: PriorSettings | None, threads: int | None
) -> list[Loss]:
    """Against the pseudo-labels, and of the topology if there is a prior."""
    assert batch.targets is not None
    ours = Loss("pseudo-labelled", 1.0, labelled_loss(logits, batch.targets, objective, weights=batch.weights))
    if prior is None:
        return [ours]
    assert batch.priors is not None
    return [ours, Loss("topology", prior.weight, topological_loss(logits, batch.priors, prior, threads))]


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
