"""The tests behind `topoprior.statistics`: McNemar's, Wilcoxon's, and Holm's correction for their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from topoprior.evaluation.intervals import check_share, scipy_stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Array: TypeAlias = np.ndarray[Any, Any]

_MOST_EXACT = 50  # pairs that differ; above, the normal approximation with its correction for ties
_DIGITS = 12  # differences that agree to as many digits are ties: rounding must not rank them


def mcnemar(first: Sequence[float] | Array, second: Sequence[float] | Array) -> tuple[float, float]:
    """Exact McNemar test of two columns of zeros and ones, pair by pair.

    Only pairs that differ count. If neither method is better, each goes either way like a coin.

    Args:
        first: Zeros and ones (or booleans).
        second: As many; value i belongs to value i of ``first``.

    Returns:
        The smaller number of pairs in which one side alone is 1, and the two-sided p-value, 1 if no pair differs.

    Raises:
        ValueError: If the lengths differ or a value is neither 0 nor 1.
        ImportError: If SciPy is not installed.

    Examples:
        Four pairs speak for the second and none for the first: 2 / 2**4.

        >>> mcnemar([1, 0, 0, 0, 0], [1, 1, 1, 1, 1])
        (0.0, 0.125)
    """
    ours, theirs = _pairs(first, second)
    check_share([*ours, *theirs])
    only_first, only_second = int((ours > theirs).sum()), int((ours < theirs).sum())
    if not only_first + only_second:
        return 0.0, 1.0
    p = scipy_stats().binomtest(only_first, only_first + only_second, 0.5).pvalue
    return float(min(only_first, only_second)), float(p)


def wilcoxon(first: Sequence[float] | Array, second: Sequence[float] | Array) -> tuple[float, float]:
    """Two-sided Wilcoxon signed rank test of two columns of numbers, pair by pair.

    Pairs without a difference are left out, and equal differences share the mean of their ranks. Exact for up to 50
    pairs that differ, ties or not; the normal approximation, corrected for ties, for more. Infinity is larger than
    every number and equal to itself.

    Args:
        first: Numbers, possibly infinite.
        second: As many; value i belongs to value i of ``first``.

    Returns:
        The smaller of the two rank sums, and the two-sided p-value, 1 if no pair differs.

    Raises:
        ValueError: If the lengths differ or a value is NaN.
        ImportError: If SciPy is not installed.

    References:
        Wilcoxon (1945), Individual comparisons by ranking methods, Biometrics Bulletin 1(6).

    Examples:
        All five differences have the same sign: 2 / 2**5.

        >>> wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0])
        (0.0, 0.0625)
    """
    difference = differences(*_pairs(first, second))
    difference = difference[difference != 0]
    if not len(difference):
        return 0.0, 1.0
    ranks = scipy_stats().rankdata(abs(difference))
    statistic = float(min(ranks[difference > 0].sum(), ranks[difference < 0].sum()))
    if len(difference) > _MOST_EXACT:
        return statistic, float(scipy_stats().wilcoxon(np.sign(difference) * ranks).pvalue)
    return statistic, _exact(ranks, statistic)


def holm(p_values: Iterable[float]) -> list[float]:
    """P-values corrected for their number: the smallest times n, the next times n - 1, and so on, never decreasing.

    Below 0.05 after the correction, the chance of a single false finding among all tests is at most 5 %.

    Args:
        p_values: Numbers in ``[0, 1]``.

    Returns:
        As many, in the order given.

    Raises:
        ValueError: If a value is outside ``[0, 1]``.

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2).

    Examples:
        >>> holm([0.01, 0.5, 0.02])
        [0.03, 0.5, 0.04]
    """
    values = np.array(list(p_values), dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values must be in [0, 1], got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return [float(value) for value in corrected]


def differences(first: Array, second: Array) -> Array:
    """First minus second; 0 where both are equal, infinite or not, and where only rounding tells them apart."""
    with np.errstate(invalid="ignore"):
        difference = np.where(first == second, 0.0, first - second)
    both = np.concatenate((first, second))
    scale = np.max(np.abs(both[np.isfinite(both)]), initial=0) or 1.0
    return np.asarray(np.round(difference / scale, _DIGITS) * scale)


def _exact(ranks: Array, statistic: float) -> float:
    """P-value of a smaller rank sum, over all 2**n ways to choose the signs."""
    doubled = np.rint(2 * ranks).astype(int)  # shared ranks are halves
    ways = np.zeros(doubled.sum() + 1, dtype=np.int64)  # ways[s]: choices with s as doubled sum of positive ranks
    ways[0] = 1
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    extreme = int(ways[: round(2 * statistic) + 1].sum())
    return min(1.0, 2 * extreme / float(2 ** len(ranks)))


def _pairs(first: Sequence[float] | Array, second: Sequence[float] | Array) -> tuple[Array, Array]:
    ours, theirs = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ValueError(f"both sides must hold as many numbers, got {ours.shape} and {theirs.shape}")
    if np.isnan(ours).any() or np.isnan(theirs).any():
        raise ValueError("values must be numbers, got NaN")
    return ours, theirs
