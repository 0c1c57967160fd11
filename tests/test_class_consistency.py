"""A contradiction is only said where there is one, and those that can be proved are found."""

from itertools import combinations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

import topoprior as tp
from strategies import boundaries, constructions, shapes
from topoprior import ClassPriors
from topoprior.priors.consistency import check_consistent

HEART = ("BG", "RV", "MYO", "LV")


def every_union(classes):
    return [union for size in range(1, classes) for union in combinations(range(classes), size)]


def priors_of(labels, classes, construction, boundary):
    """The exact numbers of all unions of a label map."""
    unions = every_union(classes)
    masks = np.stack([np.isin(labels, union) for union in unions])[None]
    betti = tp.betti_numbers(masks, construction=construction, boundary=boundary)[0].tolist()
    return ClassPriors(dict(zip(unions, betti, strict=True)), classes=classes)


@given(data=st.data(), construction=constructions, boundary=boundaries, classes=st.integers(2, 4))
@settings(deadline=None, max_examples=60)
def test_what_an_image_has_is_never_called_a_contradiction(data, construction, boundary, classes):
    labels = data.draw(arrays(np.int64, data.draw(shapes()), elements=st.integers(0, classes - 1)))
    priors = priors_of(labels, classes, construction, boundary)
    report = priors.check(construction=construction, boundary=boundary)
    assert report.contradictions == ()
    assert report.missing == ()


@given(data=st.data(), construction=constructions, classes=st.integers(2, 3))
@settings(deadline=None, max_examples=60)
def test_ranges_around_what_an_image_has_are_no_contradiction(data, construction, classes):
    labels = data.draw(arrays(np.int64, data.draw(shapes((2,))), elements=st.integers(0, classes - 1)))
    exact = priors_of(labels, classes, construction, "background")
    ranges = {}
    for union, prior in zip(exact.unions, exact.priors, strict=True):
        if data.draw(st.booleans()):
            below, above = data.draw(st.integers(0, 1)), data.draw(st.sampled_from([0, 1, None]))
            first = (max(0, prior.lower[0] - below), None if above is None else prior.upper[0] + above)
            ranges[union] = (first, (0, prior.upper[1] + 1))
    if ranges:
        assert ClassPriors(ranges, classes=classes).check(construction=construction).contradictions == ()


CONTRADICTIONS = {
    "alone": ({1: (0, 1)}, "no component but a loop"),
    "empty": ({1: (0, 0), 2: (1, 0), (1, 2): (2, 0)}, "1\\+2 wants 2,0, but is 2, since 1 has no component"),
    "nothing": ({(1, 2): (0, 0), 1: (1, 0)}, "1 wants 1,0, but is nothing, since 1\\+2 has no component"),
    "whole": ({1: (0, 0), 0: (0, 0), 2: (0, 0), 3: (2, 0)}, "3 wants 2,0, but is the whole image"),
    "too many": ({1: (1, 0), 2: (1, 0), (1, 2): (3, 0)}, "at least 3 components, but 1 and 2 together have at most 2"),
    "too many of three": (
        {1: (1, 0), 2: (1, 0), 3: (1, 0), (1, 2, 3): (4, 0)},
        "1 and 2 and 3 together have at most 3",
    ),
    "apart": ({1: (1, 1), 2: (1, 0), (1, 2): (2, 0)}, "these do not touch, and their Betti numbers b1 must add up"),
    "euler": (
        {1: (1, 0), 2: (1, 1), 3: (1, 0), (1, 2): (1, 1), (1, 3): (2, 0), (2, 3): (1, 0), (1, 2, 3): (1, 1)},
        "by which all three meet in at most -1 points",
    ),
}


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions(case, construction):
    wanted, message = CONTRADICTIONS[case]
    priors = ClassPriors(wanted, classes=4)
    with pytest.raises(ValueError, match=f"no label map has these class priors: .*{message}"):
        check_consistent(priors, construction=construction, boundary="background")
    with pytest.raises(ValueError, match=message):
        check_consistent(
            [ClassPriors({1: (1, 0)}, classes=4), priors], construction=construction, boundary="background"
        )


@pytest.mark.parametrize("union", [(1, 2, 3), (1, 2), (3,)])
def test_a_range_with_one_number_that_fits_is_no_contradiction(union):
    wanted = dict(CONTRADICTIONS["euler"][0])
    wanted[union] = {(1, 2, 3): (1, (0, 1)), (1, 2): (1, (1, 2)), (3,): ((1, 2), 0)}[union]
    wanted[(1, 3)] = ((2, 3), 0)
    wanted[3] = wanted.pop((3,), wanted[3])
    assert ClassPriors(wanted, classes=4).check().contradictions == ()


TWO_HOLES_IN_ONE = torch.tensor([[[1, 1, 1, 0], [1, 2, 1, 1], [1, 1, 2, 1], [0, 1, 1, 1]]])


def test_two_holes_filled_by_one_component_are_a_contradiction_in_v_alone():
    priors = ClassPriors({1: (1, 2), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
    assert tp.class_topology(TWO_HOLES_IN_ONE, priors).success.all()  # so in T it is none
    assert priors.check(construction="T").contradictions == ()
    (found,) = priors.check(construction="V").contradictions
    assert found == "1 has at least 2 holes, 1+2 at most 0, but 2 has at most 1 components to fill the others with"


def test_more_holes_than_the_rest_has_components_are_a_contradiction_in_v_alone():
    labels = (TWO_HOLES_IN_ONE == 1).long()
    priors = ClassPriors({0: (3, 0), 1: (1, 2)}, classes=2)
    assert tp.class_topology(labels, priors).success.all()
    fewer = ClassPriors({0: (1, 0), 1: (1, 2)}, classes=2)
    assert fewer.check(construction="T").contradictions == ()
    assert "the whole image at most 0, but 0 has at most 1 components" in str(fewer.check(construction="V"))


def test_with_the_outside_as_foreground_it_is_a_component_of_all():
    wanted = {1: (2, 0), 2: (2, 0), (1, 2): (4, 0)}
    priors = ClassPriors(wanted, classes=3)
    assert priors.check(boundary="background").contradictions == ()
    assert "together have at most 3" in str(priors.check(boundary="foreground"))
    absent = ClassPriors({1: (0, 0)}, classes=3)
    assert "the outside is a component" in str(absent.check(boundary="foreground"))
    assert ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (1, 1)}, classes=3).check(boundary="foreground").follows == ()


def test_what_follows_from_the_heart():
    report = tp.presets.short_axis_heart().check()
    assert report.follows == (
        "RV and MYO touch",
        "RV and LV do not touch",
        "MYO and LV touch",
        "LV fills every loop of MYO",
    )
    assert report.missing == report.contradictions == ()


def test_missing_unions():
    priors = ClassPriors({"RV": (1, 0), ("LV", "MYO"): (1, 0)}, classes=HEART)
    assert priors.check().missing == ("MYO", "LV", "RV+MYO", "RV+LV")
    assert ClassPriors({"RV": (1, 0, 0)}, classes=HEART).check().missing[-1] == "RV+MYO+LV"
    assert ClassPriors({"RV": (0, 0), "MYO": (1, 1)}, classes=HEART).check().missing == ("LV", "MYO+LV")


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="construction must be one of"):
        tp.presets.short_axis_heart().check(construction="X")
