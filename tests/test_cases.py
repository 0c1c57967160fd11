"""Cases: images, labels, names and priors that belong together."""

import pytest
import torch

from topoprior import BettiPrior
from topoprior.training import Cases

RING = BettiPrior(1, 1)


def cases(**changes):
    parts = {
        "images": torch.zeros(3, 2, 4, 5),
        "labels": torch.zeros(3, 4, 5, dtype=torch.uint8),
        "names": ("a", "b", "c"),
        "priors": ((RING,),) * 3,
        "spacing": (1.5, 2.0),
    }
    return Cases(**{**parts, **changes})


def test_a_selection_keeps_what_belongs_together():
    every = cases(
        images=torch.arange(3.0)[:, None, None, None].expand(3, 2, 4, 5),
        labels=torch.arange(3, dtype=torch.uint8)[:, None, None].expand(3, 4, 5),
        priors=((RING,), (BettiPrior(2, 0),), (BettiPrior(3, 0),)),
    )
    some = every.select([2, 1])
    assert some.images[:, 0, 0, 0].tolist() == [2, 1]
    assert some.labels[:, 0, 0].tolist() == [2, 1]
    assert some.names == ("c", "b")
    assert some.priors == ((BettiPrior(3, 0),), (BettiPrior(2, 0),))
    assert some.spacing == (1.5, 2.0)
    bare = cases(labels=None, priors=None).select(torch.tensor([0]))
    assert (bare.labels, bare.priors, len(bare)) == (None, None, 1)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"images": torch.zeros(3, 2, 4, 5).double()}, TypeError, "images must be float32, got torch.float64"),
        ({"images": torch.zeros(3, 4, 5)}, ValueError, r"images must have shape .* got \(3, 4, 5\)"),
        ({"images": torch.zeros(0, 1, 4, 5)}, ValueError, r"at least one pixel, got \(0, 1, 4, 5\)"),
        ({"images": torch.full((3, 2, 4, 5), torch.nan)}, ValueError, "images must be finite"),
        ({"labels": torch.zeros(3, 4, 5)}, TypeError, "labels must be uint8, got torch.float32"),
        ({"labels": torch.zeros(3, 5, 4, dtype=torch.uint8)}, ValueError, r"\(3, 4, 5\), got \(3, 5, 4\)"),
        ({"names": ("a",)}, ValueError, "names must be as many as the 3 images, got 1"),
        ({"priors": ((RING,),)}, ValueError, "priors must be as many as the 3 images, got 1"),
        ({"priors": ((RING,), (RING, RING), (RING,))}, ValueError, "one per class for every case"),
        ({"spacing": (1.0,)}, ValueError, r"one positive number per spatial axis, got \(1.0,\)"),
        ({"spacing": (1.0, 0.0)}, ValueError, r"one positive number per spatial axis, got \(1.0, 0.0\)"),
        ({"spacing": (float("nan"), 1.0)}, ValueError, r"one positive number per spatial axis, got \(nan, 1.0\)"),
        ({"spacing": (1.0, float("inf"))}, ValueError, r"one positive number per spatial axis, got \(1.0, inf\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, kind, message):
    with pytest.raises(kind, match=message):
        cases(**change)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        (None, "have no priors"),
        (((RING, RING),) * 3, "a: it must have a prior for each of 1 classes, got 2"),
        (((RING,), (BettiPrior(None, None),), (RING,)), "b: its priors allow any topology"),
        (((BettiPrior(0, 1),),) * 3, "cannot be reached"),
        (((BettiPrior(1, 1, 0),),) * 3, "2 Betti numbers"),
    ],
)
def test_priors_that_teach_nothing_are_refused(priors, message):
    with pytest.raises(ValueError, match=message):
        cases(priors=priors).check_priors(1, "background")


def test_a_class_may_be_free_if_another_is_not():
    cases(priors=((RING, BettiPrior(None, None)),) * 3).check_priors(2, "background")
