"""What is known about the topology of one object: its Betti numbers, exact, as ranges, or not at all."""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple, SupportsIndex, TypeAlias

import torch
from torch import Tensor

Range: TypeAlias = tuple[int, int | None]
UNBOUNDED = torch.iinfo(torch.int64).max
LARGEST = 2**31 - 1  # the core takes 2**29 pixels, and no Betti number exceeds three times the number of pixels


@dataclass(frozen=True, init=False, repr=False)
class BettiPrior:
    """Betti numbers that a segmentation is known to have.

    One entry per homology dimension: components, loops (tunnels in 3-D), cavities. Immutable and hashable.

    Args:
        *numbers: For each dimension a number, a range ``(low, high)`` with both ends included and ``high=None`` for
            "no upper limit", or ``None`` for "don't care".
        weights: One factor per dimension for the terms of equation 4, finite and not negative; by default 1 each.

    Raises:
        TypeError: If an entry is not a whole number, a pair, or ``None``, or the weights are no sequence of numbers.
        ValueError: If there are not 1 to 3 entries, a number is negative or too large for any image, a range is empty,
            or the weights do not fit.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equations 3 and 4; ranges and weights are the generalisations named
        below them. PMC9721526.

    Examples:
        >>> BettiPrior(1, 1)  # one component with one loop, 2-D
        BettiPrior(1, 1)
        >>> prior = BettiPrior(1, (0, 2), None)  # 3-D: at most two tunnels, any number of cavities
        >>> prior.lower, prior.upper
        ((1, 0, 0), (1, 2, None))
        >>> prior.is_satisfied_by(torch.tensor([[1, 2, 7], [2, 0, 0]]))
        tensor([ True, False])
    """

    lower: tuple[int, ...]
    upper: tuple[int | None, ...]
    weights: tuple[float, ...]

    def __init__(self, *numbers: int | tuple[int, int | None] | None, weights: Iterable[float] | None = None) -> None:
        if not 1 <= len(numbers) <= 3:
            raise ValueError(f"a prior has 1 to 3 Betti numbers, one per homology dimension, got {len(numbers)}")
        ranges = [_as_range(number) for number in numbers]
        factors = (1.0,) * len(numbers) if weights is None else _as_weights(weights, len(numbers))
        object.__setattr__(self, "lower", tuple(low for low, _ in ranges))
        object.__setattr__(self, "upper", tuple(high for _, high in ranges))
        object.__setattr__(self, "weights", factors)

    @classmethod
    def parse(cls, text: str) -> "BettiPrior":
        """The prior written as on the command line: ``"1,0-2,*"``; ``"3-"`` is three or more, ``"*"`` is "don't care".

        Raises:
            TypeError: If it is no text.
            ValueError: If the text is not of this form.

        Examples:
            >>> BettiPrior.parse("1,0-2,*")
            BettiPrior(1, (0, 2), None)
        """
        if not isinstance(text, str):
            raise TypeError(f"a prior must be written as text, like '1,1', got {text!r}")
        return cls(*(_parse_entry(entry.strip(), text) for entry in text.split(",")))

    @property
    def dimensions(self) -> int:
        """How many Betti numbers the prior speaks of, the number of spatial axes of its images."""
        return len(self.lower)

    @property
    def cares(self) -> tuple[bool, ...]:
        """Can any Betti number violate this prior, with a weight above 0? One answer per dimension."""
        return tuple(
            (low > 0 or high is not None) and weight > 0
            for low, high, weight in zip(self.lower, self.upper, self.weights, strict=True)
        )

    def is_satisfied_by(self, betti_numbers: Tensor) -> Tensor:
        """Are all Betti numbers within their ranges? Weights play no part.

        Args:
            betti_numbers: Whole numbers, shape ``(..., d)``.

        Returns:
            Boolean tensor of shape ``(...)``.

        Raises:
            ValueError: If the last axis does not have one entry per dimension of the prior.
        """
        betti_numbers = torch.as_tensor(betti_numbers)
        if betti_numbers.ndim == 0 or betti_numbers.shape[-1] != self.dimensions:
            raise ValueError(
                f"betti_numbers must have shape (..., {self.dimensions}) for the prior {self}, "
                f"got {tuple(betti_numbers.shape)}"
            )
        lower = torch.tensor(self.lower, device=betti_numbers.device)  # int64: small types cannot hold every prior
        upper = torch.tensor([UNBOUNDED if high is None else high for high in self.upper], device=lower.device)
        return ((betti_numbers >= lower) & (betti_numbers <= upper)).all(-1)

    def __str__(self) -> str:
        """The ranges in the form that `parse` reads (weights are not written)."""
        return ",".join(_entry_text(low, high) for low, high in zip(self.lower, self.upper, strict=True))

    def __repr__(self) -> str:
        entries: list[str] = []
        for low, high in zip(self.lower, self.upper, strict=True):
            entries.append("None" if (low, high) == (0, None) else str(low) if low == high else f"({low}, {high})")
        if set(self.weights) != {1.0}:
            entries.append(f"weights={self.weights}")
        return f"BettiPrior({', '.join(entries)})"


def _as_range(number: object) -> Range:
    if number is None:
        return (0, None)
    ends = tuple(number) if isinstance(number, tuple | list) else (number, number)
    if len(ends) != 2:
        raise ValueError(f"a range of Betti numbers must be a pair (low, high), got {number!r}")
    low = _whole(ends[0], number)
    high = None if ends[1] is None else _whole(ends[1], number)
    if low < 0 or (high is not None and high < low):
        raise ValueError(f"a Betti number must be at least 0, and a range must have low <= high, got {number!r}")
    if max(low, high or 0) > LARGEST:
        raise ValueError(f"a Betti number must be at most {LARGEST}, more than any image has, got {number!r}")
    return (low, high)


def _as_weights(weights: Iterable[float], count: int) -> tuple[float, ...]:
    rule = f"weights must be {count} finite numbers of at least 0, one per Betti number"
    try:
        if isinstance(weights, str | Mapping | Set):  # text has digits, the others have no order or two sides
            raise TypeError
        factors = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        raise TypeError(f"{rule}, got {weights!r}") from None
    if len(factors) != count or any(not math.isfinite(weight) or weight < 0 for weight in factors):
        raise ValueError(f"{rule}, got {factors}")
    return factors


def _whole(value: object, number: object) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(
            f"a Betti number must be a whole number, a pair (low, high) or None for don't care, got {number!r}"
        )
    return operator.index(value)


def _parse_entry(entry: str, text: str) -> int | Range | None:
    if entry == "*":
        return None
    low, dash, high = entry.partition("-")
    if not low.isdecimal() or not (high.isdecimal() or not high):
        raise ValueError(f"a prior must be written like 1,1 or 1,0-2,* (number, low-high, low- or *), got {text!r}")
    if not dash:
        return int(low)
    return (int(low), int(high) if high else None)


def _entry_text(low: int, high: int | None) -> str:
    if high is None:
        return "*" if low == 0 else f"{low}-"
    return str(low) if low == high else f"{low}-{high}"


PriorLike: TypeAlias = BettiPrior | Sequence[BettiPrior] | Sequence[Sequence[BettiPrior]]


class ResolvedPriors(NamedTuple):
    """The priors of a batch as tensors of shape ``(batch, channel, d)``; an upper end of `UNBOUNDED` is none at all."""

    lower: Tensor
    upper: Tensor
    weight: Tensor
    dimensions: int  # bit mask of those that some prior cares about
    most_bars: int  # largest number of bars wanted anywhere


def resolve_priors(prior: PriorLike, batch: int, channels: int, dimensions: int) -> ResolvedPriors:
    """The prior of every channel of every image.

    Args:
        prior: One prior for every image and channel; or one per image of the batch, for all its channels; or per
            image one per channel, where an outer length of 1 serves every image.
        batch: Number of images.
        channels: Number of channels.
        dimensions: Number of spatial axes, d.

    Raises:
        TypeError: If something is not a `BettiPrior`.
        ValueError: If numbers of priors, channels or dimensions do not fit, or if nothing is asked of any image.
    """
    table = prior_table(prior, batch, channels)
    distinct = {entry for row in table for entry in row}
    for entry in distinct:
        if entry.dimensions != dimensions:
            example = ", ".join(f"b{k}" for k in range(dimensions))
            raise ValueError(
                f"prior has {entry.dimensions} Betti numbers but images have {dimensions} spatial axes: "
                f"give BettiPrior({example})"
            )
    wanted = sum(1 << k for k in range(dimensions) if any(entry.cares[k] for entry in distinct))
    if not wanted:
        raise ValueError(f"prior must ask for something, got only don't care or weight 0 in every dimension: {prior!r}")
    lower = torch.tensor([[entry.lower for entry in row] for row in table], dtype=torch.int64)
    upper = torch.tensor(
        [[[UNBOUNDED if high is None else high for high in entry.upper] for entry in row] for row in table],
        dtype=torch.int64,
    )
    weight = torch.tensor([[entry.weights for entry in row] for row in table], dtype=torch.float64)
    shape = (batch, channels, dimensions)
    most_bars = max(low for entry in distinct for low in entry.lower)
    return ResolvedPriors(lower.expand(shape), upper.expand(shape), weight.expand(shape), wanted, most_bars)


def prior_table(prior: PriorLike, batch: int, channels: int) -> list[list[BettiPrior]]:
    """Rows of priors, images times channels, either of which may be 1 and then serves all.

    Raises:
        TypeError: If something is not a `BettiPrior`.
        ValueError: If the number of priors or channels does not fit.
    """
    if isinstance(prior, BettiPrior):
        return [[prior]]
    rows = [[row] if isinstance(row, BettiPrior) else row for row in _entries(prior)]
    nested = any(not isinstance(row, BettiPrior) for row in prior)
    table = [_entries(row) for row in rows]
    for entry in (entry for row in table for entry in row):
        if not isinstance(entry, BettiPrior):
            raise TypeError(
                f"prior must be a BettiPrior or a sequence of them, got {type(entry).__name__} in it: {entry!r}"
            )
    if len(table) != batch and not (nested and len(table) == 1):
        raise ValueError(
            f"prior must be one BettiPrior, or one per image: got {len(table)} priors for a batch of {batch}"
            " (for one prior per channel give [[prior of channel 0, prior of channel 1, ...]])"
        )
    lengths = {len(row) for row in table}
    if nested and lengths != {channels}:
        raise ValueError(
            f"prior must have one BettiPrior per channel: got rows of {sorted(lengths)} for {channels} channels"
            " (include_background=False leaves channel 0 out)"
        )
    return table


def _entries(sequence: object) -> list[BettiPrior]:
    if isinstance(sequence, str) or not isinstance(sequence, Sequence):
        raise TypeError(
            f"prior must be a BettiPrior or a sequence of them, got {type(sequence).__name__}: {sequence!r}"
        )
    return list(sequence)
