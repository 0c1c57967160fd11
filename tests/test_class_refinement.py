"""Refinement towards class priors: success is that of the label map."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import topoprior as tp
from strategies import shapes
from topoprior import BettiPrior, ClassPriors
from topoprior.refinement.free_maps import free_channels, free_classes

HEART = tp.presets.short_axis_heart()


def heart():
    """Labels of a short-axis slice, 16 x 20."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    distance = torch.hypot(y - 8, x - 12.5)
    labels = torch.zeros(1, 16, 20, dtype=torch.long)
    labels[0, torch.hypot((y - 8) / 5, (x - 5) / 3.5) < 1] = 1
    labels[0, distance < 6] = 2
    labels[0, distance < 3.5] = 3
    return labels


def hard(labels, top=0.9):
    """The probability of the label is ``top``, the rest is shared."""
    one_hot = nn.functional.one_hot(labels, 4).movedim(-1, 1).float()
    return one_hot * top + (1 - one_hot) * (1 - top) / 3


def broken():
    """The ring has a gap of background, where it is the second most probable class; a far island is RV."""
    probability = hard(heart())
    probability[0, :, 2:5, 12] = torch.tensor([0.5, 0.0, 0.35, 0.15])[:, None]
    probability[0, :, 1, 1] = torch.tensor([0.4, 0.6, 0.0, 0.0])
    return probability


def test_the_phantom_is_right_and_the_broken_one_is_not():
    assert tp.class_topology(heart(), HEART).success.all()
    assert tp.class_topology(broken(), HEART).holds[0].tolist() == [False, False, True, False, False, True]


def test_a_right_map_comes_back_unchanged():
    result = tp.refine_map(hard(heart()), HEART)
    assert result.stop_reason == "already right"
    assert torch.equal(result.output, hard(heart()))
    assert torch.equal(result.labels, heart())


@pytest.mark.parametrize("construction", ["T", "V"])
def test_a_broken_map(construction):
    result = tp.refine_map(broken(), HEART, construction=construction)
    assert result.succeeded
    assert result.stop_reason == "topology right"
    found = tp.class_topology(result.output, HEART, construction=construction)
    assert found.success.all()
    assert torch.equal(found.betti, result.betti_after)
    before = tp.class_topology(broken(), HEART, construction=construction)
    assert torch.equal(before.betti, result.betti_before)
    assert torch.equal(result.labels, result.output.argmax(1))
    assert torch.equal(result.mask.sum(1), torch.ones(1, 16, 20))
    assert result.pixels_changed == int((result.labels != broken().argmax(1)).sum())
    assert 0 < result.pixels_changed < 10
    torch.testing.assert_close(result.output.sum(1), torch.ones(1, 16, 20))
    still = (result.output == broken()).all(1)
    assert still.float().mean() > 0.5  # most of the map keeps its exact values


class Logits(nn.Module):
    """A network that knows one answer, and one shift per class."""

    def __init__(self, probability):
        super().__init__()
        self.logits = nn.Parameter(probability.clamp(min=0.01).log())

    def forward(self, image):
        return self.logits + 0 * image


def test_a_network():
    network = Logits(broken())
    image = torch.zeros(1, 1, 16, 20)
    result = tp.refine(network, image, HEART, activation="softmax", learning_rate=0.3)
    assert result.succeeded
    assert tp.class_topology(network(image).softmax(1), HEART).success.tolist() == [False]  # itself untouched
    again = result.network(image).softmax(1).detach()
    torch.testing.assert_close(again, result.output)
    assert tp.class_topology(again, HEART).success.all()
    assert result.summary()["betti_after"] == [[1, 0], [1, 1], [1, 0], [1, 1], [2, 0], [1, 0]]


def test_no_majority_is_no_success():
    """At 0.5 no union of A with another sees what the label map shows: class 1 is in two pieces."""
    row = torch.tensor([[[0.2, 0.3, 0.2], [0.4, 0.3, 0.4], [0.4, 0.4, 0.4]]]).double()
    row = row / row.sum(1, keepdim=True)
    row[0, 1, [0, 2]] += 0.01
    row[0, 2, [0, 2]] -= 0.01
    priors = ClassPriors({1: (0,)}, classes=3)
    result = tp.refine_map(row, priors, max_steps=0)
    assert result.betti_before.tolist() == [[[2]]]
    assert not result.succeeded
    assert result.labels.tolist() == [[1, 2, 1]]


def test_right_with_a_margin_is_asked_of_leads():
    """Right at once if the margin is 0; else the run goes on until classes lead by twice the margin."""
    probability = torch.tensor([[[0.1, 0.1, 0.1], [0.9, 0.44, 0.9], [0.0, 0.46, 0.0]]])
    priors = ClassPriors({1: (1,)}, classes=3)
    run = {
        margin: tp.refine_map(probability, priors, margin=margin, weight=1, patience=1, learning_rate=0.05)
        for margin in (0.0, 0.2)
    }
    for margin, result in run.items():
        assert result.succeeded
        lead = (result.output[0, 1] - result.output[0, [0, 2]].amax(0)).min()
        assert lead > 2 * margin
    assert run[0.2].steps > run[0.0].steps


def test_what_is_refused():
    probability = broken()
    for options, message in [
        ({"threshold": 0.4}, "threshold must be left at 0.5 with class priors, got 0.4"),
        ({"include_background": False}, "include_background=False has no use with class priors"),
    ]:
        with pytest.raises(ValueError, match=message):
            tp.refine_map(probability, HEART, **options)
    with pytest.raises(ValueError, match="channels of probability must be a softmax"):
        tp.refine_map(probability * 0.9, HEART)
    with pytest.raises(ValueError, match="one channel for each of the 4 classes"):
        tp.refine_map(probability[:, :2] / probability[:, :2].sum(1, keepdim=True), HEART)
    with pytest.raises(ValueError, match="got 2 for a batch of 1"):
        tp.refine_map(probability, [HEART, HEART])
    contradictory = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (3, 0)}, classes=4)
    with pytest.raises(ValueError, match="no label map has these class priors"):
        tp.refine_map(probability, contradictory)
    with pytest.raises(ValueError, match="channels of the network's output must be a softmax"):
        tp.refine(Logits(probability), torch.zeros(1, 1, 16, 20), HEART, activation="sigmoid")
    with pytest.raises(ValueError, match="only a refinement with class priors has labels"):
        tp.refine_map(hard(heart(), top=0.4), BettiPrior((1, None), None), max_steps=0).labels  # noqa: B018


def test_one_classpriors_in_a_list_is_that_of_the_image():
    assert tp.refine_map(hard(heart()), [HEART]).stop_reason == "already right"


@given(shape=shapes(), classes=st.integers(2, 5), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_classes_move_and_go_on_summing_to_1(shape, classes, seed):
    random = torch.Generator().manual_seed(seed)
    raw = 3 * torch.randn(1, classes, *shape, generator=random, dtype=torch.float64)
    reference = nn.functional.one_hot(raw.argmax(1), classes).movedim(-1, 1).double() if seed % 2 else raw.softmax(1)
    free = free_classes(reference)
    assert torch.equal(free.predict(), reference)
    with torch.no_grad():
        free.offset.add_(20 * torch.randn(raw.shape, generator=random, dtype=torch.float64))
        free.offset[..., 0] = 0
    free.project()
    moved = free.predict()
    assert moved.min() >= 0
    assert moved.max() <= 1
    torch.testing.assert_close(moved.sum(1), torch.ones_like(moved[:, 0]))
    torch.testing.assert_close(moved[..., 0], reference[..., 0])
    free.project()
    torch.testing.assert_close(free.predict(), moved)  # what is allowed stays


def test_two_classes_move_as_one_channel():
    one = torch.tensor([[[0.0, 0.3, 0.8, 1.0, 0.0]]], dtype=torch.float64)
    pair, single = free_classes(torch.cat((1 - one, one), 1)), free_channels(one)
    offset = torch.tensor([[[1.0, -2.0, 20.0, -3.0, -0.5]]], dtype=torch.float64)
    with torch.no_grad():
        pair.offset[:, 1:].add_(offset)
        single.offset.add_(offset)
    for free in (pair, single):
        free.project()
    torch.testing.assert_close(pair.predict()[:, 1:], single.predict())


@pytest.mark.parametrize(("prior", "rate", "steps"), [(tp.BettiPrior(1, 1), 3e-4, 100), (None, 1e-4, 200)])
def test_class_priors_take_smaller_steps_by_default_and_more_of_them(monkeypatch, prior, rate, steps):
    seen = []
    monkeypatch.setattr("topoprior.refinement.network.minimise", lambda _, __, ___, settings: seen.append(settings))
    monkeypatch.setattr("topoprior.refinement.network.replace", lambda result, **_: result)
    network, image = torch.nn.Conv2d(1, 3, 1), torch.zeros(1, 1, 5, 6)
    prior = tp.ClassPriors({1: (1, 1)}, classes=3) if prior is None else prior
    tp.refine(network, image, prior, activation="softmax")
    tp.refine(network, image, prior, activation="softmax", learning_rate=0.5, max_steps=7)
    assert [(one.learning_rate, one.max_steps) for one in seen] == [(rate, steps), (0.5, 7)]
