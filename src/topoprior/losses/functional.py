"""The Betti prior loss, equations 3 and 4 of the paper, as pure functions."""

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from topoprior.priors.betti_prior import PriorLike, ResolvedPriors, resolve_priors
from topoprior.topology.diagram import PersistenceDiagrams, diagrams_of
from topoprior.topology.filtration import Boundary, Construction, as_images, check_options, check_threads

Essential: TypeAlias = Literal["finite", "drop"]
Reduction: TypeAlias = Literal["mean", "sum", "none"]


def betti_prior_loss(
    input: Tensor,  # noqa: A002 - the name torch and MONAI use
    prior: PriorLike,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
    power: Literal[1, 2] = 2,
    essential: Essential = "finite",
    max_bars: int | None = None,
    reduction: Reduction = "mean",
    threads: int | None = None,
) -> Tensor:
    """How far probability maps are from the wanted Betti numbers; 0 when every wanted bar is full and there is no other.

    For one image and dimension k, bars sorted from the longest, lengths ``l``, wanted range ``low..high``::

        L_k =  sum over bars 1..low      of  1 - l ** power      (a wanted bar that does not exist costs exactly 1)
             + sum over bars above high  of  l ** power

    Bars between are free; a dimension that the prior does not care about costs nothing and is not computed. Dimensions are added
    with the weights of the prior (equation 4), then images are reduced. With ``power=2`` the slope at length 0 is 0, as in the paper: a
    wanted feature that is entirely absent gets no push, and very short bars fade slowly; ``power=1`` pushes with constant force.

    Args:
        input: Probabilities in [0, 1], shape ``(batch, channel, *spatial)``, floating point, one to three spatial axes.
        prior: One prior for all; or one per image, which then holds for all its channels; or a sequence of one per channel for each
            image (``[[first channel, second channel]]`` serves all images).
        construction: ``"T"``: pixels touch at corners too (8 / 26 neighbours). ``"V"``: through faces only (4 / 6).
        boundary: What the outside counts as, ``"background"`` or ``"foreground"``: one more component, with the bar (1, 0).
        power: 2 as in the paper, or 1.
        essential: ``"finite"``: the component that never dies is closed at 0 and is a bar as any other, as in the paper. ``"drop"``: its bar
            is left out and one component less is wanted, as the paper's published code does in effect; then ``0`` and ``1`` wanted
            components ask for the same.
        max_bars: If given, only that many longest bars of each image and dimension enter.
        reduction: ``"mean"`` or ``"sum"`` over batch and channels, or ``"none"`` for shape ``(batch, channel)``.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Returns:
        The loss, dtype and device of ``input`` (half precision is summed in float32).

    Raises:
        TypeError: If ``input`` is no floating point tensor, or ``prior`` holds anything but `BettiPrior`.
        ValueError: If a shape or value is not as above, the priors do not fit the input, or an option is unknown.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equations 3 and 4. PMC9721526. The paper gives no reduction over images.

    Examples:
        Two components of length 0.9 and 0.7 - 0.2 where one is wanted, (1 - 0.81) + 0.25:

        >>> from topoprior import BettiPrior
        >>> betti_prior_loss(torch.tensor([[[0.9, 0.2, 0.7]]]), BettiPrior(1))
        tensor(0.4400)
    """
    check_options(construction, boundary)
    images = as_images(input, name="input")
    batch, channels, *spatial = images.shape
    _check_options(power, essential, max_bars, reduction)
    wanted = resolve_priors(prior, batch, channels, len(spatial))
    diagrams = diagrams_of(images, construction, boundary, wanted.wanted_dimensions, check_threads(threads))
    return _loss(diagrams, wanted, power, essential, max_bars, reduction)


def betti_prior_loss_from_diagrams(
    diagrams: PersistenceDiagrams,
    prior: PriorLike,
    *,
    power: Literal[1, 2] = 2,
    essential: Essential = "finite",
    max_bars: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """`betti_prior_loss` of diagrams that exist already, for callers that need the bars as well.

    ``diagrams`` must hold every dimension that the prior cares about: a dimension left out looks like one without bars.

    Raises:
        TypeError: If ``prior`` holds anything but `BettiPrior`.
        ValueError: If the priors do not fit the diagrams, or an option is unknown.
    """
    _check_options(power, essential, max_bars, reduction)
    wanted = resolve_priors(prior, *diagrams.shape[:2], diagrams.spatial_axes)
    return _loss(diagrams, wanted, power, essential, max_bars, reduction)


def _check_options(power: int, essential: str, max_bars: int | None, reduction: str) -> None:
    if power not in (1, 2):
        raise ValueError(f"power must be 1 or 2, got {power!r}")
    for name, value, kind in (("essential", essential, Essential), ("reduction", reduction, Reduction)):
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
    if max_bars is not None and max_bars < 1:
        raise ValueError(f"max_bars must be at least 1, or None for all bars, got {max_bars}")


def _loss(
    diagrams: PersistenceDiagrams,
    wanted: ResolvedPriors,
    power: int,
    essential: str,
    max_bars: int | None,
    reduction: str,
) -> Tensor:
    """Equation 3 as ``low - sum of wanted l**q + sum of unwanted l**q``: one signed factor per bar, missing bars need no term."""
    births = diagrams.births
    dtype = torch.float32 if births.dtype in (torch.float16, torch.bfloat16) else births.dtype
    low, high, weight = (table.to(births.device).flatten() for table in wanted[:3])
    weight = weight.to(dtype)
    group = (diagrams.image * diagrams.spatial_axes + diagrams.dimension).clamp(min=0)
    enters = diagrams.dimension >= 0
    missing = low
    if essential == "drop":
        is_components = torch.arange(len(low), device=low.device) % diagrams.spatial_axes == 0
        missing = (low - is_components.long()).clamp(min=0)
        enters = enters & ((diagrams.dimension > 0) | (diagrams.rank > 0))
    if max_bars is not None:
        if int(wanted.lower.max()) > max_bars:
            raise ValueError(f"max_bars must be at least the number of wanted bars, {int(low.max())}, got {max_bars}")
        rank = diagrams.rank - (diagrams.dimension == 0).long() if essential == "drop" else diagrams.rank
        enters = enters & (rank < max_bars)
    sign = (diagrams.rank >= high[group]).to(dtype) - (diagrams.rank < low[group]).to(dtype)
    length = diagrams.births.to(dtype) - diagrams.deaths.to(dtype)
    cost = length.pow(power) * (sign * weight[group] * enters)
    fixed = (missing * weight).view(diagrams.number_of_images, diagrams.spatial_axes).sum(1)
    per_image = fixed.index_add(0, diagrams.image.clamp(min=0), cost)
    return (
        _reduced(per_image, reduction).to(births.dtype)
        if reduction != "none"
        else per_image.to(births.dtype).view(diagrams.shape[:2])
    )


def _reduced(per_image: Tensor, reduction: str) -> Tensor:
    return per_image.mean() if reduction == "mean" else per_image.sum()
