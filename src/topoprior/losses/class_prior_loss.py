"""The Betti prior loss of several classes and their unions, as a pure function and as a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from topoprior.losses.functional import betti_prior_loss, check_loss_options
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import resolve_class_priors
from topoprior.priors.consistency import check_consistent
from topoprior.priors.unions import check_partition, union_probabilities
from topoprior.topology.filtration import as_images, check_options, in_full_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential, Reduction
    from topoprior.priors.class_priors import ClassPriors, ClassPriorsLike
    from topoprior.topology.filtration import Boundary, Construction


def class_prior_loss(
    input: Tensor,  # noqa: A002 - the name torch and MONAI use
    priors: ClassPriorsLike,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
    power: Literal[1, 2] = 2,
    essential: Essential = "finite",
    max_bars: int | None = None,
    economy: Economy | None = None,
    reduction: Reduction = "mean",
    threads: int | None = None,
) -> Tensor:
    """How far the classes and unions of classes of probability maps are from the wanted Betti numbers.

    The probability of a union is the sum of those of its classes. For each entry of the priors the loss of
    `topoprior.betti_prior_loss` is taken, all of them from one call of the engine; the entries of an image are added,
    then images are reduced. Weights are those of each `BettiPrior`. The loss is 0 for a hard label map (probabilities 0
    and 1) with the wanted numbers.

    Args:
        input: Probabilities, a softmax over the channels: shape ``(batch, class, *spatial)``, floating point, one to
            three spatial axes.
        priors: One `ClassPriors` for all images, or one per image; these may have different unions of the same
            classes.
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6), for all classes and unions alike.
        boundary: What the outside counts as, ``"background"`` or ``"foreground"``: a component of every union.
        power: Power of the bar lengths, 2 or 1.
        essential: ``"finite"`` or ``"drop"``.
        max_bars: If given, only that many longest bars of each entry and dimension enter.
        economy: What may be left out of large volumes, see `topoprior.Economy`.
        reduction: ``"mean"`` or ``"sum"`` over the images, or ``"none"`` for shape ``(batch,)``.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Returns:
        The loss, dtype and device of ``input``.

    Raises:
        TypeError: If ``input`` is no floating point tensor or ``priors`` holds anything but `ClassPriors`.
        ValueError: If a shape or value is not as above, the channels of a pixel do not sum to 1, there is not one
            channel for each class, the priors contradict each other (`ClassPriors.check`), or an option is unknown.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equations 3 and 4, PMC9721526; for several classes after Byrne et al.,
        arXiv 2107.12689, who take lengths to the power 1 and leave the essential bar out.

    Examples:
        A row where A and B should touch, but background is between them. A+B has two bars of length 1 where one is
        wanted:

        >>> from topoprior import ClassPriors
        >>> row = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
        >>> priors = ClassPriors({"A": (1,), "B": (1,), ("A", "B"): (1,)}, classes=("BG", "A", "B"))
        >>> class_prior_loss(row, priors)
        tensor(1.)
    """
    check_options(construction, boundary)
    images = as_images(input, name="input")
    check_loss_options(power, essential, max_bars, reduction)
    batch, channels, *spatial = images.shape
    each = resolve_class_priors(priors, batch, channels, len(spatial))
    check_consistent(each, construction=construction, boundary=boundary)
    check_partition(images.detach(), name="input")
    unions = list(dict.fromkeys(union for one in each for union in one.unions))
    losses = betti_prior_loss(
        union_probabilities(images, unions),
        [_row(one, unions) for one in each],
        construction=construction,
        boundary=boundary,
        power=power,
        essential=essential,
        max_bars=max_bars,
        economy=economy,
        reduction="none",
        threads=threads,
    ).sum(1)
    if reduction != "none":
        losses = losses.mean() if reduction == "mean" else losses.sum()
    return losses.to(images.dtype)


def _row(priors: ClassPriors, unions: list[tuple[int, ...]]) -> list[BettiPrior]:
    """What one image wants of the unions that some image has a prior for."""
    anything = BettiPrior(*[None] * priors.dimensions)
    wanted = dict(zip(priors.unions, priors.priors, strict=True))
    return [wanted.get(union, anything) for union in unions]


class ClassPriorLoss(_Loss):
    """`topoprior.class_prior_loss` with its options stored; ignores its target, so it drops in beside other losses.

    Logits of half precision go through the softmax in float32, and the loss is float32; see `BettiPriorLoss`.

    Args:
        priors: One `ClassPriors` for all images, or one per image of the batch.
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6).
        boundary: What the outside of the image counts as, ``"background"`` or ``"foreground"``.
        power: Power of the bar lengths, 2 or 1.
        essential: ``"finite"`` or ``"drop"``.
        max_bars: If given, only that many longest bars of each entry and dimension enter.
        economy: What may be left out of large volumes, see `topoprior.Economy`.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the images.
        softmax: The input is logits, to be passed through a softmax over the channels.
        other_act: Another activation; its result must be probabilities that sum to 1 over the channels.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Raises:
        TypeError: If ``other_act`` cannot be called.
        ValueError: If two activations are asked for. Other options are checked when the loss is called.

    Examples:
        >>> from topoprior import ClassPriors
        >>> priors = ClassPriors.from_words("A touches B", {"A": (1,), "B": (1,)}, classes=("BG", "A", "B"))
        >>> loss = ClassPriorLoss(priors, softmax=True)
        >>> logits = torch.tensor([[[0.0, 2.0, 0.0], [4.0, 1.0, 0.0], [0.0, 0.0, 4.0]]], requires_grad=True)
        >>> loss(logits).backward()
        >>> logits.grad[0, :, 1].sign()  # descent lowers the background between A and B
        tensor([ 1., -1., -1.])
    """

    def __init__(
        self,
        priors: ClassPriorsLike,
        *,
        construction: Construction = "T",
        boundary: Boundary = "background",
        power: Literal[1, 2] = 2,
        essential: Essential = "finite",
        max_bars: int | None = None,
        economy: Economy | None = None,
        reduction: Reduction = "mean",
        softmax: bool = False,
        other_act: Callable[[Tensor], Tensor] | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        if other_act is not None and not callable(other_act):
            raise TypeError(f"other_act must be None or callable, got {type(other_act).__name__}")
        if softmax and other_act is not None:
            raise ValueError(f"only one activation can be applied, got softmax=True and other_act={other_act}")
        self.priors = priors
        self.construction = construction
        self.boundary = boundary
        self.power = power
        self.essential = essential
        self.max_bars = max_bars
        self.economy = economy
        self.reduction = reduction
        self.softmax = softmax
        self.other_act = other_act
        self.threads = threads

    def extra_repr(self) -> str:
        """The priors and the options, as they are given."""
        options = (
            *("construction", "boundary", "power", "essential", "max_bars", "economy", "reduction"),
            *("softmax", "other_act", "threads"),
        )
        return ", ".join([repr(self.priors), *(f"{name}={getattr(self, name)!r}" for name in options)])

    def forward(self, input: Tensor, target: Tensor | None = None) -> Tensor:  # noqa: A002, ARG002 - MONAI's signature
        """The loss of ``input``, shape ``(batch, class, *spatial)``; ``target`` is not used, a prior needs none.

        Raises:
            TypeError: If ``input`` is no floating point tensor.
            ValueError: As `topoprior.class_prior_loss`.
        """
        if not isinstance(input, Tensor) or not input.is_floating_point():
            got = input.dtype if isinstance(input, Tensor) else type(input).__name__
            raise TypeError(f"input must be a floating point torch tensor, got {got}: a label map is no prediction")
        if self.softmax and input.ndim > 1:  # other shapes are refused below, with the rule
            input = torch.softmax(in_full_precision(input), dim=1)  # noqa: A001
        if self.other_act is not None:
            input = self.other_act(input)  # noqa: A001
        return class_prior_loss(
            input,
            self.priors,
            construction=self.construction,
            boundary=self.boundary,
            power=self.power,
            essential=self.essential,
            max_bars=self.max_bars,
            economy=self.economy,
            reduction=cast("Reduction", self.reduction),
            threads=self.threads,
        )
