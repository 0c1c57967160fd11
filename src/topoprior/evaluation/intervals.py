"""How sure a mean is: confidence intervals and the standard error.

Of a mean: percentiles of the bootstrap. (The bias correction of BCa hangs on rounding where values repeat: with SciPy
1.17 the symmetric sample 0.7, 0.7, 0.8, 0.8, 0.9, 0.9 got an interval from 0.75 to 0.87.) Of a share, the mean of zeros
and ones: Wilson's interval, because the bootstrap of ten successes in ten has no width.

Both take the values for independent; the slices of one patient are not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

_BATCH = 2**20  # bootstrap values at a time: 8 MB


def bootstrap_interval(
    values: Iterable[float], *, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """Confidence interval of a mean by the percentiles of its bootstrap; the same for the same seed.

    Args:
        values: Finite numbers, one for each independent case.
        confidence: Between 0 and 1.
        resamples: How often to draw.
        seed: Of the draws.

    Returns:
        Lower and upper end: both NaN for fewer than two values, both the value if all are equal.

    Raises:
        ValueError: If a value is not finite, or an option is out of range.
        ImportError: If SciPy is not installed.

    References:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Examples:
        >>> low, high = bootstrap_interval([0.7, 0.8, 0.9, 0.8, 0.7, 0.9])
        >>> round(low, 2), round(high, 2)
        (0.73, 0.87)
        >>> bootstrap_interval([0.8, 0.8, 0.8])
        (0.8, 0.8)
    """
    sample = np.array(list(values), dtype=float)
    _check_confidence(confidence)
    if not np.isfinite(sample).all():
        raise ValueError(f"values must be finite, got {sample[~np.isfinite(sample)][0]}: count infinite ones apart")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    if len(sample) < 2:
        return math.nan, math.nan
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    ends = scipy_stats().bootstrap(
        (sample,),
        np.mean,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=max(1, _BATCH // len(sample)),
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(ends.confidence_interval.low), float(ends.confidence_interval.high)


def share_interval(values: Iterable[float], *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's confidence interval of a share.

    Args:
        values: Zeros and ones (or booleans), one for each independent case.
        confidence: Between 0 and 1.

    Returns:
        Lower and upper end; both NaN if there is no value.

    Raises:
        ValueError: If a value is neither 0 nor 1, or ``confidence`` is out of range.
        ImportError: If SciPy is not installed.

    Examples:
        Ten of ten are right; that all are is not certain:

        >>> low, high = share_interval([1] * 10)
        >>> round(low, 2), high
        (0.72, 1.0)
    """
    sample = np.array(list(values), dtype=float)
    _check_confidence(confidence)
    check_share(sample)
    if not len(sample):
        return math.nan, math.nan
    test = scipy_stats().binomtest(int(sample.sum()), len(sample))
    ends = test.proportion_ci(confidence_level=confidence, method="wilson")
    return float(ends.low), float(ends.high)


def standard_error(values: Iterable[float]) -> float:
    """Standard error of a mean: standard deviation (with n - 1) over the root of n; NaN for fewer than two values.

    Examples:
        >>> standard_error([1.0, 5.0, 1.0, 5.0])  # a standard deviation of sqrt(16 / 3) over sqrt(4)
        1.1547005383792515
    """
    sample = np.array(list(values), dtype=float)
    return float(np.std(sample, ddof=1) / math.sqrt(len(sample))) if len(sample) > 1 else math.nan


def check_share(values: Iterable[float]) -> None:
    """Raise ``ValueError`` unless all values are 0 or 1."""
    for value in values:
        if value not in (0, 1):
            raise ValueError(f"a share must be of zeros and ones, got {value}")


def scipy_stats() -> Any:
    """``scipy.stats``.

    Raises:
        ImportError: If SciPy is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError("intervals and tests need SciPy: pip install 'topoprior[metrics]'") from error
    return stats


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
