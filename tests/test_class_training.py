"""Training with class priors: what objectives, cases and a short run do with them."""

import pytest
import torch

import topoprior as tp
from topoprior import BettiPrior, ClassPriors
from topoprior.training import (
    Cases,
    NetworkSettings,
    PriorSettings,
    SupervisedSettings,
    TrainingSettings,
    fit,
)
from topoprior.training.checks import check_cases
from topoprior.training.objectives import scores, topological_loss

NESTED = ClassPriors({1: (1, 1), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
SETTINGS = TrainingSettings(
    method="prior",
    network=NetworkSettings(channels=(4, 8), residual_units=0),
    supervised=SupervisedSettings(steps=2, batch_size=2, validate_every=2),
    prior=PriorSettings(steps=2, batch_size=2, unlabelled_batch_size=2, validate_every=2),
)


def targets(count, priors=NESTED):
    """A ring of class 1 around class 2, in noise."""
    labels = torch.zeros(count, 12, 14, dtype=torch.uint8)
    labels[:, 2:10, 3:12] = 1
    labels[:, 4:8, 5:10] = 2
    images = labels[:, None] + 0.3 * torch.randn(count, 1, 12, 14, generator=torch.Generator().manual_seed(count))
    return Cases(images, labels, tuple(map(str, range(count))), (priors,) * count)


def test_the_topological_loss_is_that_of_the_softmax():
    logits = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    each = [NESTED, NESTED.without(2)]
    settings = PriorSettings(construction="V", boundary="background", power=1, max_bars=4)
    expected = tp.class_prior_loss(logits.softmax(1), each, construction="V", power=1, max_bars=4)
    assert torch.equal(topological_loss(logits, each, settings, 1), expected)


def test_one_class_is_background_and_foreground():
    logits = torch.randn(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    priors = ClassPriors({0: (2, 0), 1: (1, 1)}, classes=2)
    both = torch.cat((1 - logits.sigmoid(), logits.sigmoid()), 1)
    expected = tp.betti_prior_loss(both, [[BettiPrior(2, 0), BettiPrior(1, 1)]], reduction="sum") / 2
    torch.testing.assert_close(topological_loss(logits, [priors] * 2, PriorSettings(), 1), expected)


def test_scores_count_images_whose_priors_all_hold():
    cases = targets(3)
    labels = cases.labels.clone()
    labels[1, 5, 5] = 0  # a pixel between the classes: the union has a hole
    logits = 9 * torch.nn.functional.one_hot(labels.long(), 3).movedim(-1, 1).float()
    _, right, loss = scores(logits, labels, list(cases.priors), PriorSettings()).tolist()
    assert right == 2
    assert loss == pytest.approx(1, abs=0.01)
    assert scores(logits, labels, [NESTED, ClassPriors({(1, 2): (1, 1)}, classes=3), NESTED], PriorSettings())[1] == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made
def test_a_run(recwarn):
    result = fit(SETTINGS, labelled=targets(4), validation=targets(3), unlabelled=targets(5))
    topology = [entry["train/topology"] for entry in result.history if "train/topology" in entry]
    assert topology
    assert all(value > 0 for value in topology)


def test_cases_with_class_priors():
    cases = targets(3)
    cases.check_priors(2, "background")
    assert cases.select([2, 0]).priors == (NESTED, NESTED)
    with pytest.raises(ValueError, match="one channel for each of the 3 classes 0, 1, 2, got 2 channels"):
        cases.check_priors(1, "background")
    other = ClassPriors({1: (1, 1)}, classes=("BG", "A", "B"))
    for priors in [(NESTED, other), (NESTED, (BettiPrior(1, 1),))]:
        with pytest.raises(ValueError, match="ClassPriors of the same classes for all"):
            Cases(cases.images[:2], None, ("a", "b"), priors)


def test_contradictory_class_priors_are_refused_before_training():
    two = ClassPriors({1: (1, 2), 2: (1, 0), (1, 2): (1, 0)}, classes=3)  # in V alone
    for construction in ("T", "V"):
        settings = TrainingSettings(method="prior", prior=PriorSettings(construction=construction))
        arguments = (settings, ("supervised", "prior"), targets(2), targets(2, two), targets(2))
        if construction == "T":
            assert check_cases(*arguments) == 2
        else:
            with pytest.raises(ValueError, match="validation cases: no label map has these class priors"):
                check_cases(*arguments)
