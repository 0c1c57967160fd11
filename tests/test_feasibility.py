"""Priors that cannot be reached are refused, and no other."""

import pytest
import torch
from torch.nn import Conv2d

import topoprior as tp
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
    with pytest.raises(ValueError, match=r"the outside is a component of its own, so the prior 1-,\* asks for nothing"):
        check_feasible(BettiPrior((1, None), None), 2, boundary="foreground")


@pytest.mark.parametrize("prior", ["1-,*", "0-,*", "*,0-"])
@pytest.mark.parametrize("options", [{"boundary": "foreground"}, {"essential": "drop"}])
def test_no_loss_is_silently_zero(prior, options):
    """None of these can be violated: every map would have loss and gradient 0."""
    wanted, images = BettiPrior.parse(prior), torch.rand(2, 1, 5, 6)
    for given in (wanted, [wanted, wanted], [[wanted], [wanted]]):
        with pytest.raises(ValueError, match=r"asks for nothing|must ask for something"):
            tp.betti_prior_loss(images, given, **options)
        with pytest.raises(ValueError, match=r"asks for nothing|must ask for something"):
            tp.BettiPriorLoss(given, **options)(images)
    for refine in (tp.refine_map, lambda image, prior, **options: tp.refine(Conv2d(1, 1, 1), image, prior, **options)):
        with pytest.raises(ValueError, match=r"asks for nothing|must ask for something"):
            refine(images[:1], wanted, **options, **({} if refine is tp.refine_map else {"activation": "sigmoid"}))


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"boundary": "foreground"}, "boundary='foreground' the outside is a component of its own"),
        ({"essential": "drop"}, "essential='drop' the first component is left out"),
    ],
)
def test_the_message_says_why_and_what_to_do(options, hint):
    with pytest.raises(ValueError, match=f"{hint}, so the prior 1-,\\* asks for nothing: ask for 2 or more"):
        tp.betti_prior_loss(torch.rand(1, 1, 5, 6), BettiPrior((1, None), None), **options)


@pytest.mark.parametrize("prior", ["2-,*", "1,*", "1-,0", "0,*", "1-,1-"])
@pytest.mark.parametrize("options", [{"boundary": "foreground"}, {"essential": "drop"}])
def test_what_asks_for_something_has_a_loss(prior, options):
    image = torch.rand(1, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    assert tp.betti_prior_loss(image, BettiPrior.parse(prior), **options) > 0


def test_one_prior_of_several_may_ask_for_nothing():
    """As with don't care, which holds the place of a channel that nothing is known of."""
    priors = [[BettiPrior((1, None), None), BettiPrior(1, 1)]]
    assert tp.betti_prior_loss(torch.rand(1, 2, 5, 6), priors, boundary="foreground") > 0


@pytest.mark.parametrize(
    ("prior", "options", "message"),
    [
        (BettiPrior(0, 1), {}, "no image has no component but a loop: the prior 0,1 cannot be reached"),
        ([[BettiPrior(0, 1)]], {}, "no image has no component but a loop: the prior 0,1 cannot be reached"),
        (BettiPrior(0, 0), {"boundary": "foreground"}, "the outside is a component: the prior 0,0 cannot be reached"),
    ],
)
def test_refinement_does_not_run_after_what_cannot_be(prior, options, message):
    image, steps = torch.rand(1, 1, 5, 6), []
    with pytest.raises(ValueError, match=message):
        tp.refine_map(image, prior, callback=lambda *state: steps.append(state), **options)
    with pytest.raises(ValueError, match=message):
        tp.refine(Conv2d(1, 1, 1), image, prior, activation="sigmoid", **options)
    assert steps == []
    assert tp.betti_prior_loss(image, prior, **options) > 0  # as a loss it still pushes
