"""The share of each batch that belongs to this process, augmented, on its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from topoprior.training import draws
from topoprior.training.augmentation import draw
from topoprior.training.objectives import one_hot

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from topoprior.training.cases import Cases
    from topoprior.training.objectives import Priors
    from topoprior.training.settings import AugmentationSettings


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which process this is.

    Attributes:
        rank: Its number, from 0.
        processes: How many there are.
        device: Where it computes.
        seed: Of the run.
        augmentation: What happens to training images.
    """

    rank: int
    processes: int
    device: torch.device
    seed: int
    augmentation: AugmentationSettings


@dataclass(frozen=True, eq=False)
class Batch:
    """Images with what goes with them.

    Attributes:
        images: Shape ``(batch, channel, *spatial)``.
        targets: Probability of each channel, ``(batch, channels, *spatial)``; None without labels.
        weights: What each pixel counts, ``(batch, 1, *spatial)``; None for 1.
        priors: One for each image and class; None without.
    """

    images: Tensor
    targets: Tensor | None
    weights: Tensor | None
    priors: Priors | None


def feed(
    cases: Cases,
    place: Place,
    *,
    purpose: str,
    step: int,
    size: int,
    channels: int,
    soft: tuple[Tensor, Tensor] | None = None,
) -> Batch:
    """The batch of one step.

    Args:
        cases: Where it is drawn from.
        place: Which process wants its share.
        purpose: Names the sequence of batches.
        step: From 0.
        size: Cases over all processes.
        channels: Of the network's output.
        soft: Targets of all channels and weights of the pixels for all cases, in place of their labels.
    """
    chosen = draws.batch(place.seed, purpose, step, size=size, of=len(cases))
    part = slice(place.rank * size // place.processes, (place.rank + 1) * size // place.processes)
    mine = chosen[part]
    change = draw(
        place.augmentation,
        (size, *cases.images.shape[1:]),
        spacing=cases.spacing,
        generator=draws.generator(place.seed, f"augment {purpose}", step),
        share=part,
    )
    targets = weights = None
    if soft is not None:
        # Beyond the edge there is no pseudo-label: what comes from there counts nothing, as its weight is 0.
        targets = change.maps(soft[0][mine].to(place.device), nearest=False)
        weights = change.maps(soft[1][mine].to(place.device), nearest=True)
    elif cases.labels is not None:
        labels = change.maps(cases.labels[mine, None].to(place.device).float(), nearest=True)[:, 0]
        targets = one_hot(labels, channels)
    priors = None if cases.priors is None else [cases.priors[k] for k in mine.tolist()]
    return Batch(change.image(cases.images[mine].to(place.device)), targets, weights, priors)
