"""The push of `refine` and `refine_map` with class priors, on features of which the maps show no trace.

All probabilities are exactly 0 or 1: the paper's loss has nothing to act on.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import topoprior as tp
from strategies import boundaries, constructions
from topoprior import ClassPriors
from topoprior.refinement.class_push import NearestLabels
from topoprior.refinement.push import NearestEdit

HEART = tp.presets.short_axis_heart()
BG, RV, MYO, LV = range(4)


def heart():
    """Labels of a short-axis slice, 16 x 20."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    distance = torch.hypot(y - 8, x - 12.5)
    labels = torch.zeros(1, 16, 20, dtype=torch.long)
    labels[0, torch.hypot((y - 8) / 5, (x - 5) / 3.5) < 1] = RV
    labels[0, distance < 6] = MYO
    labels[0, distance < 3.5] = LV
    return labels


def gap(filling):
    """Two columns of the myocardium, above the cavity, are of another class."""
    labels = heart()
    wall = labels[:, :8, 12:14]
    wall[wall == MYO] = filling
    return labels


def without(label, filling):
    labels = heart()
    labels[labels == label] = filling
    return labels


def in_boxes(shape, *boxes):
    """A box for each class from 1 on, given as a pair of corners."""
    labels = torch.zeros(1, *shape, dtype=torch.long)
    for k, (low, high) in enumerate(boxes, start=1):
        labels[(0, *(slice(a, b) for a, b in zip(low, high, strict=True)))] = k
    return labels


def ball(of_cavity=2):
    """A shell around a cavity, in 3-D."""
    z, y, x = torch.meshgrid(torch.arange(9.0), torch.arange(10.0), torch.arange(11.0), indexing="ij")
    distance = torch.sqrt((z - 4) ** 2 + (y - 4.5) ** 2 + (x - 5) ** 2)
    labels = (distance < 4.6).long()
    labels[distance < 2.6] = of_cavity
    return labels[None]


def hard(labels, priors):
    return nn.functional.one_hot(labels, len(priors.classes)).movedim(-1, 1).float()


RING = ClassPriors({1: (1, 1), 2: (1, 0), (1, 2): (1, 1)}, classes=3)
JOINED = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
SHELL = ClassPriors({1: (1, 0, 1), 2: (1, 0, 0), (1, 2): (1, 0, 0)}, classes=3)
GROUND = ClassPriors({0: (2, 1), 1: (1, 1)}, classes=3)

APART = in_boxes((14, 30), ((3, 2), (11, 9)), ((3, 20), (11, 28)))
DISC = in_boxes((16, 20), ((2, 2), (14, 14)), ((4, 14), (8, 18)))
BLOCK = in_boxes((13, 14), ((2, 2), (11, 12)))

STUCK = {
    "a gap where the cavity leaks": (gap(LV), HEART, 2),
    "a gap where the right ventricle is": (gap(RV), HEART, 4),
    "a cavity that is all wall": (without(LV, MYO), HEART, 1),
    "a ventricle that is all background": (without(RV, BG), HEART, 1),
    "a ventricle that is all wall": (without(RV, MYO), HEART, 2),
    "a hole to open": (DISC, RING, 1),
    "a hole to open for the background, which has a prior": (BLOCK, GROUND, 1),
    "a shell without a cavity": (ball(1), SHELL, 1),
}
# Here some class or union leaves a trace. The loss alone gets there after 74, 431 and 240 steps.
SLOW = {
    "a gap of background in the ring": (gap(BG), HEART, 2),
    "a ring without its inside": (without(LV, BG), HEART, 10),
    "a shell around background": (ball(0), SHELL, 57),
}


@pytest.mark.parametrize("case", STUCK)
def test_the_push_does_what_the_loss_alone_cannot(case):
    """Nor does it in 500 steps; these take too long for a test."""
    labels, priors, pixels = STUCK[case]
    stuck = tp.refine_map(hard(labels, priors), priors, max_steps=40)
    assert (stuck.succeeded, stuck.stop_reason, stuck.best_step) == (False, "no more steps", 0)
    assert stuck.pixels_changed == 0
    check_pushed(labels, priors, pixels)


@pytest.mark.parametrize("case", SLOW)
def test_the_push_is_faster_where_there_is_a_trace(case):
    labels, priors, pixels = SLOW[case]
    assert not tp.refine_map(hard(labels, priors), priors, max_steps=40).succeeded
    check_pushed(labels, priors, pixels)


def check_pushed(labels, priors, pixels):
    result = tp.refine_map(hard(labels, priors), priors, max_steps=40, push=1)
    assert (result.succeeded, result.stop_reason) == (True, "topology right")
    assert tp.class_topology(result.output, priors).success.all()
    assert result.pixels_changed == pixels  # what was there is still there
    torch.testing.assert_close(result.output.sum(1), torch.ones_like(result.output[:, 0]))


def test_two_pieces_of_a_union_are_joined_at_once():
    """Here the loss alone has a slope: it raises one pixel after the other, and others with it."""
    alone, pushed = (tp.refine_map(hard(APART, JOINED), JOINED, max_steps=12, push=push) for push in (0, 1))
    assert (alone.succeeded, alone.betti_after[0, -1].tolist()) == (False, [2, 0])
    assert pushed.succeeded
    assert pushed.pixels_changed == 11


class Painter(nn.Module):
    """A tiny network: it scales what it is given, and shifts the logits of blocks of two by two pixels."""

    def __init__(self, probability):
        super().__init__()
        _, channels, *sides = probability.shape
        self.code = nn.Parameter(torch.zeros(1, channels, *(side // 2 for side in sides)))

    def forward(self, image):
        return 16 * image + nn.functional.interpolate(self.code, scale_factor=2, mode="nearest")


@pytest.mark.parametrize(
    "case", ["a gap where the cavity leaks", "a gap where the right ventricle is", "a cavity that is all wall"]
)
def test_a_network_is_pushed_too(case):
    labels, priors, _ = STUCK[case]
    image = hard(labels, priors)
    options = {"activation": "softmax", "learning_rate": 0.3, "max_steps": 60}
    stuck = tp.refine(Painter(image), image, priors, **options)
    assert (stuck.succeeded, stuck.pixels_changed) == (False, 0)
    result = tp.refine(Painter(image), image, priors, push=1, **options)
    assert result.stop_reason == "topology right"
    assert 0 < result.pixels_changed <= 4


def pushed(nearest, probability):
    """The push and its slope."""
    probability = probability.clone().requires_grad_()
    push = nearest.push(probability)
    return push, torch.autograd.grad(push.distance, probability)[0]


def row_of(gap):
    """A, A, this gap, B, B, in 1-D; the gap is a list of probabilities of background, A and B."""
    return torch.tensor([[0.0, 1, 0], [0, 1, 0], *gap, [0, 0, 1], [0, 0, 1]]).T[None]


def test_classes_of_the_same_unions_are_pushed_through_their_sum():
    """Where only the union of A and B has a prior, it does not matter which of both fills its gap."""
    union, each = ClassPriors({(1, 2): (1,)}, classes=3), ClassPriors({1: (1,), 2: (1,), (1, 2): (1,)}, classes=3)
    row = row_of([[0.6, 0.1, 0.3]])
    push, slope = pushed(NearestLabels(union, "T", "background"), row)
    assert slope[0, :, 2].tolist() == [0, -1, -1]
    # B has 3/4 of the sum, so it ties with the background where the sum is 4/7.
    assert push.distance.item() == pytest.approx(4 / 7 - 0.4)
    push, slope = pushed(NearestLabels(each, "T", "background"), row)
    assert slope[0, :, 2].tolist() == [0, 0, -1]
    # Background has 6/7 of the rest, so it ties with B where B is 6/13.
    assert push.distance.item() == pytest.approx(6 / 13 - 0.3)
    push, slope = pushed(NearestLabels(union, "T", "background"), row_of([[1.0, 0.0, 0.0]]))
    assert slope[0, :, 2].tolist() == [0, -1, -1]
    assert push.distance.item() == pytest.approx(2 / 3)  # of a sum of 0 both have a half


def test_a_pixel_of_another_class_of_the_same_unions_needs_no_push():
    """The edit gives the gap to A. One pixel of it becomes B instead, which does as well."""
    nearest = NearestLabels(ClassPriors({(1, 2): (1,)}, classes=3), "T", "background")
    background, b = [0.55, 0.45, 0.0], [0.2, 0.3, 0.5]
    pixels = nearest.push(row_of([background] * 3)).pixels
    assert pixels.tolist() == [[False, False, True, True, True, False, False]]
    pixels = nearest.push(row_of([background, b, background])).pixels
    assert pixels.tolist() == [[False, False, True, False, True, False, False]]


def test_an_edit_is_kept_while_it_would_do_and_no_longer():
    nearest = NearestLabels(ClassPriors({1: (1,)}, classes=2), "T", "background")

    def pixels(*values):
        row = torch.tensor([[values]])
        return nearest.push(torch.cat([1 - row, row], 1)).pixels.flatten().nonzero().flatten().tolist()

    assert pixels(0.9, 0.0, 0.7, 0.0, 0.0) == [2]
    assert pixels(0.7, 0.0, 0.9, 0.0, 0.0) == [2]  # the first costs less by now, but what is begun goes on
    assert pixels(0.9, 0.0, 0.7, 0.0, 0.6) == [2, 4]  # to lower the third alone would leave two


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**31), st.sampled_from([(1, 0), (1, 1), (2, 0)]), constructions, boundaries)
def test_with_two_classes_it_is_the_push_of_one_channel(seed, numbers, construction, boundary):
    probability = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    both = torch.cat([1 - probability, probability], 1).requires_grad_()
    alone = probability.clone().requires_grad_()
    prior = tp.BettiPrior(*numbers)
    classes = ClassPriors({1: prior}, classes=2)
    if prior.is_satisfied_by(tp.betti_numbers(probability >= 0.5, construction=construction, boundary=boundary)).all():
        return
    push = NearestLabels(classes, construction, boundary).push(both)
    # The edits of one class and of two are searched for in different ways: the distance is that of the pixels.
    beyond = (alone - 0.5).abs()[:, 0][push.pixels].sum()
    torch.testing.assert_close(push.distance, beyond)
    slope = torch.autograd.grad(push.distance, both)[0]
    raised = push.pixels & (probability[:, 0] < 0.5)
    assert (slope[:, 1] == -raised.double()).all()
    assert (slope[:, 0] == -(push.pixels & ~raised).double()).all()


def test_one_gap_costs_a_class_what_it_costs_a_channel():
    row = torch.tensor([[[1.0, 0.4, 0.3, 0.45, 1.0]]])
    alone = NearestEdit(tp.BettiPrior(1), "T", "background", 0.5).distance(row)
    nearest = NearestLabels(ClassPriors({1: (1,)}, classes=2), "T", "background")
    assert nearest.push(torch.cat([1 - row, row], 1)).distance.item() == pytest.approx(alone.item())


def test_the_history_counts_the_push_as_topology():
    labels, priors, _ = STUCK["a gap where the cavity leaks"]
    image = hard(labels, priors)
    result = tp.refine_map(image, priors, push=3, max_steps=40)
    plain = tp.class_prior_loss(image, priors).item()
    # Two pixels; the wall has nothing of them, and the cavity all of the rest: half a unit each.
    assert result.history["topology"][0] == pytest.approx(plain + 3 * 2 * 0.5)
    at_the_end = tp.class_prior_loss(result.output, priors).item()
    assert result.history["topology"][result.best_step] == pytest.approx(at_the_end)


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**31), constructions)
def test_random_label_maps_end_with_the_heart(seed, construction):
    noise = torch.randn(1, 4, 12, 14, generator=torch.Generator().manual_seed(seed))
    labels = (heart()[:, 2:14, 3:17], nn.functional.avg_pool2d(4 * noise, 3, 1, 1).argmax(1))
    image = hard(torch.where(noise[:, 0] > 1, labels[1], labels[0]), HEART)
    result = tp.refine_map(image, HEART, push=1, construction=construction, max_steps=300)
    assert result.succeeded
    assert tp.class_topology(result.output, HEART, construction=construction).success.all()


def test_without_a_push_nothing_changes_and_where_nothing_is_wrong_neither():
    image = (3 * hard(gap(LV), HEART)).softmax(1)
    plain, off = (tp.refine_map(image, HEART, max_steps=20, **options) for options in ({}, {"push": 0}))
    assert torch.equal(plain.output, off.output)
    assert plain.history == off.history
    right = hard(heart(), HEART)
    assert torch.equal(tp.refine_map(right, HEART, push=1).output, right)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_types(dtype):
    labels, priors, pixels = STUCK["a gap where the cavity leaks"]
    result = tp.refine_map(hard(labels, priors).to(dtype), priors, push=1, max_steps=40)
    assert (result.succeeded, result.pixels_changed) == (True, pixels)


def test_priors_that_contradict_each_other_are_refused_before_anything_is_searched_for():
    contradictory = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (3, 0)}, classes=3)
    with pytest.raises(ValueError, match="no label map has these class priors"):
        NearestLabels(contradictory, "T", "background")
    with pytest.raises(ValueError, match="no label map has these class priors"):
        tp.refine_map(hard(DISC, RING), contradictory, push=1)


@pytest.mark.parametrize("push", [-1, float("inf"), float("nan")])
def test_bad_pushes_are_refused(push):
    with pytest.raises(ValueError, match=f"push must be at least 0 and finite, got {push}"):
        tp.refine_map(hard(DISC, RING), RING, push=push)
