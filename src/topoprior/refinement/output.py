"""The output of a network that is refined: what turns it into probabilities, and what is said if it gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from topoprior.topology.filtration import in_full_precision

if TYPE_CHECKING:
    from collections.abc import Callable

Activation = Literal["sigmoid", "softmax"]


def activation_of(name: Activation | None) -> Callable[[Tensor], Tensor]:
    """The function that the word stands for; half precision becomes float32, for what `BettiPriorLoss` says of it.

    Raises:
        ValueError: If it is another word.
    """
    if name is None:
        return lambda output: output
    if name == "sigmoid":
        return lambda output: torch.sigmoid(in_full_precision(output))
    if name == "softmax":
        return lambda output: torch.softmax(in_full_precision(output), dim=1)
    raise ValueError(f"activation must be 'sigmoid', 'softmax' or None, got {name!r}")


def output_for(image: Tensor, output: object) -> Tensor:
    """What a network returns for one image, as a plain tensor.

    Raises:
        TypeError: If it is no tensor.
        ValueError: If its shape is not ``(1, channel, *spatial)``.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"network must return one tensor (1, channel, *spatial), got {type(output).__name__}")
    if output.ndim < 3 or output.shape[0] != 1:
        raise ValueError(
            f"network must map an image of shape {tuple(image.shape)} to (1, channel, *spatial), "
            f"got {tuple(output.shape)}"
        )
    return output.as_subclass(Tensor)  # a MONAI MetaTensor would drag its metadata through every step


def check_reference(output: Tensor, activation: Activation | None, *, moving: int, include_background: bool) -> None:
    """Say early, and in the network's words, what would fail later in those of the loss.

    Args:
        output: The first of one image or more, behind the activation.
        activation: Its word.
        moving: Number of parameters that the output should depend on.
        include_background: Whether channel 0 has a prior.

    Raises:
        ValueError: If there is nothing to refine.
    """
    if activation == "softmax" and output.shape[1] == 1:  # ones everywhere, with no gradient
        raise ValueError(
            f"activation='softmax' needs at least 2 channels, got an output of shape {tuple(output.shape)}: "
            f"one channel goes with activation='sigmoid'"
        )
    if not include_background and output.shape[1] < 2:
        raise ValueError("include_background=False leaves no channel: the network's output has 1")
    low, high = output.min().item(), output.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(
            f"network must give probabilities in [0, 1], got values from {low:.4g} to {high:.4g}: for logits pass "
            f"activation='sigmoid' (or 'softmax')"
        )
    if not output.requires_grad:
        raise ValueError(
            f"the output does not depend on the {moving} selected parameters: the network detaches it, or "
            f"does not use them"
        )
