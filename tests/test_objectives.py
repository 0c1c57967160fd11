"""What training minimises, against MONAI and by hand."""

import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss

import topoprior as tp
from topoprior.training import PriorSettings
from topoprior.training.objectives import (
    foreground,
    labelled_loss,
    one_hot,
    predicted_classes,
    scores,
    topological_loss,
)


@pytest.fixture
def logits():
    return torch.randn(3, 1, 7, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def many():
    return torch.randn(3, 4, 7, 5, generator=torch.Generator().manual_seed(1))


def test_one_class_is_as_monai_and_torch_have_it(logits):
    labels = (torch.rand(3, 7, 5, generator=torch.Generator().manual_seed(2)) > 0.4).to(torch.uint8)
    targets = one_hot(labels, 1)
    theirs = DiceLoss(sigmoid=True)(logits, targets)
    assert labelled_loss(logits, targets, "dice").item() == pytest.approx(theirs.item(), abs=1e-5)
    entropy = F.binary_cross_entropy_with_logits(logits, targets)
    assert labelled_loss(logits, targets, "ce").item() == pytest.approx(entropy.item(), abs=1e-6)
    both = labelled_loss(logits, targets, "dice+ce")
    assert both.item() == pytest.approx((theirs + entropy).item(), abs=1e-5)


def test_many_classes_are_as_monai_and_torch_have_them(many):
    labels = torch.randint(0, 4, (3, 7, 5), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    targets = one_hot(labels, 4)
    theirs = DiceLoss(softmax=True, include_background=False)(many, targets)
    assert labelled_loss(many, targets, "dice").item() == pytest.approx(theirs.item(), abs=1e-5)
    entropy = F.cross_entropy(many, labels.long())
    assert labelled_loss(many, targets, "ce").item() == pytest.approx(entropy.item(), abs=1e-6)


@pytest.mark.parametrize("objective", ["dice", "ce", "dice+ce"])
def test_pixels_of_weight_0_change_nothing(logits, objective):
    targets = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(4)) > 0.5).float()
    weights = torch.ones_like(targets)
    weights[:, :, :3] = 0
    other = torch.where(weights > 0, targets, 1 - targets)
    one = labelled_loss(logits, targets, objective, weights=weights)
    assert one.item() == labelled_loss(logits, other, objective, weights=weights).item()
    assert one.item() != labelled_loss(logits, targets, objective).item()


@pytest.mark.parametrize("objective", ["dice", "ce", "dice+ce"])
def test_the_loss_of_a_batch_is_the_mean_over_its_images(logits, objective):
    targets = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(5)) > 0.5).float()
    weights = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(6)) > 0.3).float()
    alone = [
        labelled_loss(logits[k : k + 1], targets[k : k + 1], objective, weights=weights[k : k + 1]) for k in range(3)
    ]
    assert labelled_loss(logits, targets, objective, weights=weights).item() == pytest.approx(
        torch.stack(alone).mean().item(), abs=1e-6
    )


def test_a_class_that_image_and_prediction_lack_costs_nothing():
    nothing = torch.zeros(1, 1, 4, 4)
    assert labelled_loss(nothing - 40, nothing, "dice").item() == pytest.approx(0, abs=1e-6)


def test_background_is_no_class(many):
    assert foreground(many).shape == (3, 3, 7, 5)
    assert torch.equal(predicted_classes(many), many.argmax(1).to(torch.uint8))
    one = many[:, :1]
    assert torch.equal(predicted_classes(one)[:, None] == 1, torch.sigmoid(one) >= 0.5)


def test_the_topological_loss_is_that_of_the_foreground(many):
    ring, anything, ball = tp.BettiPrior(1, 1), tp.BettiPrior(None, None), tp.BettiPrior(1, 0)
    priors = [(ring, anything, ball)] * 3
    expected = tp.betti_prior_loss(torch.softmax(many, 1)[:, 1:], priors, construction="V", power=1)
    settings = PriorSettings(construction="V", power=1)
    assert topological_loss(many, priors, settings, None).item() == expected.item()


def test_the_topological_loss_leaves_out_what_the_settings_say():
    probability = torch.full((1, 1, 8, 14), 0.05)
    probability[..., 1:3, 1:4] = 0.9
    probability[..., 2, 3] = 0.7
    probability[..., 2, 5] = 0.4  # one component too many, with a bar of 0.35
    probability[..., 5, 12] = 0.25  # one far away, with a bar of 0.2
    logits, priors = torch.logit(probability), [(tp.BettiPrior(1, 0),)]
    everything = topological_loss(logits, priors, PriorSettings(), None).item()
    for options in (
        {"downsample": 2},
        {"downsample": 2, "pooling": "average"},
        {"region": 0.3},
        {"min_persistence": 0.3},
    ):
        found = topological_loss(logits, priors, PriorSettings(**options), None).item()
        assert found == tp.betti_prior_loss(torch.sigmoid(logits), priors, economy=tp.Economy(**options)).item()
        assert abs(found - everything) > 0.01


def test_scores_add_up_over_images():
    ring = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    broken = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 0, 1]])
    logits = torch.stack([ring, broken])[:, None] * 20.0 - 10
    labels = torch.stack([ring, ring]).to(torch.uint8)
    priors = [(tp.BettiPrior(1, 1),)] * 2
    overlap, right, loss = scores(logits, labels, priors, PriorSettings()).tolist()
    assert overlap == pytest.approx(1 + 14 / 15)
    assert right == 1
    assert loss == pytest.approx(1, abs=1e-3)  # one missing loop
    assert scores(logits, labels, None, PriorSettings()).tolist() == [pytest.approx(1 + 14 / 15), 0, 0]
