import math

import numpy as np
import pytest

from topoprior.evaluation.intervals import bootstrap_interval, share_interval, standard_error


def test_a_seed_gives_an_interval_and_another_seed_another():
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)


def test_the_interval_of_two_values_by_hand():
    """Three means are possible: 0, 1 / 2 and 1, the outer ones with a quarter of the draws each."""
    assert bootstrap_interval([0, 1]) == (0.0, 1.0)
    assert bootstrap_interval([0, 1], confidence=0.4) == (0.5, 0.5)


def test_the_interval_is_near_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(values, resamples=2000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    wide = bootstrap_interval(values, resamples=2000, confidence=0.99)
    assert wide[0] < low < high < wide[1]


def test_samples_that_tell_nothing():
    assert all(math.isnan(end) for end in bootstrap_interval([]) + bootstrap_interval([0.5]) + share_interval([]))
    assert bootstrap_interval([0.1, 0.1, 0.1]) == (0.1, 0.1)  # though their mean is 0.10000000000000002
    assert math.isnan(standard_error([0.5]))
    assert math.isnan(standard_error([]))


def test_wilsons_interval_by_its_formula():
    z, n, share = 1.959963984540054, 20, 15 / 20
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert share_interval([1] * 15 + [0] * 5) == pytest.approx((centre - half, centre + half))
    low, high = share_interval([False] * 4)
    assert low == 0.0
    assert 0.4 < high < 0.6


def test_standard_error_by_hand():
    assert standard_error([1, 2, 3]) == pytest.approx(1 / math.sqrt(3))


def test_what_is_refused():
    with pytest.raises(ValueError, match="values must be finite, got inf: count infinite ones apart"):
        bootstrap_interval([1, math.inf])
    with pytest.raises(ValueError, match="resamples must be at least 1, got 0"):
        bootstrap_interval([1, 2], resamples=0)
    with pytest.raises(ValueError, match="zeros and ones, got 2"):
        share_interval([0, 2])
    for interval in (bootstrap_interval, share_interval):
        with pytest.raises(ValueError, match="confidence must be between 0 and 1, got 95"):
            interval([0, 1], confidence=95)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[metrics\]'"):
        bootstrap_interval([1, 2])
