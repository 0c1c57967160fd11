import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoprior import BettiPrior
from topoprior.priors.betti_prior import UNBOUNDED, resolve_priors

counts = st.integers(0, 50)
ranges = st.tuples(counts, counts).map(sorted).map(tuple) | st.tuples(counts, st.none())
numbers = st.lists(counts | ranges | st.none(), min_size=1, max_size=3)


def test_numbers_ranges_and_dont_care():
    prior = BettiPrior(1, (0, 2), None)
    assert prior.dimensions == 3
    assert prior.lower == (1, 0, 0)
    assert prior.upper == (1, 2, None)
    assert prior.weights == (1.0, 1.0, 1.0)
    assert prior.cares == (True, True, False)


def test_whole_numbers_of_any_kind_and_lists_as_ranges():
    assert BettiPrior(np.int64(1), [0, torch.tensor(2)]) == BettiPrior(1, (0, 2))


def test_a_weight_of_zero_is_not_cared_about():
    assert BettiPrior(1, 1, weights=(0, 2)).cares == (False, True)


def test_equal_priors_are_equal_and_hash_alike():
    assert {BettiPrior(1, 1), BettiPrior((1, 1), 1)} == {BettiPrior(1, 1)}
    assert BettiPrior(None) == BettiPrior((0, None))
    assert BettiPrior(1, 1) != BettiPrior(1, 1, weights=(1, 2))
    assert BettiPrior(1) != 1


def test_immutable_and_copied_as_it_is():
    prior = BettiPrior(1, (0, None), weights=(1, 0.5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        prior.lower = (2, 2)
    assert pickle.loads(pickle.dumps(prior)) == copy.deepcopy(prior) == prior


@given(numbers)
def test_parse_reads_what_str_writes(entries):
    prior = BettiPrior(*entries)
    assert BettiPrior.parse(str(prior)) == prior


@given(numbers, st.booleans())
def test_repr_is_the_call_that_makes_it(entries, weighted):
    prior = BettiPrior(*entries, weights=[0.5] * len(entries) if weighted else None)
    assert eval(repr(prior)) == prior


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,1", BettiPrior(1, 1)),
        (" 1 , 0-2 , * ", BettiPrior(1, (0, 2), None)),
        ("3-", BettiPrior((3, None))),
        ("12", BettiPrior(12)),
    ],
)
def test_parse(text, expected):
    assert BettiPrior.parse(text) == expected


@pytest.mark.parametrize("text", ["", "1,", "a", "1;1", "-1", "1-2-3", "1.5", "**", "(1,1)", "²", "1..2"])
def test_parse_refuses_other_texts(text):
    with pytest.raises(ValueError, match="a prior must be written like 1,1 or 1,0-2,\\*"):
        BettiPrior.parse(text)


@pytest.mark.parametrize("number", [None, 1, (1, 1)])
def test_parse_refuses_what_is_no_text(number):
    with pytest.raises(TypeError, match="a prior must be written as text, like '1,1', got "):
        BettiPrior.parse(number)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), ValueError, "a prior has 1 to 3 Betti numbers, one per homology dimension, got 0"),
        ((1, 1, 1, 1), ValueError, "got 4"),
        ((-1,), ValueError, "at least 0, and a range must have low <= high, got -1"),
        (((2, 1),), ValueError, "low <= high, got \\(2, 1\\)"),
        (((1, 2, 3),), ValueError, "a pair \\(low, high\\), got \\(1, 2, 3\\)"),
        ((1.0,), TypeError, "whole number, a pair \\(low, high\\) or None for don't care, got 1.0"),
        ((True,), TypeError, "got True"),
        (("1,1",), TypeError, "got '1,1'"),
        (((None, 2),), TypeError, "got \\(None, 2\\)"),
        ((10**30,), ValueError, "at most 2147483647, more than any image has, got 10+"),
        (((0, 2**63),), ValueError, "at most 2147483647, more than any image has, got \\(0, 9223372036854775808\\)"),
    ],
)
def test_what_is_no_prior_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        BettiPrior(*arguments)


@pytest.mark.parametrize("weights", [(1,), (1, -1), (1, float("nan")), (1, float("inf"))])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="weights must be 2 finite numbers of at least 0, one per Betti number"):
        BettiPrior(1, 1, weights=weights)


@pytest.mark.parametrize("weights", [2, "ab", "12", (1, None), {1: 3, 2: 4}, {1, 2}])
def test_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(TypeError, match="weights must be 2 finite numbers of at least 0, one per Betti number, got"):
        BettiPrior(1, 1, weights=weights)


def test_is_satisfied_by_numbers_of_a_type_too_small_for_the_prior():
    found = torch.tensor([[44], [255]], dtype=torch.uint8)
    assert BettiPrior(300).is_satisfied_by(found).tolist() == [False, False]
    assert BettiPrior((200, 300)).is_satisfied_by(found).tolist() == [False, True]


def test_is_satisfied_by():
    prior = BettiPrior((1, 2), (2, None))
    found = torch.tensor([[[1, 2], [2, 99]], [[0, 2], [3, 2]], [[1, 1], [1, 1]]])
    assert prior.is_satisfied_by(found).tolist() == [[True, True], [False, False], [False, False]]
    assert BettiPrior(None, None).is_satisfied_by(torch.tensor([7, 7])).item() is True
    assert prior.is_satisfied_by([2, 5]).item() is True


def test_is_satisfied_by_needs_one_number_per_dimension():
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 2\) for the prior 1,1, got \(4, 3\)"):
        BettiPrior(1, 1).is_satisfied_by(torch.zeros(4, 3))


def test_resolve_one_prior_for_all():
    wanted = resolve_priors(BettiPrior(1, None, weights=(0.5, 2)), 3, 2, 2)
    assert wanted.lower.shape == wanted.upper.shape == wanted.weight.shape == (3, 2, 2)
    assert wanted.lower[2, 1].tolist() == [1, 0]
    assert wanted.upper[2, 1].tolist() == [1, UNBOUNDED]
    assert wanted.weight[2, 1].tolist() == [0.5, 2.0]
    assert wanted.dimensions == 0b01
    assert wanted.most_bars == 1


def test_resolve_one_prior_per_image_and_per_channel():
    a, b, c = BettiPrior(1), BettiPrior(2), BettiPrior(3)
    assert resolve_priors([a, b, c], 3, 2, 1).lower[..., 0].tolist() == [[1, 1], [2, 2], [3, 3]]
    assert resolve_priors(((a, b), (b, c)), 2, 2, 1).lower[..., 0].tolist() == [[1, 2], [2, 3]]
    assert resolve_priors([[a, b]], 3, 2, 1).lower[..., 0].tolist() == [[1, 2]] * 3  # the same for every image


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (
            BettiPrior(1, 1, 0),
            ValueError,
            "prior has 3 Betti numbers but images have 2 spatial axes: give BettiPrior\\(b0, b1\\)",
        ),
        ([BettiPrior(1, 1)] * 2, ValueError, "one per image: got 2 priors for a batch of 3"),
        ([BettiPrior(1, 1)], ValueError, "got 1 priors for a batch of 3"),
        ([], ValueError, "got 0 priors for a batch of 3"),
        ([[BettiPrior(1, 1)]] * 3, ValueError, "one BettiPrior per channel: got rows of \\[1\\] for 2 channels"),
        ([[BettiPrior(1, 1)] * 2] * 2, ValueError, "got 2 priors for a batch of 3"),
        ([BettiPrior(1, 1), [BettiPrior(1, 1)] * 2, BettiPrior(1, 1)], ValueError, "got rows of \\[1, 2\\]"),
        ((1, 1), TypeError, "prior must be a BettiPrior or a sequence of them, got int: 1"),
        (((1, 1), (1, 1), (1, 1)), TypeError, "got int in it: 1"),
        ("1,1", TypeError, "got str: '1,1'"),
        (None, TypeError, "got NoneType"),
        (BettiPrior(None, None), ValueError, "prior must ask for something, got only don't care"),
        (BettiPrior(1, 1, weights=(0, 0)), ValueError, "prior must ask for something"),
    ],
)
def test_priors_that_do_not_fit_are_refused(prior, error, message):
    with pytest.raises(error, match=message):
        resolve_priors(prior, 3, 2, 2)
