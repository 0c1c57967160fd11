"""Probability maps that are free to move: what an optimiser moves when there is no network.

**Channels of their own.** The free variable is an offset ``u`` per pixel in logit space, added where the reference
``S_n`` lies::

    S(u) = S_n + (sigmoid(z + u) - sigmoid(z)) / (1 - 2e),    z = logit(e + (1 - 2e) * S_n),    |z + u| <= logit(1 - e)

The squeeze by ``e`` keeps the slope of the sigmoid above zero where ``S_n`` is exactly 0 or 1, so those pixels can
move; the bound keeps ``S`` in [0, 1]; and a pixel with ``u = 0`` keeps its value to the last bit.

**Classes.** K channels that sum to 1 move as logits of a softmax, and go on summing to 1::

    S(u) = S_n + (softmax(z + u) - softmax(z)) / (1 - Ke),    z = log(e + (1 - Ke) * S_n),    softmax(z + u) >= e

With two classes both are the same curve.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

# e above (of two classes): at 0 and 1 the slope of the sigmoid is then 0.01 of a logit, against 0.25 at 0.5.
_SQUEEZE = 0.01


class FreeMap(NamedTuple):
    """A map that moves."""

    offset: Tensor  # the free variable, a leaf that requires gradients
    predict: Callable[[], Tensor]  # the map for the present offset
    project: Callable[[], None]  # brings the offset back to where it is allowed to be


def free_channels(reference: Tensor) -> FreeMap:
    """Each value on its own."""
    start = torch.logit(_SQUEEZE + (1 - 2 * _SQUEEZE) * reference)
    bound = math.log((1 - _SQUEEZE) / _SQUEEZE)
    offset = torch.zeros_like(reference, requires_grad=True)

    def predict() -> Tensor:
        moved = reference + (torch.sigmoid(start + offset) - torch.sigmoid(start)) / (1 - 2 * _SQUEEZE)
        return _rounded_into_range(moved)

    @torch.no_grad()
    def project() -> None:
        offset.clamp_(-bound - start, bound - start)

    return FreeMap(offset, predict, project)


def free_classes(reference: Tensor) -> FreeMap:
    """Channels that sum to 1 in every pixel, and keep doing so."""
    classes = reference.shape[1]
    squeeze = 2 * _SQUEEZE / classes
    width = 1 - classes * squeeze
    start = torch.log(squeeze + width * reference)
    offset = torch.zeros_like(reference, requires_grad=True)

    def predict() -> Tensor:
        moved = reference + (torch.softmax(start + offset, 1) - torch.softmax(start, 1)) / width
        return _rounded_into_range(moved)

    @torch.no_grad()
    def project() -> None:
        present = torch.softmax(start + offset, 1)
        above = (present - squeeze).clamp(min=0)
        nearest = squeeze + width * above / above.sum(1, keepdim=True)
        outside = (present < squeeze * (1 - 1e-5)).any(1, keepdim=True)  # by more than rounding
        offset.copy_(torch.where(outside, torch.log(nearest) - start, offset))

    return FreeMap(offset, predict, project)


def _rounded_into_range(moved: Tensor) -> Tensor:
    """Rounding may leave [0, 1] by one bit. Clamped without its gradient, which is 0 just where it is needed."""
    return moved + (moved.clamp(0, 1) - moved).detach()
