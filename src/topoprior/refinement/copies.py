"""Copies of one network, each with weights of its own, run and adapted side by side.

The weights are stacked along a new first axis, and ``torch.func.vmap`` runs the network over them. It turns one
convolution for each copy into a single grouped one, which keeps the processor busy where a small image alone does not.
Adam works element by element, so that on stacked weights it is many Adams; only its count of steps is kept for each
copy, as copies may start at different times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from topoprior.refinement.output import output_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # as in torch.optim.Adam


class Copies:
    """Stacked copies of some parameters of a network; all else is shared.

    Args:
        network: In evaluation mode.
        parameters: Those that move, by name; they are where every copy starts, and stay as they are.
        count: Number of copies.
        learning_rate: Of Adam.

    Examples:
        Two copies of ``y = w * x``; the second is to give 3 where it gives 2, and makes one step:

        >>> network = nn.Conv1d(1, 1, 1, bias=False)
        >>> _ = nn.init.constant_(network.weight, 2)
        >>> copies = Copies(network, dict(network.named_parameters()), count=2, learning_rate=0.5)
        >>> output = copies.predict(torch.ones(2, 1, 1))
        >>> copies.step((output[1] - 3).square().sum())
        >>> copies.predict(torch.ones(2, 1, 1)).flatten()
        tensor([2.0000, 2.5000], grad_fn=<ViewBackward0>)
    """

    def __init__(
        self, network: nn.Module, parameters: Mapping[str, nn.Parameter], *, count: int, learning_rate: float
    ) -> None:
        self._network = network
        self._start = {name: parameter.detach() for name, parameter in parameters.items()}
        self._learning_rate = learning_rate
        self._weights = {
            name: start.expand(count, *start.shape).clone().requires_grad_() for name, start in self._start.items()
        }
        self._means = {name: torch.zeros_like(weights) for name, weights in self._weights.items()}
        self._squares = {name: torch.zeros_like(weights) for name, weights in self._weights.items()}
        self._steps = [0] * count

    def __len__(self) -> int:
        return len(self._steps)

    def predict(self, images: Tensor) -> Tensor:
        """The output of each copy for its own image, with its graph.

        Args:
            images: One for each copy, shape ``(count, channel, *spatial)``.

        Returns:
            Shape ``(count, channel, *spatial)``.

        Raises:
            TypeError: If the network does not return a tensor.
            ValueError: If its shape is another one, or the network does what cannot be done for many copies at once.
        """
        try:
            output = vmap(self._predict_one, randomness="different")(self._weights, images)
        except RuntimeError as error:
            if "vmap" not in str(error):
                raise
            raise ValueError(
                f"network cannot be run as many copies at once, call refine for each image instead: {error}"
            ) from error
        return output.squeeze(1)

    def _predict_one(self, weights: dict[str, Tensor], image: Tensor) -> Tensor:
        one = image.unsqueeze(0)
        return output_for(one, functional_call(self._network, weights, (one,)))

    def step(self, loss: Tensor) -> None:
        """One step of Adam in every copy, down the slope of a loss that is the sum of those of the copies."""
        gradients: Sequence[Tensor | None] = list(
            torch.autograd.grad(loss, list(self._weights.values()), allow_unused=True)
        )
        self._steps = [steps + 1 for steps in self._steps]
        sizes = [self._learning_rate / (1 - _BETAS[0] ** steps) for steps in self._steps]
        scales = [(1 - _BETAS[1] ** steps) ** 0.5 for steps in self._steps]
        with torch.no_grad():
            for (name, weights), gradient in zip(self._weights.items(), gradients, strict=True):
                if gradient is None:  # the output does not depend on it
                    continue
                column = (-1, *[1] * (weights.ndim - 1))
                self._means[name].lerp_(gradient, 1 - _BETAS[0])
                self._squares[name].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
                change = self._squares[name].sqrt().div_(weights.new_tensor(scales).view(column)).add_(_EPSILON)
                torch.div(self._means[name], change, out=change)
                weights.addcmul_(change, weights.new_tensor(sizes).view(column), value=-1)

    def weights(self, copy: int) -> dict[str, Tensor]:
        """The present weights of one copy, as tensors of their own."""
        return {name: weights[copy].detach().clone() for name, weights in self._weights.items()}

    def restart(self, copy: int) -> None:
        """Put one copy back to where it started, as if it had made no step."""
        self._steps[copy] = 0
        with torch.no_grad():
            for name, start in self._start.items():
                self._weights[name][copy] = start
                self._means[name][copy] = 0
                self._squares[name][copy] = 0

    def keep(self, copies: Sequence[int]) -> None:
        """Drop all copies but these."""
        rows = list(copies)
        self._steps = [self._steps[row] for row in rows]
        self._weights = {name: stack.detach()[rows].requires_grad_() for name, stack in self._weights.items()}
        self._means = {name: stack[rows] for name, stack in self._means.items()}
        self._squares = {name: stack[rows] for name, stack in self._squares.items()}
