import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import topoprior as tp
from oracles import boundary_matrix
from topoprior import BettiPrior, betti_prior_loss
from topoprior.losses.functional import betti_prior_loss_from_diagrams

TWO_BLOBS = torch.tensor([[[0.9, 0.2, 0.7]]], dtype=torch.float64)  # bars 0.9 and 0.5


def ring(value=1.0, hole=0.0):
    """7 x 9 image, zero but for one ring."""
    image = torch.zeros(1, 1, 7, 9, dtype=torch.float64)
    image[..., 2:5, 3:6] = value
    image[..., 3, 4] = hole
    return image


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ the slow twin


def slow_loss(rows, lower, upper, weights, power, essential, max_bars):
    """Equations 3 and 4 for one image, read off the paper: one loop over dimensions, one over bars."""
    loss = 0.0
    for dimension, (low, high, weight) in enumerate(zip(lower, upper, weights, strict=True)):
        bars = [row for row in rows if row.dimension == dimension]
        if essential == "drop" and dimension == 0:
            bars = [row for row in bars if row.death_index != -1]
            low, high = max(low - 1, 0), None if high is None else max(high - 1, 0)
        lengths = sorted((row.birth - row.death for row in bars), reverse=True)[:max_bars]
        lengths += [0.0] * (low - len(lengths))
        for place, length in enumerate(lengths):
            if place < low:
                loss += weight * (1 - length**power)
            elif high is not None and place >= high:
                loss += weight * length**power
    return loss


@st.composite
def entries(draw):
    low = draw(st.integers(0, 3))
    return (low, draw(st.none() | st.integers(low, low + 2)))


@given(
    strategies.images(),
    strategies.constructions,
    strategies.boundaries,
    st.lists(entries(), min_size=3, max_size=3),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=3, max_size=3),
    st.sampled_from([1, 2]),
    st.sampled_from(["finite", "drop"]),
    st.sampled_from([None, 3, 5]),
)
@settings(max_examples=400, deadline=None)
def test_same_value_as_the_slow_twin(image, construction, boundary, ranges, weights, power, essential, max_bars):
    prior = BettiPrior(*ranges[: image.ndim], weights=weights[: image.ndim])
    a_free_component = boundary == "foreground" or essential == "drop"
    any_number = a_free_component and prior.lower[0] <= 1 and prior.upper[0] is None
    if not any(prior.cares[any_number:]):
        prior = BettiPrior(*[1] * image.ndim)
    rows = boundary_matrix.rows(image, construction, boundary)
    expected = slow_loss(rows, prior.lower, prior.upper, prior.weights, power, essential, max_bars)
    loss = betti_prior_loss(
        torch.from_numpy(image)[None, None],
        prior,
        construction=construction,
        boundary=boundary,
        power=power,
        essential=essential,
        max_bars=max_bars,
    )
    assert loss.item() == pytest.approx(expected, abs=1e-12)


# ------------------------------------------------------------------------------------------------ values by hand


@pytest.mark.parametrize(
    ("prior", "power", "expected"),
    [
        (BettiPrior(0), 2, 0.81 + 0.25),
        (BettiPrior(1), 2, (1 - 0.81) + 0.25),
        (BettiPrior(2), 2, (1 - 0.81) + (1 - 0.25)),
        (BettiPrior(5), 2, (1 - 0.81) + (1 - 0.25) + 3),  # each missing bar costs exactly 1
        (BettiPrior(1), 1, 0.1 + 0.5),
        (BettiPrior((0, 1)), 2, 0.25),
        (BettiPrior((1, 2)), 2, 1 - 0.81),
        (BettiPrior((0, 2)), 2, 0.0),
        (BettiPrior((2, None)), 2, (1 - 0.81) + (1 - 0.25)),
        (BettiPrior(1, weights=(3,)), 2, 3 * ((1 - 0.81) + 0.25)),
    ],
)
def test_two_blobs(prior, power, expected):
    assert betti_prior_loss(TWO_BLOBS, prior, power=power).item() == pytest.approx(expected)


def test_a_perfect_ring_costs_nothing_and_every_error_costs_one():
    assert betti_prior_loss(ring(), BettiPrior(1, 1)).item() == 0
    for prior in (BettiPrior(0, 1), BettiPrior(2, 1), BettiPrior(1, 0), BettiPrior(1, 2)):
        assert betti_prior_loss(ring(), prior).item() == 1
    assert betti_prior_loss(torch.zeros(1, 1, 3, 4), BettiPrior(1, 1)).item() == 2
    assert betti_prior_loss(torch.zeros(1, 1, 3, 4), BettiPrior(0, 0)).item() == 0


def test_nothing_wanted_in_every_dimension_reaches_the_essential_bar():
    image = ring(value=0.5).requires_grad_()
    loss = betti_prior_loss(image, BettiPrior(0, 0))
    assert loss.item() == pytest.approx(0.25 + 0.25)
    loss.backward()
    assert image.grad.flatten()[2 * 9 + 3].item() == pytest.approx(1.0)  # 2 * 0.5 at the arg-max pixel


def test_dropping_the_essential_bar_makes_no_and_one_component_the_same():
    for prior in (BettiPrior(0), BettiPrior(1)):
        assert betti_prior_loss(TWO_BLOBS, prior, essential="drop").item() == pytest.approx(0.25)
    assert betti_prior_loss(TWO_BLOBS, BettiPrior(2), essential="drop").item() == pytest.approx(1 - 0.25)
    assert betti_prior_loss(TWO_BLOBS, BettiPrior(3), essential="drop").item() == pytest.approx(2 - 0.25)


def test_max_bars_that_leave_nothing_to_ask_are_refused():
    image = torch.tensor([[[0.9, 0.2, 0.7, 0.1, 0.8]]])
    with pytest.raises(ValueError, match="greater than the number of bars that the prior allows, got 3"):
        betti_prior_loss(image, BettiPrior((0, 5)), max_bars=3)
    assert betti_prior_loss(image, BettiPrior((0, 1)), max_bars=3).item() > 0


def test_max_bars_keeps_the_longest():
    three = torch.tensor([[[0.9, 0.0, 0.7, 0.0, 0.5]]])
    expected = {1: 0.81, 2: 0.81 + 0.49, 3: 0.81 + 0.49 + 0.25, None: 0.81 + 0.49 + 0.25}
    for max_bars, value in expected.items():
        assert betti_prior_loss(three, BettiPrior(0), max_bars=max_bars).item() == pytest.approx(value)
    assert betti_prior_loss(three, BettiPrior(0), max_bars=1, essential="drop").item() == pytest.approx(0.49)


def test_the_outside_is_a_component_when_it_is_foreground():
    assert betti_prior_loss(ring(), BettiPrior(2, 1), boundary="foreground").item() == 0
    assert betti_prior_loss(ring(), BettiPrior(1, 1), boundary="foreground").item() == 1


def test_reductions():
    images = noise(3, 2, 5, 6)
    prior = BettiPrior(1, 1)
    each = betti_prior_loss(images, prior, reduction="none")
    assert each.shape == (3, 2)
    for place in itertools.product(range(3), range(2)):
        alone = betti_prior_loss(images[place][None, None], prior)
        assert each[place].item() == pytest.approx(alone.item())
    assert betti_prior_loss(images, prior).item() == pytest.approx(each.mean().item())
    assert betti_prior_loss(images, prior, reduction="sum").item() == pytest.approx(each.sum().item())


def test_each_image_and_channel_has_its_own_prior():
    images = torch.cat((ring(), torch.zeros_like(ring())))
    priors = [BettiPrior(1, 1), BettiPrior(0, 0)]
    assert betti_prior_loss(images, priors).item() == 0
    assert betti_prior_loss(images, priors[::-1], reduction="none").tolist() == [[2], [2]]
    channels = images.transpose(0, 1)
    assert betti_prior_loss(channels, [priors]).item() == 0
    assert betti_prior_loss(channels, [priors[::-1]], reduction="none").tolist() == [[2, 2]]
    mixed = [BettiPrior(1, None), BettiPrior(None, 0)]
    assert betti_prior_loss(images, mixed).item() == 0


def test_a_batch_of_different_priors_equals_a_loop():
    images = noise(3, 2, 5, 6)
    numbers = itertools.product((0, 1, (1, 3)), (0, 2))
    priors = [BettiPrior(b0, b1, weights=(1, 0.5 + b1)) for b0, b1 in numbers]
    table = [priors[:2], priors[2:4], priors[4:]]
    each = betti_prior_loss(images, table, reduction="none")
    for i, j in itertools.product(range(3), range(2)):
        alone = betti_prior_loss(images[i, j][None, None], table[i][j])
        assert each[i, j].item() == pytest.approx(alone.item())


def test_from_diagrams_is_the_same():
    images = noise(2, 2, 5, 6)
    options = {"power": 1, "essential": "drop", "max_bars": 4, "reduction": "none"}
    diagrams = tp.persistence(images, construction="V", boundary="foreground")
    expected = betti_prior_loss(images, BettiPrior(1, 2), construction="V", boundary="foreground", **options)
    assert torch.equal(betti_prior_loss_from_diagrams(diagrams, BettiPrior(1, 2), **options), expected)
    with pytest.raises(ValueError, match="give BettiPrior\\(b0, b1\\)"):
        betti_prior_loss_from_diagrams(diagrams, BettiPrior(1))


def test_bars_that_were_not_computed_are_not_taken_for_absent_ones():
    """Without its loops the image below would have what is wanted, a loss of 0."""
    ring = torch.ones(1, 1, 3, 4)
    ring[..., 1, 1] = 0
    components, no_loop = tp.persistence(ring, dimensions=(0,)), BettiPrior(1, 0)
    for diagrams in (components, tp.persistence(ring).select(dimension=0)):
        with pytest.raises(ValueError, match=r"every dimension that the prior cares about, got \(0,\) without \[1\]"):
            betti_prior_loss_from_diagrams(diagrams, no_loop)
    assert betti_prior_loss_from_diagrams(components, BettiPrior(1, None)) == 0
    assert betti_prior_loss_from_diagrams(tp.persistence(ring).select(image=0), no_loop) == 1


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtype_is_kept_and_half_precision_is_summed_in_float32(dtype, reduction):
    """2000 bars of 0.5 cost 500; summed in bfloat16 they would stop growing at 64, where its spacing is 0.5."""
    image = torch.zeros(1, 1, 4000, dtype=dtype)
    image[..., ::2] = 0.5
    loss = betti_prior_loss(image.requires_grad_(), BettiPrior(0), reduction=reduction)
    assert loss.dtype == dtype
    assert loss.item() == 500
    loss.backward()
    assert image.grad.dtype == dtype


# ------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("essential", ["finite", "drop"])
@pytest.mark.parametrize(("shape", "numbers"), [((7,), [2]), ((4, 5), [1, (1, 2)]), ((3, 2, 4), [(0, 1), 1, 1])])
def test_first_and_second_derivatives(shape, numbers, power, essential):
    images = noise(2, 1, *shape).requires_grad_()

    def loss(images):
        return betti_prior_loss(
            images, BettiPrior(*numbers), power=power, essential=essential, boundary="foreground", reduction="none"
        )

    assert torch.autograd.gradcheck(loss, images)
    assert torch.autograd.gradgradcheck(loss, images)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_derivatives_of_the_other_reductions(reduction):
    images = noise(2, 1, 4, 5).requires_grad_()

    def loss(images):
        return betti_prior_loss(images, BettiPrior(1, 1), reduction=reduction)

    assert torch.autograd.gradcheck(loss, images)
    assert torch.autograd.gradgradcheck(loss, images)


def test_an_absent_feature_gets_no_push():
    """The slope of 1 - l ** 2 at l = 0 is 0, by design of equation 3; and there is no pixel to push."""
    image = torch.full((1, 1, 5, 6), 0.5, requires_grad=True)
    betti_prior_loss(image, BettiPrior(None, 1)).backward()
    assert image.grad.abs().sum().item() == 0


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_steps_downhill_lower_the_loss(construction, boundary):
    image = noise(1, 1, 12, 15).requires_grad_()
    options = {"construction": construction, "boundary": boundary}
    before = betti_prior_loss(image, BettiPrior(1, 1), **options)
    (gradient,) = torch.autograd.grad(before, image)
    after = betti_prior_loss((image - 1e-4 * gradient).clamp(0, 1), BettiPrior(1, 1), **options)
    assert after < before


def test_descent_gives_the_wanted_topology():
    logits = (4 * noise(1, 1, 12, 15) - 2).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.2)
    for _ in range(150):
        optimiser.zero_grad()
        betti_prior_loss(logits.sigmoid(), BettiPrior(1, 2)).backward()
        optimiser.step()
    assert tp.betti_numbers(logits.sigmoid() >= 0.5).tolist() == [[[1, 2]]]


# ----------------------------------------------------------------------------------------------------- transforms

PRIORS = [BettiPrior(1, 1), BettiPrior((0, 2), None)]


@pytest.mark.parametrize("options", [{}, {"power": 1, "essential": "drop", "max_bars": 5, "boundary": "foreground"}])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_vmap_of_loss_and_gradient_equals_a_loop(options, reduction):
    cases = noise(3, 2, 1, 6, 7)
    cases[1] = 0.5  # a case with fewer bars

    def loss(images):
        return betti_prior_loss(images, PRIORS, reduction=reduction, **options)

    def total(images):
        return loss(images).sum()

    torch.testing.assert_close(torch.func.vmap(loss)(cases), torch.stack([loss(case) for case in cases]))
    gradients = torch.func.vmap(torch.func.grad(total))(cases)
    torch.testing.assert_close(gradients, torch.stack([torch.func.grad(total)(case) for case in cases]))


def test_gradients_of_network_weights_image_by_image():
    """Refinement of a batch: each image has its own copy of the weights, all in one call."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3, padding=1), torch.nn.Sigmoid()
    ).double()
    images = noise(3, 1, 1, 8, 9)
    weights = {name: weight.detach() for name, weight in network.named_parameters()}

    def loss(weights, image):
        return betti_prior_loss(torch.func.functional_call(network, weights, (image,)), BettiPrior(1, 1))

    copies = {name: weight.expand(3, *weight.shape) for name, weight in weights.items()}
    batched = torch.func.vmap(torch.func.grad(loss))(copies, images)
    assert all(gradient.abs().sum() > 0 for gradient in batched.values())
    for number, image in enumerate(images):
        for name, gradient in torch.func.grad(loss)(weights, image).items():
            torch.testing.assert_close(batched[name][number], gradient)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what inductor imports
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiles_into_one_graph(backend):
    images = noise(2, 1, 6, 7).float().requires_grad_()

    def loss(logits):
        return betti_prior_loss(torch.sigmoid(logits), PRIORS, power=2)

    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    value = compiled(images)
    value.backward()
    torch.testing.assert_close(value, loss(images))
    torch.testing.assert_close(images.grad, torch.func.grad(loss)(images.detach()))
    with pytest.raises(ValueError, match="finite values"):
        compiled(torch.full((2, 1, 6, 7), float("nan"), requires_grad=True))


# --------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (
            torch.tensor([[[0.5, 3.0]]]),
            ValueError,
            "got values from 0.5 to 3.0: if these are logits, .*BettiPriorLoss does with sigmoid=True",
        ),
        (torch.tensor([[[0.5, float("nan")]]]), ValueError, "finite values in .0, 1., got nan"),
        (torch.tensor([[[0.5, float("inf")]]]), ValueError, "finite values in .0, 1., got inf"),
        (torch.zeros(0, 1, 3), ValueError, "input must not be empty: every side must be at least 1, got \\(0, 1, 3\\)"),
        (torch.zeros(1, 1, 3, dtype=torch.uint8), TypeError, "input must be floating point .* got torch.uint8"),
        (torch.zeros(1, 1, 3, dtype=torch.bool), TypeError, "got torch.bool: convert a mask with .float()"),
        (torch.zeros(3), ValueError, "input must have shape \\(batch, channel, \\*spatial\\)"),
        (torch.zeros(1, 1, 3, 4), ValueError, "prior has 1 Betti numbers but images have 2 spatial axes"),
        ("image", TypeError, "input must be a torch tensor or a numpy array, got str"),
    ],
)
def test_bad_input_is_refused(images, error, message):
    with pytest.raises(error, match=message):
        betti_prior_loss(images, BettiPrior(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"power": 3}, "power must be 1 or 2, got 3"),
        ({"power": "2"}, "power must be 1 or 2, got '2'"),
        ({"essential": "keep"}, "essential must be one of 'finite', 'drop', got 'keep'"),
        ({"reduction": "max"}, "reduction must be one of 'mean', 'sum', 'none', got 'max'"),
        ({"max_bars": 0}, "max_bars must be a whole number of at least 1, or None for all bars, got 0"),
        ({"max_bars": 2.5}, "max_bars must be a whole number of at least 1, or None for all bars, got 2.5"),
        ({"max_bars": "3"}, "max_bars must be a whole number of at least 1, or None for all bars, got '3'"),
        ({"max_bars": True}, "max_bars must be a whole number of at least 1, or None for all bars, got True"),
        ({"max_bars": 1}, "max_bars must be at least the number of bars that the prior wants, 2, got 1"),
        ({"construction": "F"}, "construction must be one of 'T', 'V', got 'F'"),
        ({"boundary": "pad"}, "boundary must be one of 'background', 'foreground', got 'pad'"),
        ({"threads": 0}, "threads must be a whole number from 1 to 1024, got 0"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        betti_prior_loss(TWO_BLOBS, BettiPrior(2), **options)


def test_everything_after_the_prior_is_by_keyword():
    with pytest.raises(TypeError, match="positional"):
        betti_prior_loss(TWO_BLOBS, BettiPrior(1), "V")


def test_numpy_images_are_taken_too():
    assert betti_prior_loss(np.array([[[0.9, 0.2, 0.7]]]), BettiPrior(1)).item() == pytest.approx(0.44)
