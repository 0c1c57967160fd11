"""The audit of labels: what is counted, the tightest prior, and who breaks it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topoprior import BettiPrior, ClassPriors, betti_numbers
from topoprior.evaluation.connectivity import SETTINGS
from topoprior.evaluation.label_topology import label_topology
from topoprior.priors.audit import Audit, Share, histogram, propose, unions_of
from topoprior.priors.table import read_prior_table, write_prior_table

CLASSES = ("BG", "ring", "disc")
NUMBERS = {
    (1,): {"a": (1, 1), "b": (1, 1), "c": (3, 0), "d": (2, 1)},
    (2,): {"a": (1, 0), "b": (1, 0), "e": (1, 0)},
    (1, 2): {"a": (1, 0), "b": (1, 1)},
}
AUDIT = Audit(CLASSES, ("a", "b", "c", "d", "e"), NUMBERS)
WANTED = ClassPriors({"ring": (1, 1), "disc": (1, 0), ("ring", "disc"): (1, 0)}, classes=CLASSES)


def test_the_unions():
    assert unions_of([3, 1, 2], largest=3)[3:] == [(1, 2), (1, 3), (2, 3), (1, 2, 3)]


def test_a_histogram_is_sorted_by_count_then_by_numbers():
    assert list(histogram([(2, 0), (1, 1), (1, 0), (1, 1)]).items()) == [((1, 1), 2), ((1, 0), 1), ((2, 0), 1)]


@pytest.mark.parametrize(
    ("counts", "coverage", "prior", "held"),
    [
        ({(1, 1): 95, (1, 0): 5}, 0.95, (1, 1), 95),  # just enough
        ({(1, 1): 94, (1, 0): 6}, 0.95, (1, (0, 1)), 100),
        ({(1, 1): 55, (0, 0): 45}, 0.55, (1, 1), 55),  # 0.55 * 100 is a little more than 55 in floating point
        ({(1, 0): 90, (3, 0): 6, (1, 1): 4}, 0.94, (1, (0, 1)), 94),  # 2 wide rather than 3, though it holds fewer
        ({(1, 0): 90, (2, 0): 5, (1, 1): 6}, 0.94, (1, (0, 1)), 96),  # equally wide: what holds more
        ({(1, 0): 90, (2, 0): 5, (0, 0): 5}, 0.95, ((0, 1), 0), 95),  # as good as 1 to 2: the smaller numbers
        ({(1, 0): 1, (4, 2): 1}, 1.0, ((1, 4), (0, 2)), 2),
        ({(1, 0, 0): 53, (1, 1, 0): 5, (1, 2, 0): 1, (1, 0, 1): 1}, 0.95, (1, (0, 1), 0), 58),
        ({(7,): 3}, 0.5, (7,), 3),
    ],
)
def test_the_tightest_prior(counts, coverage, prior, held):
    found = propose(counts, coverage=coverage)
    assert found.prior == BettiPrior(*prior)
    assert (found.coverage.held, found.coverage.total) == (held, sum(counts.values()))


@settings(deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 3)), st.integers(1, 9), min_size=1, max_size=8),
    st.sampled_from([0.05, 0.5, 0.8, 0.95, 1.0]),
)
def test_no_box_is_tighter(counts, coverage):
    """All boxes, one after the other: none that covers enough allows less, or as much with more labels."""
    found = propose(counts, coverage=coverage)
    total = sum(counts.values())
    ranges = [[(low, high) for low in range(end) for high in range(low, end)] for end in (5, 4)]
    boxes = []
    for box in itertools.product(*ranges):
        held = sum(
            count
            for each, count in counts.items()
            if all(low <= number <= high for number, (low, high) in zip(each, box, strict=True))
        )
        if held >= coverage * total - 1e-9:
            boxes.append((math.prod(high - low + 1 for low, high in box), -held, tuple(low for low, _ in box)))
    size = math.prod(high - low + 1 for low, high in zip(found.prior.lower, found.prior.upper, strict=True))
    assert (size, -found.coverage.held, found.prior.lower) == min(boxes)


@pytest.mark.parametrize(
    ("counts", "coverage", "message"),
    [
        ({}, 0.9, "from labels only, got none"),
        ({(1,): 1}, 0.0, "coverage must be greater than 0 and at most 1, got 0.0"),
        ({(1,): 1}, 1.01, "at most 1, got 1.01"),
        ({(1,): 1, (1, 0): 1}, 0.9, r"one number of dimensions, got \(1,\), \(1, 0\)"),
    ],
)
def test_what_cannot_be_proposed(counts, coverage, message):
    with pytest.raises(ValueError, match=message):
        propose(counts, coverage=coverage)


@pytest.mark.timeout(20)
def test_many_different_numbers_take_no_time():
    random = np.random.default_rng(0)
    numbers = [tuple(row) for row in (random.geometric(0.08, (3000, 3)) - 1).tolist()]
    found = propose(histogram(numbers))
    assert 0.95 <= found.coverage.value < 0.96


def test_cases_that_lack_a_class_say_nothing_of_it():
    assert AUDIT.histogram((1,)) == {(1, 1): 2, (2, 1): 1, (3, 0): 1}
    assert AUDIT.coverage(WANTED, (1,)) == Share(2, 4)
    assert AUDIT.coverage(WANTED, (2,)) == Share(3, 3)
    assert AUDIT.coverage(WANTED) == Share(2, 5)  # a, and e for its disc
    ring = ClassPriors({"ring": (1, 1)}, classes=CLASSES)
    assert AUDIT.coverage(ring) == Share(2, 4)  # e has none


def test_breakers_worst_and_rarest_first():
    breakers = AUDIT.breakers(WANTED)
    assert [(each.case, [(b.union, b.numbers, b.error) for b in each.broken]) for each in breakers] == [
        ("c", [((1,), (3, 0), 3)]),
        ("b", [((1, 2), (1, 1), 1)]),
        ("d", [((1,), (2, 1), 1)]),
    ]
    often = Audit(CLASSES, tuple("abcd"), {(1,): {"a": (2, 1), "b": (2, 1), "c": (1, 0), "d": (1, 1)}, (2,): {}})
    assert [each.case for each in often.breakers(WANTED.__class__({1: (1, 1)}, classes=CLASSES))] == ["c", "a", "b"]


@pytest.mark.parametrize(("boundary", "absent"), [("background", (0, 0)), ("foreground", (1, 0))])
def test_priors_of_each_case_speak_of_absent_classes(boundary, absent):
    audit = Audit(
        CLASSES, ("a", "e"), {(1,): {"a": (1, 1)}, (2,): {"a": (1, 0), "e": (1, 0)}, (1, 2): {}}, "T", boundary
    )
    assert audit.numbers_of("e", (1,)) == absent
    assert audit.numbers_of("e", (1, 2)) == (1, 0)  # what is left of the union
    ring, nothing = (ClassPriors({1: numbers}, classes=CLASSES) for numbers in ((1, 1), absent))
    assert audit.coverage({"a": ring, "e": nothing}) == Share(2, 2)
    assert [each.case for each in audit.breakers({"a": nothing, "e": ring})] == ["e", "a"]


def test_a_prior_of_something_that_was_not_counted():
    with pytest.raises(ValueError, match=r"BG was not counted, only ring, disc, ring\+disc"):
        AUDIT.coverage(ClassPriors({"BG": (1, 0)}, classes=CLASSES))


def test_the_proposed_class_priors():
    assert str(AUDIT.proposed(coverage=0.5)) == "ring 1,1; disc 1,0; ring+disc 1,0"
    assert str(AUDIT.proposed(coverage=1.0)) == "ring 1-3,0-1; disc 1,0; ring+disc 1,0-1"
    assert AUDIT.dimensions == 2


@pytest.mark.parametrize("shape", [(5, 7, 8), (3, 4, 5, 6)])
def test_counts_are_those_of_the_masks(shape):
    labels = np.random.default_rng(4).choice(4, shape, p=(0.6, 0.2, 0.15, 0.05)).astype(np.uint8)
    labels[0][labels[0] == 2] = 0
    found = label_topology(labels, unions_of([1, 2, 3], largest=2))
    assert 0 not in found[2,]
    assert 0 not in found[1, 2]
    assert sorted(found[1,]) == list(range(len(labels)))
    for union, cases in found.items():
        for case, by_setting in cases.items():
            mask = np.isin(labels[case], union)[None, None]
            for setting in SETTINGS:
                assert by_setting[setting] == tuple(betti_numbers(mask, **setting._asdict())[0, 0].tolist())


def test_a_table_of_priors_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "priors.csv"
    write_prior_table(path, {("a,b.png", None): BettiPrior(1, (0, 2)), ("c.png", None): BettiPrior(2, None)})
    table = read_prior_table(path)
    assert table.prior("x/a,b.png") == BettiPrior(1, (0, 2))
    assert table.prior("c.png") == BettiPrior(2, None)
    with pytest.raises(FileExistsError):
        write_prior_table(path, {("a.png", None): BettiPrior(1)})
    for rows, got in (({}, "none"), ({("a", None): BettiPrior(1), ("a", 0): BettiPrior(1)}, "both")):
        with pytest.raises(ValueError, match=f"all of slices or all of files, got {got}"):
            write_prior_table(tmp_path / "other.csv", rows)
