"""The Betti prior loss as a module, with the options and the argument order of MONAI's losses."""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from topoprior.losses.economy import Economy
from topoprior.losses.functional import Essential, Reduction, betti_prior_loss
from topoprior.priors.betti_prior import PriorLike
from topoprior.topology.filtration import Boundary, Construction, in_full_precision


class BettiPriorLoss(_Loss):
    """`topoprior.betti_prior_loss` with its options stored; ignores its target, so it drops in beside other losses.

    Logits of half precision are activated in float32, and the loss is float32: a sigmoid in bfloat16 is exactly 1 from
    a logit of 6.3 on (float16: 8.4), where it has no slope, so that nothing would lower what the network is sure of.

    Args:
        prior: One `BettiPrior` for all; or one per image of the batch; or a sequence of one per channel for each image
            (``[[first channel, second channel]]`` serves all images).
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6).
        boundary: What the outside of the image counts as, ``"background"`` or ``"foreground"``.
        power: Power of the bar lengths, 2 or 1.
        essential: ``"finite"`` or ``"drop"``, see `topoprior.betti_prior_loss`.
        max_bars: If given, only that many longest bars of each image and dimension enter.
        economy: What may be left out of large volumes, see `topoprior.Economy`.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        sigmoid: The input is logits, to be passed through a sigmoid.
        softmax: The input is logits, to be passed through a softmax over the channels.
        other_act: Another activation, applied to the input; its result must lie in [0, 1].
        include_background: If False, channel 0 is left out after the activation; the prior then speaks of the other
            channels.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Raises:
        TypeError: If ``other_act`` cannot be called.
        ValueError: If more than one activation is asked for. Other options are checked when the loss is called.

    Examples:
        >>> from topoprior import BettiPrior
        >>> loss = BettiPriorLoss(BettiPrior(1), sigmoid=True)
        >>> logits = torch.tensor([[[2.0, -2.0, 1.0]]], requires_grad=True)
        >>> loss(logits).backward()
        >>> logits.grad.sign()  # descent raises the component to keep and the gap, and lowers the other component
        tensor([[[-1., -1.,  1.]]])
    """

    def __init__(
        self,
        prior: PriorLike,
        *,
        construction: Construction = "T",
        boundary: Boundary = "background",
        power: Literal[1, 2] = 2,
        essential: Essential = "finite",
        max_bars: int | None = None,
        economy: Economy | None = None,
        reduction: Reduction = "mean",
        sigmoid: bool = False,
        softmax: bool = False,
        other_act: Callable[[Tensor], Tensor] | None = None,
        include_background: bool = True,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        if other_act is not None and not callable(other_act):
            raise TypeError(f"other_act must be None or callable, got {type(other_act).__name__}")
        if int(sigmoid) + int(softmax) + int(other_act is not None) > 1:
            raise ValueError(
                f"only one activation can be applied, got sigmoid={sigmoid}, softmax={softmax}, other_act={other_act}"
            )
        self.prior = prior
        self.construction = construction
        self.boundary = boundary
        self.power = power
        self.essential = essential
        self.max_bars = max_bars
        self.economy = economy
        self.reduction = reduction
        self.sigmoid = sigmoid
        self.softmax = softmax
        self.other_act = other_act
        self.include_background = include_background
        self.threads = threads

    def extra_repr(self) -> str:
        """The prior and the options, as they are given."""
        options = (
            *("construction", "boundary", "power", "essential", "max_bars", "economy", "reduction"),
            *("sigmoid", "softmax", "other_act", "include_background", "threads"),
        )
        return ", ".join([repr(self.prior), *(f"{name}={getattr(self, name)!r}" for name in options)])

    def forward(self, input: Tensor, target: Tensor | None = None) -> Tensor:  # noqa: A002, ARG002 - MONAI's signature
        """The loss of ``input``, shape ``(batch, channel, *spatial)``; ``target`` is not used, a prior needs none.

        Raises:
            ValueError: If softmax or ``include_background=False`` meets a single channel, or as
                `topoprior.betti_prior_loss` does.
        """
        return betti_prior_loss(
            self._probabilities(input),
            self.prior,
            construction=self.construction,
            boundary=self.boundary,
            power=self.power,
            essential=self.essential,
            max_bars=self.max_bars,
            economy=self.economy,
            reduction=cast("Reduction", self.reduction),
            threads=self.threads,
        )

    def _probabilities(self, input: Tensor) -> Tensor:  # noqa: A002
        if not isinstance(input, Tensor):
            raise TypeError(f"input must be a torch tensor, got {type(input).__name__}")
        if (self.softmax or not self.include_background) and (input.ndim < 2 or input.shape[1] < 2):
            option = "softmax=True" if self.softmax else "include_background=False"
            raise ValueError(
                f"{option} needs at least 2 channels, got shape {tuple(input.shape)}: "
                "one channel goes with sigmoid=True and include_background=True"
            )
        if not input.is_floating_point():
            raise TypeError(f"input must be floating point, got {input.dtype}: a mask or label map is no prediction")
        if self.sigmoid:
            input = torch.sigmoid(in_full_precision(input))  # noqa: A001
        if self.softmax:
            input = torch.softmax(in_full_precision(input), dim=1)  # noqa: A001
        if self.other_act is not None:
            input = self.other_act(input)  # noqa: A001
        return input if self.include_background else input[:, 1:]
