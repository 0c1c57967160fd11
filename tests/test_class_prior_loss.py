import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

import topoprior as tp
from strategies import boundaries, constructions, shapes
from topoprior import BettiPrior, ClassPriorLoss, ClassPriors, betti_prior_loss, class_prior_loss
from topoprior.priors.unions import union_leads, union_masks

PRIORS = ClassPriors(
    {1: (1, 0), 2: BettiPrior(1, 1, weights=(1, 2)), (1, 2): (1, (0, 2)), (0, 3): (None, 1), 0: (2, 0)}, classes=4
)


def probabilities(*shape, seed=0, dtype=torch.float64):
    raw = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return raw.softmax(1).to(dtype)


def slow_loss(probability, priors, **options):
    """Image by image and entry by entry."""
    losses = []
    for image, one in zip(probability, priors, strict=True):
        loss = 0.0
        for union, prior in zip(one.unions, one.priors, strict=True):
            channel = sum(image[k] for k in union)[None, None].clamp(max=1)
            loss = loss + betti_prior_loss(channel, prior, **options)
        losses.append(loss)
    return torch.stack(losses)


@given(
    shape=shapes((2,)),
    construction=constructions,
    boundary=boundaries,
    power=st.sampled_from([1, 2]),
    essential=st.sampled_from(["finite", "drop"]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=25)
def test_as_one_entry_after_the_other(shape, seed, **options):
    images = probabilities(2, 4, *shape, seed=seed)
    torch.testing.assert_close(
        class_prior_loss(images, PRIORS, reduction="none", **options), slow_loss(images, [PRIORS] * 2, **options)
    )


def test_reductions_and_max_bars():
    images = probabilities(3, 4, 6, 7)
    each = class_prior_loss(images, PRIORS, reduction="none")
    assert each.shape == (3,)
    torch.testing.assert_close(class_prior_loss(images, PRIORS), each.mean())
    torch.testing.assert_close(class_prior_loss(images, PRIORS, reduction="sum"), each.sum())
    few = class_prior_loss(images, PRIORS, max_bars=3, reduction="none")
    torch.testing.assert_close(few, slow_loss(images, [PRIORS] * 3, max_bars=3))
    assert (few < each).all()


def test_priors_of_each_image():
    images = probabilities(3, 4, 6, 7)
    each = [PRIORS, ClassPriors({(1, 3): (1, 0)}, classes=4), ClassPriors({3: (0, 0), 0: (1, 0)}, classes=4)]
    torch.testing.assert_close(class_prior_loss(images, each, reduction="none"), slow_loss(images, each))


def test_a_right_label_map_costs_nothing_and_a_wrong_one_what_is_wrong():
    labels = torch.zeros(2, 7, 9, dtype=torch.long)
    labels[:, 1:6, 4:9] = 2
    labels[:, 2:5, 5:8] = 3
    labels[:, 2:4, 1:4] = 1
    labels[1, 1, 6] = 0  # a gap: no loop, and MYO+LV stays as it is
    heart = tp.presets.short_axis_heart()
    hard = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).double()
    assert class_prior_loss(hard, heart, reduction="none").tolist() == [0.0, 2.0]  # MYO and RV+MYO lack their loop


def test_gradient():
    raw = torch.randn(1, 4, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: class_prior_loss(values.softmax(1), PRIORS), raw)


def test_dtypes():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        raw = torch.randn(1, 4, 6, 7, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
        loss = ClassPriorLoss(PRIORS, softmax=True)(raw)
        assert loss.dtype == torch.float32
        assert class_prior_loss(raw.softmax(1), PRIORS).dtype == dtype
        loss.backward()
        assert raw.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_pushes_what_the_network_is_sure_of(dtype):
    """Three pixels of class 1 apart, where one is wanted: in these types their softmax is exactly 1."""
    priors = ClassPriors({1: (1, 0)}, classes=2)
    raw = torch.tensor([[[[-3.0, 3.0, -3.0, 3.0, -3.0]], [[6.0, -4.0, 6.0, -4.0, 6.0]]]], dtype=dtype)
    gradients = []
    for values in (raw.requires_grad_(), raw.detach().float().requires_grad_()):
        ClassPriorLoss(priors, softmax=True)(values).backward()
        gradients.append(values.grad.float())
    assert (gradients[0][0, 1, 0, 2:] > 0).any()
    torch.testing.assert_close(*gradients, rtol=0.01, atol=1e-7)


@pytest.mark.parametrize(
    "options",
    [
        {"construction": "V", "boundary": "foreground"},
        {"power": 1, "essential": "drop", "max_bars": 4},
        {"reduction": "none", "threads": 1},
    ],
)
def test_every_option_reaches_the_function(options):
    raw = torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(0))
    expected = class_prior_loss(raw.softmax(1), PRIORS, **options)
    loss = ClassPriorLoss(PRIORS, softmax=True, **options)
    assert torch.equal(loss(raw), expected)
    assert torch.equal(ClassPriorLoss(PRIORS, other_act=lambda values: values.softmax(1), **options)(raw), expected)
    assert not torch.equal(expected, class_prior_loss(raw.softmax(1), PRIORS))
    assert all(f"{name}={value!r}" in repr(loss) for name, value in options.items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MONAI imports
def test_it_drops_in_beside_a_loss_of_monai():
    from monai.data import MetaTensor
    from monai.losses import DiceCELoss

    raw = MetaTensor(torch.randn(2, 4, 8, 9, generator=torch.Generator().manual_seed(0))).requires_grad_()
    target = torch.zeros(2, 1, 8, 9)
    topology = ClassPriorLoss(PRIORS, softmax=True)
    (DiceCELoss(softmax=True, to_onehot_y=True)(raw, target) + 0.1 * topology(raw, target)).backward()
    assert torch.isfinite(raw.grad).all()
    assert torch.equal(topology(raw, target), topology(raw))
    assert isinstance(topology, torch.nn.modules.loss._Loss)


def test_channels_that_are_no_softmax_are_refused():
    uniform = torch.full((2, 4, 5, 6), 0.25)
    assert class_prior_loss(uniform, PRIORS) > 0
    class_prior_loss(uniform * 1.0009, PRIORS)
    class_prior_loss((uniform * 1.009).half(), PRIORS)
    for wrong, message in [
        (uniform * 1.002, "the channels of input must be a softmax.* got a sum of 1.002"),
        ((uniform * 1.02).half(), "must sum to 1"),
        (uniform.sigmoid(), "got a sum of 2.249: .* apply torch.softmax"),
        (uniform - 1, r"input must hold probabilities in \[0, 1\].*torch.softmax over the channels"),
        (uniform[:, :3], "one channel for each of the 4 classes 0, 1, 2, 3, got 3 channels"),
        (uniform[0, 0], "input must have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            class_prior_loss(wrong, PRIORS)
    one_pixel = uniform.clone()
    one_pixel[1, 2, 3, 4] = 0.0
    with pytest.raises(ValueError, match=r"got a sum of 0\.75"):
        class_prior_loss(one_pixel, PRIORS)


def test_a_sum_that_rounding_brought_above_1_is_1():
    images = torch.tensor([[[0.5, 0.0], [0.5004, 0.0], [0.0, 1.0]]], requires_grad=True)
    loss = class_prior_loss(images, ClassPriors({(0, 1): (0,)}, classes=3))
    assert loss.item() == 1
    loss.backward()
    assert images.grad[0, :, 0].tolist() == [2, 2, 0]


def test_what_else_is_refused():
    images = probabilities(1, 4, 5, 6)
    contradictory = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (3, 0)}, classes=4)
    with pytest.raises(ValueError, match=r"no label map has these class priors: 1\+2 wants at least 3 components"):
        class_prior_loss(images, contradictory)
    with pytest.raises(ValueError, match="with essential='drop' the first component is left out"):
        class_prior_loss(images, ClassPriors({1: ((1, None), None)}, classes=4), essential="drop")
    for options, message in [
        ({"reduction": "max"}, "reduction must be one of 'mean', 'sum', 'none', got 'max'"),
        ({"power": 3}, "power must be 1 or 2"),
        ({"construction": "X"}, "construction must be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            class_prior_loss(images, PRIORS, **options)
    with pytest.raises(TypeError, match="priors must be ClassPriors"):
        class_prior_loss(images, BettiPrior(1, 1))
    with pytest.raises(TypeError, match="a label map is no prediction"):
        ClassPriorLoss(PRIORS)(images.argmax(1))
    with pytest.raises(ValueError, match="only one activation"):
        ClassPriorLoss(PRIORS, softmax=True, other_act=torch.sigmoid)
    with pytest.raises(TypeError, match="other_act must be None or callable"):
        ClassPriorLoss(PRIORS, other_act="softmax")
    with pytest.raises(ValueError, match="input must have shape"):
        ClassPriorLoss(PRIORS, softmax=True)(torch.zeros(4))


@given(shape=shapes(), classes=st.integers(2, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_leads_above_a_half_are_the_most_probable_class(shape, classes, seed):
    images = probabilities(2, classes, *shape, seed=seed)
    unions = [(0,), (1,)] if classes == 2 else [(0,), (1, 2)]
    masks = union_masks(images.argmax(1), unions, classes)
    leads = union_leads(images, unions)
    assert torch.equal(leads > 0.5, masks)
    assert leads.min() >= 0
    assert leads.max() <= 1
    if classes == 2:
        torch.testing.assert_close(leads, images)
