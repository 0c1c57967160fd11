"""Unions of classes as images: one channel for each entry of `ClassPriors`, from probabilities or from labels.

The mask of a segmentation with several classes is its label map: to each pixel its most probable class, the first of
several. A union at a threshold of its summed probability is something else: where no class reaches 0.5, all classes are
below it although one is the most probable, and a union may be above it without the most probable class. So the loss
acts on sums, which is where its gradient comes from, and every verdict is about the label map. Where some class is
above 0.5 both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TypeAlias

import torch
from torch import Tensor

from topoprior.topology.filtration import check_values, in_full_precision

Unions: TypeAlias = Sequence[tuple[int, ...]]


def union_probabilities(probability: Tensor, unions: Unions) -> Tensor:
    """The summed probabilities of each union, ``(batch, union, *spatial)``; half precision is summed in float32.

    Sums that rounding brought above 1 become 1, with their gradient.

    Examples:
        >>> union_probabilities(torch.tensor([[[0.5], [0.25], [0.25]]]), [(0,), (0, 2)])
        tensor([[[0.5000],
                 [0.7500]]])
    """
    probability = in_full_precision(probability)
    sums = torch.stack(
        [probability[:, union[0]] if len(union) == 1 else probability[:, list(union)].sum(1) for union in unions], 1
    )
    sums.detach().clamp_(max=1)  # the same memory, out of sight of autograd
    return sums


def most_probable(probability: Tensor) -> Tensor:
    """The label map: in each pixel the most probable class, the first of several; int64, shape ``(batch, *spatial)``.

    By ``max``, which on a processor torch does much faster than ``argmax`` along an axis that is not the last.

    Examples:
        >>> most_probable(torch.tensor([[[0.25, 0.5], [0.5, 0.5], [0.25, 0.0]]]))
        tensor([[1, 0]])
    """
    return probability.max(1).indices


def union_masks(labels: Tensor, unions: Unions, classes: int) -> Tensor:
    """Where labels ``(batch, *spatial)`` belong to each union, bool ``(batch, union, *spatial)``."""
    labels = labels.long()  # in uint8 torch takes 256 for 0
    of_class = [labels == k for k in range(classes)]
    return torch.stack([reduce(or_, (of_class[k] for k in union)) for union in unions], 1)


def union_leads(probability: Tensor, unions: Unions) -> Tensor:
    """By how much each union is ahead of the rest, as a map in [0, 1] that is cut at 0.5.

    Half of one plus the largest probability of a class in the union minus the largest of one outside. At 0.5 or more
    the most probable class of a pixel is in the union (or ties with one). With two classes this is the probability
    itself, so levels around 0.5 mean what they mean for a single class.

    Examples:
        >>> union_leads(torch.tensor([[[0.75, 0.5], [0.25, 0.25], [0.0, 0.25]]]), [(1,), (0, 2)])
        tensor([[[0.2500, 0.3750],
                 [0.7500, 0.6250]]])
    """
    classes = range(probability.shape[1])
    leads = []
    for union in unions:
        others = [k for k in classes if k not in union]
        leads.append((1 + probability[:, list(union)].amax(1) - probability[:, others].amax(1)) / 2)
    return torch.stack(leads, 1)


def check_partition(probability: Tensor, *, name: str) -> None:
    """Refuse channels that are no probabilities of classes that exclude each other.

    Raises:
        ValueError: If a value is not in [0, 1], or the channels of a pixel do not sum to 1 within 0.001 (0.01 in half
            precision).
    """
    check_values(probability, name=name, hint="if these are logits, apply torch.softmax over the channels first")
    exact = in_full_precision(probability)
    sums = exact.sum(1)
    worst = max((end.item() for end in torch.aminmax(sums)), key=lambda end: abs(end - 1))
    if abs(worst - 1) > (0.001 if exact is probability else 0.01):
        raise ValueError(
            f"the channels of {name} must be a softmax, their probabilities must sum to 1 in every pixel, got a sum of "
            f"{worst:.4g}: class priors add probabilities. For logits apply torch.softmax(logits, dim=1), not "
            "torch.sigmoid; for maps rounded in a file divide by their sum over the channels"
        )
