"""Priors that cannot be reached are refused, and no other."""

import pytest

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.feasibility import check_feasible


@pytest.mark.parametrize("prior", ["0,0", "0,*", "1,0", "1,7", "*,3", "0-1,2", "0-,0", "1,*"])
def test_reachable_priors_pass(prior):
    check_feasible(BettiPrior.parse(prior), 2)


@pytest.mark.parametrize(("prior", "missing"), [("0,1", "a loop"), ("0,1-2,*", "a loop"), ("0,0,1", "a cavity")])
def test_a_loop_needs_a_component(prior, missing):
    parsed = BettiPrior.parse(prior)
    with pytest.raises(ValueError, match=f"no image has no component but {missing}: the prior .* cannot be reached"):
        check_feasible(parsed, parsed.dimensions)


def test_a_prior_asks_for_something():
    with pytest.raises(ValueError, match=r"a prior must ask for something, got only don't care: \*,\*"):
        check_feasible(BettiPrior.parse("*,0-"), 2)


def test_the_outside_is_a_component():
    with pytest.raises(ValueError, match="the outside is a component: the prior 0,0 cannot be reached"):
        check_feasible(BettiPrior(0, 0), 2, boundary="foreground")
    check_feasible(BettiPrior(1, 1), 2, boundary="foreground")


@pytest.mark.parametrize(("prior", "axes"), [("1", 2), ("1,1", 3), ("1,0,0", 2)])
def test_the_dimensions_must_match(prior, axes):
    with pytest.raises(ValueError, match=f"an image with {axes} axes has {axes} Betti numbers, .* got .: {prior}"):
        check_feasible(BettiPrior.parse(prior), axes)


def test_one_component_or_more_asks_for_nothing_where_the_outside_is_one():
    check_feasible(BettiPrior((1, None), None), 2)
    check_feasible(BettiPrior((2, None), None), 2, boundary="foreground")
    check_feasible(BettiPrior((1, None), 1), 2, boundary="foreground")
    with pytest.raises(ValueError, match=r"the outside is a component: the prior 1-,\* asks for nothing"):
        check_feasible(BettiPrior((1, None), None), 2, boundary="foreground")
