import pytest
import torch

import topoprior as tp
from topoprior import BettiPrior, BettiPriorLoss, betti_prior_loss


def logits(*shape, seed=0):
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"construction": "V", "boundary": "foreground"},
        {"power": 1, "essential": "drop", "max_bars": 3},
        {"reduction": "none", "threads": 1},
    ],
)
def test_every_option_reaches_the_function(options):
    images = logits(2, 1, 6, 7).sigmoid()
    expected = betti_prior_loss(images, BettiPrior(1, 2), **options)
    assert torch.equal(BettiPriorLoss(BettiPrior(1, 2), **options)(images), expected)
    if options:
        assert not torch.equal(expected, betti_prior_loss(images, BettiPrior(1, 2)))


def test_sigmoid():
    raw = logits(2, 3, 6, 7)
    expected = betti_prior_loss(raw.sigmoid(), BettiPrior(1, 1))
    assert torch.equal(BettiPriorLoss(BettiPrior(1, 1), sigmoid=True)(raw), expected)


def test_softmax_without_background():
    raw = logits(2, 3, 6, 7)
    priors = [[BettiPrior(1, 1), BettiPrior(1, 0)]]
    expected = betti_prior_loss(raw.softmax(1)[:, 1:], priors)
    loss = BettiPriorLoss(priors, softmax=True, include_background=False)
    assert torch.equal(loss(raw), expected)


def test_other_activation():
    raw = logits(1, 1, 6, 7)
    loss = BettiPriorLoss(BettiPrior(1, 1), other_act=lambda values: values.clamp(0, 1))
    assert torch.equal(loss(raw), betti_prior_loss(raw.clamp(0, 1), BettiPrior(1, 1)))


def test_a_target_is_taken_and_not_used():
    images = logits(1, 1, 6, 7).sigmoid()
    loss = BettiPriorLoss(BettiPrior(1, 1))
    assert torch.equal(loss(images, torch.ones_like(images)), loss(images))
    assert torch.equal(loss(images, None), loss(images))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MONAI imports
def test_it_drops_in_beside_a_loss_of_monai():
    from monai.data import MetaTensor
    from monai.losses import DeepSupervisionLoss, DiceLoss

    raw = MetaTensor(logits(2, 1, 8, 8)).requires_grad_()
    target = (logits(2, 1, 8, 8, seed=1) > 0).float()
    dice, topology = DiceLoss(sigmoid=True), BettiPriorLoss(BettiPrior(1, 1), sigmoid=True)
    (dice(raw, target) + 0.1 * topology(raw, target)).backward()
    assert torch.isfinite(raw.grad).all()
    deep = DeepSupervisionLoss(topology)([raw, raw[..., ::2, ::2]], target)
    assert deep.item() == pytest.approx(topology(raw).item() + 0.5 * topology(raw[..., ::2, ::2]).item())


def test_gradient_reaches_the_logits_in_their_dtype():
    for dtype in (torch.float64, torch.bfloat16):
        raw = logits(1, 1, 6, 7).to(dtype).requires_grad_()
        BettiPriorLoss(BettiPrior(1, 1), sigmoid=True)(raw).backward()
        assert raw.grad.dtype == dtype
        assert raw.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_pushes_what_the_network_is_sure_of(dtype):
    """In these types the sigmoid of 9 is exactly 1 and has no slope."""
    raw = torch.tensor([[[9.0, -4.0, 9.0]]], dtype=dtype, requires_grad=True)
    loss = BettiPriorLoss(BettiPrior(1), sigmoid=True)(raw)
    loss.backward()
    assert loss.dtype == torch.float32
    exact = raw.detach().float().requires_grad_()
    BettiPriorLoss(BettiPrior(1), sigmoid=True)(exact).backward()
    torch.testing.assert_close(raw.grad.float(), exact.grad, rtol=0.01, atol=0)


def test_it_is_a_loss_of_torch():
    loss = BettiPriorLoss(BettiPrior(1, 1))
    assert isinstance(loss, torch.nn.modules.loss._Loss)
    assert loss.reduction == "mean"
    assert list(loss.parameters()) == []
    torch.nn.Sequential(torch.nn.Sigmoid(), loss)(logits(1, 1, 5, 6))


def test_compiles_into_one_graph():
    loss = BettiPriorLoss([[BettiPrior(1, 1)]], softmax=True, include_background=False)
    raw = logits(2, 2, 6, 7)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(raw), loss(raw))


@pytest.mark.parametrize(
    "options",
    [
        {"sigmoid": True, "softmax": True},
        {"sigmoid": True, "other_act": torch.tanh},
        {"softmax": True, "other_act": torch.tanh},
    ],
)
def test_two_activations_are_refused(options):
    with pytest.raises(ValueError, match="only one activation can be applied, got sigmoid="):
        BettiPriorLoss(BettiPrior(1, 1), **options)


def test_an_activation_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="other_act must be None or callable, got str"):
        BettiPriorLoss(BettiPrior(1, 1), other_act="sigmoid")


def test_one_channel_has_neither_softmax_nor_background():
    for option in ("softmax=True", "include_background=False"):
        name, value = option.split("=")
        loss = BettiPriorLoss(BettiPrior(1, 1), **{name: value == "True"})
        with pytest.raises(
            ValueError, match=f"{option} needs at least 2 channels, got shape .1, 1, 5, 6.: one channel"
        ):
            loss(logits(1, 1, 5, 6))


@pytest.mark.parametrize(
    ("prior", "shape", "message"),
    [
        (
            BettiPrior(1, 1),
            (1, 1, 5, 6),
            "if these are logits, apply torch.sigmoid .*first, as BettiPriorLoss does with sigmoid=True",
        ),
        (BettiPrior(1, 1), (0, 1, 5, 6), "input must not be empty"),
        (BettiPrior(1, 1), (1, 1, 4, 5, 6), "images have 3 spatial axes: give BettiPrior\\(b0, b1, b2\\)"),
        ([BettiPrior(1, 1)] * 3, (2, 1, 5, 6), "got 3 priors for a batch of 2"),
        ([[BettiPrior(1, 1)] * 3], (2, 2, 5, 6), "got rows of \\[3\\] for 2 channels"),
    ],
)
def test_what_does_not_fit_is_refused_when_called(prior, shape, message):
    with pytest.raises(ValueError, match=message):
        BettiPriorLoss(prior)(logits(*shape))


def test_threads_reach_the_function():
    with pytest.raises(ValueError, match="threads must be a whole number from 1 to 1024, got 0"):
        BettiPriorLoss(BettiPrior(1, 1), threads=0)(torch.rand(1, 1, 3, 4))


def test_no_tensor_is_refused():
    with pytest.raises(TypeError, match="input must be a torch tensor, got list"):
        BettiPriorLoss(BettiPrior(1), sigmoid=True)([[[0.5]]])


@pytest.mark.parametrize("options", [{}, {"sigmoid": True}, {"softmax": True}, {"other_act": torch.sigmoid}])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_masks_and_labels_are_no_prediction(dtype, options):
    with pytest.raises(TypeError, match=f"input must be floating point, got {dtype}: a mask or label map is no"):
        BettiPriorLoss(BettiPrior(1), **options)(torch.ones(1, 2, 5, dtype=dtype))


def test_public_name():
    assert tp.BettiPriorLoss is BettiPriorLoss


def test_its_options_can_be_read():
    shown = repr(BettiPriorLoss(BettiPrior(1, (0, 2)), boundary="foreground", max_bars=9, sigmoid=True))
    for option in ("BettiPrior(1, (0, 2))", "boundary='foreground'", "max_bars=9", "sigmoid=True", "power=2"):
        assert option in shown
    assert repr(BettiPriorLoss(BettiPrior(1, 1))) == (
        "BettiPriorLoss(BettiPrior(1, 1), construction='T', boundary='background', power=2, essential='finite', "
        "max_bars=None, economy=None, reduction='mean', sigmoid=False, softmax=False, other_act=None, "
        "include_background=True, threads=None)"
    )
