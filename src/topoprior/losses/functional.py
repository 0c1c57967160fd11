"""The Betti prior loss, equations 3 and 4 of the paper, as pure functions."""

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from topoprior.losses.economy import Economy, check_economy, check_min_persistence, economical_diagrams
from topoprior.priors.betti_prior import PriorLike, ResolvedPriors, resolve_priors
from topoprior.priors.feasibility import check_asks
from topoprior.topology.diagram import PersistenceDiagrams
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
    economy: Economy | None = None,
    reduction: Reduction = "mean",
    threads: int | None = None,
) -> Tensor:
    """How far probability maps are from the wanted Betti numbers: 0 if all wanted bars are full, and no others exist.

    For one image and dimension k, bars sorted from the longest, lengths ``l``, wanted range ``low..high``::

        L_k =  sum over bars 1..low      of  1 - l ** power      (a wanted bar that does not exist costs exactly 1)
             + sum over bars above high  of  l ** power

    Bars between are free; a dimension that the prior does not care about costs nothing and is not computed.
    Dimensions are added with the weights of the prior (equation 4), then images are reduced. With ``power=2`` the
    slope at length 0 is 0, as in the paper: a wanted feature that is entirely absent gets no push, and very short
    bars fade slowly; ``power=1`` pushes with constant force.

    Args:
        input: Probabilities in [0, 1], shape ``(batch, channel, *spatial)``, floating point, one to three spatial axes.
        prior: One prior for all; or one per image, which then holds for all its channels; or a sequence of one per
            channel for each image (``[[first channel, second channel]]`` serves all images).
        construction: ``"T"``: pixels touch at corners too (8 / 26 neighbours). ``"V"``: through faces only (4 / 6).
        boundary: What the outside counts as, ``"background"`` or ``"foreground"``: one more component, with the bar
            (1, 0).
        power: 2 as in the paper, or 1.
        essential: ``"finite"``: the component that never dies is closed at 0 and is a bar as any other, as in the
            paper. ``"drop"``: its bar is left out and one component less is wanted, as the paper's published code
            does in effect; then ``0`` and ``1`` wanted components ask for the same.
        max_bars: If given, only that many longest bars of each image and dimension enter.
        economy: What may be left out of large volumes, and the error that this makes: see `topoprior.Economy`.
        reduction: ``"mean"`` or ``"sum"`` over batch and channels, or ``"none"`` for shape ``(batch, channel)``.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Returns:
        The loss, dtype and device of ``input`` (half precision is summed in float32).

    Raises:
        TypeError: If ``input`` is no floating point tensor, or ``prior`` holds anything but `BettiPrior`.
        ValueError: If a shape or value is not as above, the priors do not fit the input or ask for nothing, so that the
            loss would be 0 for every input, or an option is unknown.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equations 3 and 4. PMC9721526. The paper gives no reduction over
        images.

    Examples:
        Two components of length 0.9 and 0.7 - 0.2 where one is wanted, (1 - 0.81) + 0.25:

        >>> from topoprior import BettiPrior
        >>> betti_prior_loss(torch.tensor([[[0.9, 0.2, 0.7]]]), BettiPrior(1))
        tensor(0.4400)
    """
    check_options(construction, boundary)
    images = as_images(input, name="input")
    batch, channels, *spatial = images.shape
    check_loss_options(power, essential, max_bars, reduction)
    economy = check_economy(economy)
    wanted = resolve_priors(prior, batch, channels, len(spatial))
    check_asks(prior, boundary=boundary, essential=essential)
    diagrams = economical_diagrams(images, economy, construction, boundary, wanted.dimensions, check_threads(threads))
    return _loss(diagrams, wanted, power, essential, max_bars, economy.min_persistence, reduction)


def betti_prior_loss_from_diagrams(
    diagrams: PersistenceDiagrams,
    prior: PriorLike,
    *,
    power: Literal[1, 2] = 2,
    essential: Essential = "finite",
    max_bars: int | None = None,
    min_persistence: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """`betti_prior_loss` of diagrams that exist already, for callers that need the bars as well.

    ``min_persistence`` is that of `topoprior.Economy`.

    Raises:
        TypeError: If ``prior`` holds anything but `BettiPrior`.
        ValueError: If the priors do not fit the diagrams, care about a dimension that was not computed or ask for
            nothing, or an option is unknown.
    """
    check_loss_options(power, essential, max_bars, reduction)
    check_min_persistence(min_persistence)
    wanted = resolve_priors(prior, diagrams.shape[0], diagrams.shape[1], diagrams.spatial_axes)
    check_asks(prior, boundary=diagrams.boundary, essential=essential)
    absent = [k for k in range(diagrams.spatial_axes) if wanted.dimensions >> k & 1 and k not in diagrams.dimensions]
    if absent:  # it would look like one without bars
        raise ValueError(
            f"diagrams must hold every dimension that the prior cares about, got {diagrams.dimensions} without {absent}"
        )
    return _loss(diagrams, wanted, power, essential, max_bars, min_persistence, reduction)


def check_loss_options(power: int, essential: str, max_bars: int | None, reduction: str) -> None:
    """Raise ``ValueError`` unless each option of the loss is one that it knows."""
    if power not in (1, 2):
        raise ValueError(f"power must be 1 or 2, got {power!r}")
    for name, value, kind in (("essential", essential, Essential), ("reduction", reduction, Reduction)):
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
    if max_bars is not None and (isinstance(max_bars, bool) or not isinstance(max_bars, int) or max_bars < 1):
        raise ValueError(f"max_bars must be a whole number of at least 1, or None for all bars, got {max_bars!r}")


def _loss(
    diagrams: PersistenceDiagrams,
    wanted: ResolvedPriors,
    power: int,
    essential: str,
    max_bars: int | None,
    min_persistence: float,
    reduction: str,
) -> Tensor:
    """Equation 3 as ``low - (sum over wanted bars) + (sum over unwanted bars)``: missing bars need no term."""
    if max_bars is not None and max_bars < wanted.most_bars:
        raise ValueError(
            f"max_bars must be at least the number of bars that the prior wants, {wanted.most_bars}, got {max_bars}"
        )
    if max_bars is not None and not ((wanted.weight != 0) & ((wanted.lower > 0) | (wanted.upper < max_bars))).any():
        raise ValueError(
            f"max_bars must be greater than the number of bars that the prior allows, got {max_bars}: all {max_bars} "
            "longest bars are allowed, so the loss would be 0 for every image"
        )
    births = diagrams.births
    dtype = torch.promote_types(births.dtype, torch.float32)
    lengths = births.to(dtype) - diagrams.deaths.to(dtype)
    powers = lengths if power == 1 else lengths * lengths
    factors = _factors(diagrams, wanted._replace(weight=wanted.weight.to(dtype)), essential, max_bars)
    if min_persistence:
        factors = torch.where((factors > 0) & (lengths < min_persistence), 0, factors)
    constants = _cost_without_bars(wanted, essential).to(births.device, dtype)
    if reduction == "none":
        loss = constants.index_add(0, diagrams.image, factors * powers).view(diagrams.shape[:2])
    else:
        loss = constants.sum() + torch.dot(factors, powers)
    return (loss / len(constants) if reduction == "mean" else loss).to(births.dtype)


def _cost_without_bars(wanted: ResolvedPriors, essential: str) -> Tensor:
    """Cost of an image without any bar, its weighted number of wanted bars, shape ``(batch * channel,)``."""
    bars = wanted.lower
    if essential == "drop":
        components = torch.tensor([1] + [0] * (bars.shape[-1] - 1))
        bars = (bars - components).clamp(min=0)
    return (bars * wanted.weight).sum(-1).flatten()


def _factors(diagrams: PersistenceDiagrams, wanted: ResolvedPriors, essential: str, max_bars: int | None) -> Tensor:
    """Sign times weight of each bar: -1 below the wanted number, 0 inside the range, +1 above, 0 for bars left out."""
    dimension, rank = diagrams.dimension, diagrams.rank
    group = (diagrams.image * diagrams.spatial_axes + dimension).clamp(min=0)  # rows filled up by vmap have length 0
    low, high, weight = (table.reshape(-1).to(rank.device).index_select(0, group) for table in wanted[:3])
    factors = ((rank >= high).to(weight.dtype) - (rank < low).to(weight.dtype)) * weight
    dropped: Tensor | int = 0  # bars at the head of each group that are left out
    if essential == "drop":
        dropped = (dimension == 0).long()
        factors = factors * (rank >= dropped)
    if max_bars is not None:
        factors = factors * (rank < max_bars + dropped)
    return factors
