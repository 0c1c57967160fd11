"""What is minimised on labelled and on unlabelled images, and what is looked at on validation images.

A network with one class gives one channel, whose sigmoid is the probability; with K > 1 classes it gives K + 1
channels, background first, whose softmax are the probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.evaluation.metrics import dice, topological_success
from topoprior.losses.class_prior_loss import class_prior_loss
from topoprior.losses.economy import Economy
from topoprior.losses.functional import betti_prior_loss
from topoprior.priors.class_priors import ClassPriors
from topoprior.priors.unions import most_probable

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.training.settings import Objective, PriorSettings

Priors = list["tuple[BettiPrior, ...] | ClassPriors"]

_SMOOTH = 1e-5  # as MONAI's DiceLoss: a class absent from image and prediction costs nothing


def foreground(logits: Tensor) -> Tensor:
    """The probability of each class, ``(batch, classes, *spatial)``, of logits with 1 or classes + 1 channels."""
    return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)[:, 1:]


def class_probabilities(logits: Tensor) -> Tensor:
    """The probability of background and of each class, ``(batch, classes + 1, *spatial)``."""
    if logits.shape[1] > 1:
        return torch.softmax(logits, 1)
    probability = torch.sigmoid(logits)
    return torch.cat((1 - probability, probability), 1)


def predicted_classes(logits: Tensor) -> Tensor:
    """The most probable class of each pixel, ``(batch, *spatial)``, uint8; with one class, where it has 0.5 or more."""
    classes = (logits[:, 0] >= 0) if logits.shape[1] == 1 else most_probable(logits)
    return classes.to(torch.uint8)


def one_hot(labels: Tensor, channels: int) -> Tensor:
    """Class indices ``(batch, *spatial)`` as targets of the channels, ``(batch, channels, *spatial)``, float."""
    if channels == 1:
        return labels[:, None].float()
    return F.one_hot(labels.long(), channels).movedim(-1, 1).float()


def labelled_loss(logits: Tensor, targets: Tensor, objective: Objective, *, weights: Tensor | None = None) -> Tensor:
    """Dice loss, cross-entropy, or their sum; the mean over the images.

    Args:
        logits: Shape ``(batch, channel, *spatial)``.
        targets: Probabilities of the channels, same shape: :func:`one_hot` of labels, or soft ones.
        objective: ``"dice"`` (of the classes, without background), ``"ce"`` or ``"dice+ce"``.
        weights: What each pixel counts, ``(batch, 1, *spatial)``; 1 if None.

    Examples:
        >>> right = torch.tensor([[[[9.0, -9.0]]]])
        >>> labelled_loss(right, torch.tensor([[[[1.0, 0.0]]]]), "dice+ce") < 0.001
        tensor(True)
    """
    logits = logits.float()
    counts = torch.ones_like(logits[:, :1]) if weights is None else weights
    loss = logits.new_zeros(())
    if objective in ("dice", "dice+ce"):
        loss = loss + _dice_loss(logits, targets, counts)
    if objective in ("ce", "dice+ce"):
        loss = loss + _cross_entropy(logits, targets, counts)
    return loss


def _dice_loss(logits: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    probability = foreground(logits) * counts
    wanted = (targets if targets.shape[1] == 1 else targets[:, 1:]) * counts
    common = (probability * wanted).flatten(2).sum(2)
    total = probability.flatten(2).sum(2) + wanted.flatten(2).sum(2)
    return 1 - ((2 * common + _SMOOTH) / (total + _SMOOTH)).mean()


def _cross_entropy(logits: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    else:
        losses = -(targets * torch.log_softmax(logits, 1)).sum(1, keepdim=True)
    # Each image counts the same, so that equal shares of a batch have the mean of the whole batch.
    return ((losses * counts).flatten(1).sum(1) / counts.flatten(1).sum(1).clamp(min=1)).mean()


def topological_loss(logits: Tensor, priors: Priors, settings: PriorSettings, threads: int | None) -> Tensor:
    """The Betti prior loss of the classes: equations 3 and 4, the mean over the images (and classes).

    With `ClassPriors` the entries of an image, classes and unions, are added.
    """
    return prior_loss(class_probabilities(logits.float()), priors, settings, threads)


def prior_loss(probability: Tensor, priors: Priors, settings: PriorSettings, threads: int | None) -> Tensor:
    """`topological_loss` of the probabilities of background and classes."""
    unions, singles = _sorted_out(priors)
    options: dict[str, Any] = {
        "construction": settings.construction,
        "boundary": settings.boundary,
        "power": settings.power,
        "essential": settings.essential,
        "max_bars": settings.max_bars,
        "economy": Economy(
            downsample=settings.downsample,
            pooling=settings.pooling,
            region=settings.region,
            min_persistence=settings.min_persistence,
        ),
        "threads": threads,
    }
    if unions:
        return class_prior_loss(probability, unions, **options)
    return betti_prior_loss(probability[:, 1:], singles, **options)


def _sorted_out(priors: Priors) -> tuple[list[ClassPriors], list[tuple[BettiPrior, ...]]]:
    """Class priors, and priors of the single classes; one of the two lists is empty."""
    return [one for one in priors if isinstance(one, ClassPriors)], [one for one in priors if isinstance(one, tuple)]


def scores(logits: Tensor, labels: Tensor, priors: Priors | None, settings: PriorSettings) -> Tensor:
    """Sums over images: of Dice, of the share of right topologies, and of the topological loss (both 0 without priors).

    Dice and topology are means over the classes of an image; the topology of an image is right if all classes
    (and unions) are.
    """
    classes = predicted_classes(logits)
    masks = one_hot(classes, max(2, logits.shape[1]))[:, 1:]
    wanted = one_hot(labels, max(2, logits.shape[1]))[:, 1:]
    overlap = dice(masks, wanted).mean(1).sum()
    if priors is None:
        return torch.stack((overlap, torch.zeros_like(overlap), torch.zeros_like(overlap)))
    unions, singles = _sorted_out(priors)
    if unions:
        found = [
            topology_of_labels(one[None], prior, settings.construction, settings.boundary)
            for one, prior in zip(classes, unions, strict=True)
        ]
        right = torch.stack([one.success for one in found])
    else:
        right = topological_success(masks, singles, construction=settings.construction, boundary=settings.boundary)
    loss = topological_loss(logits, priors, settings, threads=None) * len(logits)
    return torch.stack((overlap, right.all(1).sum().double(), loss.double()))
