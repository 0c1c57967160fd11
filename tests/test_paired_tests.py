import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import paired_tests as slow
from topoprior.evaluation.paired_tests import holm, mcnemar, wilcoxon

shares = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=12)
quick = settings(deadline=None)  # the first call loads SciPy


@quick
@given(shares)
def test_mcnemar_as_by_counting_coin_throws(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    statistic, p = mcnemar(first, second)
    assert p == pytest.approx(slow.mcnemar(first, second))
    assert statistic == min(sum(a > b for a, b in pairs), sum(a < b for a, b in pairs))
    assert mcnemar(second, first) == (statistic, pytest.approx(p))


def test_mcnemar_by_hand():
    """Ten pairs differ, nine one way: (1 + 10) / 2**10, twice."""
    first, second = [1] * 9 + [0] + [1] * 5, [0] * 9 + [1] + [1] * 5
    assert mcnemar(first, second) == (1.0, pytest.approx(22 / 1024))
    assert mcnemar([True, False], [True, False]) == (0.0, 1.0)
    assert mcnemar([], []) == (0.0, 1.0)


@quick
@given(st.lists(st.integers(-3, 3), max_size=9))
def test_wilcoxon_as_by_trying_all_signs_ties_and_zeros_included(differences):
    statistic, p = slow.wilcoxon(differences)
    assert wilcoxon(differences, [0] * len(differences)) == (statistic, pytest.approx(p))
    assert wilcoxon([0] * len(differences), differences) == (statistic, pytest.approx(p))


def test_wilcoxon_is_exact_beyond_the_smallest_samples_ties_included():
    differences = [1, 1, 2, 2, 2, 3, 4, 4, 5, -1, -2, -5]
    assert wilcoxon(differences, [0] * 12) == pytest.approx(slow.wilcoxon(differences))


@pytest.mark.parametrize("count", [20, 50, 51, 200])
def test_wilcoxon_as_scipy_where_nothing_is_tied(count):
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.3, 1, count), generator.normal(size=count)
    expected = scipy.stats.wilcoxon(first, second)
    assert wilcoxon(first, second) == pytest.approx((expected.statistic, expected.pvalue))


def test_wilcoxon_of_many_ties_is_as_scipy_with_the_zeros_left_out():
    generator = np.random.default_rng(1)
    differences = generator.integers(-2, 4, 300)
    expected = scipy.stats.wilcoxon(differences[differences != 0].astype(float))
    assert wilcoxon(differences, 0 * differences) == pytest.approx((expected.statistic, expected.pvalue))


def test_wilcoxon_of_infinite_values():
    inf = math.inf
    assert wilcoxon([inf, 1, 2, 3], [inf, 1, 2, 3]) == (0.0, 1.0)
    # Ranks 3 (infinite) against 1 and 2: a tie of both signs.
    assert wilcoxon([inf, 1, 1], [5, 2, 3]) == (3.0, 1.0)
    assert wilcoxon([inf, inf, 4, 5, 6], [1, 2, 3, 4, 5]) == (0.0, 2 / 32)


def test_rounding_makes_no_ranks():
    """0.3 - 0.2 and 0.2 - 0.1 are one tenth each, though not to the last digit."""
    first, second = [0.3, 0.2, 0.1], [0.2, 0.1, 0.2]
    assert wilcoxon(first, second) == wilcoxon([1, 1, -1], [0, 0, 0]) == (2.0, 1.0)
    assert wilcoxon([0.1 + 0.2], [0.3]) == (0.0, 1.0)
    assert wilcoxon([3e-9, 2e-9, 7e-9], [1e-9, 1e-9, 1e-9]) == (0.0, 0.25)  # but small units are no rounding


@quick
@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.3, 1.0]), max_size=8))
def test_holm_as_by_its_definition(p_values):
    assert holm(p_values) == pytest.approx(slow.holm(p_values) if p_values else [])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"as many numbers, got \(2,\) and \(1,\)"):
        wilcoxon([1, 2], [1])
    with pytest.raises(ValueError, match="must be numbers, got NaN"):
        wilcoxon([1, math.nan], [1, 2])
    with pytest.raises(ValueError, match=r"zeros and ones, got 0\.5"):
        mcnemar([1, 0.5], [1, 0])
    for value in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"p-values must be in \[0, 1\]"):
            holm([0.5, value])
