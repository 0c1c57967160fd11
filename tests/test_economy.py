"""What a loss may leave out: the bars of what is left, the bounds that the docstrings state, and the gradient."""

import itertools
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from gudhi import bottleneck_distance
from hypothesis import given, settings

import strategies
import topoprior as tp
from oracles import boundary_matrix
from topoprior import BettiPrior, Economy, betti_prior_loss
from topoprior.losses.economy import economical_diagrams
from topoprior.losses.functional import betti_prior_loss_from_diagrams


def batch(image):
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


def bars_left(image, economy, construction="T", boundary="background"):
    """(dimension, birth, death) of all bars of non-zero length, sorted."""
    images = image if isinstance(image, torch.Tensor) else batch(image)
    everything = (1 << images.ndim - 2) - 1
    found = economical_diagrams(images, economy, construction, boundary, everything, 1)
    rows = zip(found.dimension.tolist(), found.births.tolist(), found.deaths.tolist(), strict=True)
    return sorted(row for row in rows if row[1] != row[2])


def slow_bars(image, construction="T", boundary="background"):
    rows = boundary_matrix.rows(np.ascontiguousarray(image), construction, boundary)
    return sorted((row.dimension, row.birth, row.death) for row in rows if row.birth != row.death)


def slow_pool(image, blocks, pooling):
    """Block by block."""
    pooled = np.empty([-(-side // block) for side, block in zip(image.shape, blocks, strict=True)])
    for place in np.ndindex(*pooled.shape):
        window = image[tuple(slice(i * block, (i + 1) * block) for i, block in zip(place, blocks, strict=True))]
        pooled[place] = window.max() if pooling == "max" else window.mean()
    return pooled


def slow_blown_up(image, blocks, pooling):
    """The image with the value of its block in each pixel."""
    pooled = slow_pool(image, blocks, pooling)
    for axis, (block, side) in enumerate(zip(blocks, image.shape, strict=True)):
        pooled = pooled.repeat(block, axis).take(range(side), axis)
    return pooled


def distance(first, second, axes):
    """Largest bottleneck distance over the dimensions."""
    by_dimension = [
        [np.array([row[1:] for row in rows if row[0] == k]).reshape(-1, 2)[:, ::-1] for rows in (first, second)]
        for k in range(axes)
    ]
    return max(bottleneck_distance(*pair) for pair in by_dimension)


@st.composite
def images_and_blocks(draw):
    image = draw(strategies.images())
    return image, tuple(draw(st.integers(1, min(3, side))) for side in image.shape)


@st.composite
def images_and_boxes(draw):
    image = draw(strategies.images())
    starts = [draw(st.integers(0, side - 1)) for side in image.shape]
    stops = [draw(st.integers(start + 1, side)) for start, side in zip(starts, image.shape, strict=True)]
    return image, tuple(map(slice, starts, stops))


# ------------------------------------------------------------------------------------------------ downsampling


@given(images_and_blocks(), strategies.constructions, strategies.boundaries, st.sampled_from(["max", "average"]))
@settings(max_examples=50, deadline=None)
def test_bars_are_those_of_the_image_whose_pixels_have_the_value_of_their_block(drawn, construction, boundary, pooling):
    image, blocks = drawn
    economy = Economy(downsample=blocks, pooling=pooling)
    found = bars_left(image, economy, construction, boundary)
    expected = slow_bars(slow_blown_up(image, blocks, pooling), construction, boundary)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(images_and_blocks(), strategies.constructions, strategies.boundaries, st.sampled_from(["max", "average"]))
@settings(max_examples=50, deadline=None)
def test_no_end_of_a_bar_moves_by_more_than_the_bound(drawn, construction, boundary, pooling):
    image, blocks = drawn
    economy = Economy(downsample=blocks, pooling=pooling)
    bound = economy.bar_error(batch(image))
    assert bound == pytest.approx(np.abs(image - slow_blown_up(image, blocks, pooling)).max())
    found, full = bars_left(image, economy, construction, boundary), slow_bars(image, construction, boundary)
    assert distance(found, full, image.ndim) <= bound + 1e-9


@given(images_and_blocks(), strategies.constructions, strategies.boundaries)
@settings(max_examples=40, deadline=None)
def test_a_maximum_neither_loses_nor_splits_components(drawn, construction, boundary):
    image, blocks = drawn
    full = tp.persistence(batch(image), construction=construction, boundary=boundary)
    left = tp.persistence(batch(slow_pool(image, blocks, "max")), construction=construction, boundary=boundary)
    for p in np.unique(image[image > 0]):
        some = 1 if (image >= p).any() else 0
        assert some <= left.betti_numbers(p)[0, 0, 0] <= full.betti_numbers(p)[0, 0, 0]


def test_a_gap_closes_below_the_block_and_stays_at_twice_the_block_less_one():
    for block, gap, at in itertools.product((2, 3), range(1, 7), range(3)):
        row = np.ones(12)
        row[3 + at : 3 + at + gap] = 0
        components = tp.betti_numbers(slow_pool(row, (block,), "max")[None, None]).item()
        found = len([bar for bar in bars_left(row, Economy(downsample=block)) if bar[1] == 1])
        assert found == components
        if gap < block:
            assert found == 1
        if gap >= 2 * block - 1:
            assert found == 2


def test_an_open_ring_may_close_and_an_hourglass_may_become_two_holes():
    ring = np.ones((6, 6))
    ring[2:4, 2:4] = 0
    ring[3, 3:] = 0  # a bay, one pixel wide at its mouth
    assert [row[0] for row in slow_bars(ring)] == [0]
    assert [row[0] for row in bars_left(ring, Economy(downsample=2))] == [0, 1]
    hourglass = np.ones((6, 10))
    hourglass[2:4, 2:4] = hourglass[2:4, 6:8] = hourglass[2, 4:6] = 0
    assert [row[0] for row in slow_bars(hourglass)] == [0, 1]
    assert [row[0] for row in bars_left(hourglass, Economy(downsample=2))] == [0, 1, 1]


def test_a_thin_line_survives_a_maximum_and_fades_in_an_average():
    vessel = np.zeros((6, 4, 8))
    vessel[2, 1] = 1
    assert bars_left(vessel, Economy(downsample=2)) == [(0, 1.0, 0.0)]
    assert bars_left(vessel, Economy(downsample=2, pooling="average")) == [(0, 0.25, 0.0)]


def test_the_gradient_reaches_the_largest_pixel_of_the_block():
    row = torch.tensor([[[0.1, 0.9, 0.3, 0.2, 0.6, 0.7]]], dtype=torch.float64, requires_grad=True)
    betti_prior_loss(row, BettiPrior(0), economy=Economy(downsample=2)).backward()  # bars 0.9 and 0.7 - 0.3
    np.testing.assert_allclose(row.grad[0, 0], [0, 2 * 0.9, -2 * 0.4, 0, 0, 2 * 0.4])


def test_the_gradient_of_an_average_is_shared_by_the_block():
    row = torch.tensor([[[0.1, 0.9, 0.3]]], dtype=torch.float64, requires_grad=True)  # blocks 0.5 and, partial, 0.3
    betti_prior_loss(row, BettiPrior(0), economy=Economy(downsample=2, pooling="average")).backward()
    np.testing.assert_allclose(row.grad[0, 0], [0.5, 0.5, 0])


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_gradients_of_first_and_second_order_are_those_of_finite_differences(pooling, boundary):
    image = torch.randperm(5 * 6, generator=torch.Generator().manual_seed(3)).double().view(1, 1, 5, 6) / 31 + 0.01
    economy = Economy(downsample=2, pooling=pooling, region=(slice(0, 4), slice(1, 6)))

    def loss(values):
        return betti_prior_loss(values, BettiPrior(1, 1), boundary=boundary, economy=economy)

    assert torch.autograd.gradcheck(loss, image.requires_grad_())
    assert torch.autograd.gradgradcheck(loss, image)


# ------------------------------------------------------------------------------------------------ region


@given(images_and_boxes(), strategies.constructions, strategies.boundaries)
@settings(max_examples=60, deadline=None)
def test_bars_of_a_box_are_those_of_the_image_with_zeros_around_it(drawn, construction, boundary):
    image, box = drawn
    alone = np.zeros_like(image)
    alone[box] = image[box]
    economy = Economy(region=box)
    assert bars_left(image, economy, construction, boundary) == slow_bars(alone, construction, boundary)
    assert economy.bar_error(batch(image)) == (image - alone).max()


@given(strategies.images(), strategies.constructions, strategies.boundaries, st.sampled_from([0.1, 0.5, 0.75]))
@settings(max_examples=60, deadline=None)
def test_nothing_changes_at_the_floor_and_above(image, construction, boundary, floor):
    economy = Economy(region=floor, margin=0)
    found, full = bars_left(image, economy, construction, boundary), slow_bars(image, construction, boundary)

    def above(rows):
        return sorted((k, birth, max(death, floor)) for k, birth, death in rows if birth >= floor > 0 and birth > death)

    cut = [sorted(row for row in above(rows) if row[1] > row[2]) for rows in (found, full)]
    assert cut[0] == cut[1]
    assert distance(found, full, image.ndim) <= economy.bar_error(batch(image)) + 1e-9
    assert economy.bar_error(batch(image)) < floor


def test_a_ring_at_the_frame_with_both_outsides():
    image = np.zeros((6, 9))
    image[0:3, 5:8] = 1.0
    image[0, 6] = image[1, 6] = 0.0  # a U that opens to the upper side of the frame
    for economy in (None, Economy(region=0.5, margin=0)):
        options = {"construction": "T", "economy": economy}
        assert betti_prior_loss(batch(image), BettiPrior(1, 0), boundary="background", **options) == 0
        assert betti_prior_loss(batch(image), BettiPrior(1, 1), boundary="foreground", **options) == 0


def test_the_box_holds_all_images_has_a_margin_and_ends_where_blocks_end():
    images = torch.zeros(2, 1, 9, 20)
    images[0, 0, 4, 7] = images[1, 0, 5, 12] = 0.5
    assert Economy(region=0.5, margin=0).box(images) == (slice(4, 6), slice(7, 13))
    assert Economy(region=0.5, margin=1).box(images) == (slice(3, 7), slice(6, 14))
    assert Economy(region=0.5, margin=1, downsample=(2, 3)).box(images) == (slice(2, 8), slice(6, 15))
    assert Economy(region=0.5, margin=99).box(images) == (slice(0, 9), slice(0, 20))
    assert Economy(region=0.6).box(images) == (slice(0, 9), slice(0, 20))  # nothing reaches it: nothing is left out


@given(images_and_boxes(), strategies.constructions, strategies.boundaries, st.sampled_from(["max", "average"]))
@settings(max_examples=40, deadline=None)
def test_region_and_downsampling_together(drawn, construction, boundary, pooling):
    image, box = drawn
    blocks = tuple(min(2, side) for side in image.shape)
    alone = np.zeros_like(image)
    alone[box] = slow_blown_up(image[box], blocks, pooling)
    economy = Economy(region=box, downsample=blocks, pooling=pooling)
    found = bars_left(image, economy, construction, boundary)
    np.testing.assert_allclose(found, slow_bars(alone, construction, boundary), atol=1e-12)
    assert economy.bar_error(batch(image)) == pytest.approx(np.abs(image - alone).max())


# ------------------------------------------------------------------------------------------------ least persistence


@given(
    strategies.images(),
    st.sampled_from([0.01, 0.05, 0.3, 0.6]),
    st.sampled_from([1, 2]),
    st.sampled_from([BettiPrior(1, 1, 1), BettiPrior(0, 0, 0), BettiPrior((0, 2), None, 1, weights=(2, 1, 0.5))]),
)
@settings(max_examples=60, deadline=None)
def test_what_short_bars_would_have_added_is_below_the_bound(image, least, power, prior):
    ranges = zip(prior.lower, prior.upper, strict=True)
    entries = [pair if cares else None for pair, cares in zip(ranges, prior.cares, strict=True)]
    prior = BettiPrior(*entries[: image.ndim], weights=prior.weights[: image.ndim])
    images = batch(image).requires_grad_()
    full = betti_prior_loss(images, prior, power=power)
    left = betti_prior_loss(images, prior, power=power, economy=Economy(min_persistence=least))
    diagrams = tp.persistence(images.detach())
    out = [
        (prior.weights[k], length)
        for k, rank, length in zip(
            diagrams.dimension.tolist(), diagrams.rank.tolist(), diagrams.persistence.tolist(), strict=True
        )
        if prior.upper[k] is not None and rank >= prior.upper[k] and length < least
    ]
    assert (full - left).item() == pytest.approx(sum(weight * length**power for weight, length in out), abs=1e-9)
    assert (full - left).item() <= len(out) * max(prior.weights) * least**power + 1e-9
    slopes = torch.autograd.grad(full, images)[0] - torch.autograd.grad(left, images)[0]
    steepest = sum(2 * weight * power * least ** (power - 1) for weight, _ in out)
    assert slopes.abs().sum().item() <= steepest + 1e-9
    again = betti_prior_loss_from_diagrams(tp.persistence(images), prior, power=power, min_persistence=least)
    assert again.item() == pytest.approx(left.item())


def test_a_wanted_bar_keeps_its_push_however_short():
    row = torch.tensor([[[0.9, 0.2, 0.25]]], requires_grad=True)
    betti_prior_loss(row, BettiPrior(2), economy=Economy(min_persistence=0.5)).backward()
    np.testing.assert_allclose(row.grad[0, 0], [-1.8, 0.1, -0.1], atol=1e-6)


# ------------------------------------------------------------------------------------------------ the doors


def test_every_loss_takes_an_economy():
    economy = Economy(downsample=2)
    row = torch.tensor([[[0.9, 0.9, 0.2, 0.7], [0.1, 0.1, 0.8, 0.3]]])
    expected = betti_prior_loss(row, BettiPrior(1), economy=economy)
    assert expected != betti_prior_loss(row, BettiPrior(1))
    assert tp.BettiPriorLoss(BettiPrior(1), economy=economy)(row) == expected
    classes = tp.ClassPriors({"A": (1,), "B": (1,)}, classes=("A", "B"))
    both = betti_prior_loss(row, BettiPrior(1), economy=economy, reduction="sum")
    assert tp.class_prior_loss(row, classes, economy=economy).item() == pytest.approx(both.item())
    assert tp.ClassPriorLoss(classes, economy=economy)(row).item() == pytest.approx(both.item())


def test_one_threshold_of_one_pixel_and_every_dtype():
    for dtype, (pooling, birth) in itertools.product(
        (torch.float16, torch.bfloat16, torch.float32, torch.float64), (("max", 1.0), ("average", 0.75))
    ):
        volume = torch.tensor([1.0, 0.5, 1.0, 0.5], dtype=dtype).view(1, 1, 2, 1, 2).requires_grad_()
        loss = betti_prior_loss(volume, BettiPrior(0, 0, 0), economy=Economy(downsample=(2, 1, 2), pooling=pooling))
        loss.backward()
        assert loss.dtype == dtype
        assert loss.item() == birth**2
        assert volume.grad.sum().item() == 2 * birth


def test_averages_of_ones_are_one():
    for block in range(2, 12):
        ones = torch.ones(1, 1, block + 1, block)
        assert bars_left(ones, Economy(downsample=block, pooling="average")) == [(0, 1.0, 0.0)]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"downsample": 0}, ValueError, "downsample must be at least 1, got 0"),
        ({"downsample": (2, 0)}, ValueError, r"downsample must be at least 1, got \(2, 0\)"),
        ({"downsample": ()}, ValueError, r"downsample must be a number, or one for each spatial axis, got \(\)"),
        ({"downsample": 2.0}, TypeError, r"downsample must be whole numbers, got 2\.0"),
        ({"downsample": True}, TypeError, "downsample must be whole numbers, got True"),
        ({"pooling": "min"}, ValueError, "pooling must be one of 'max', 'average', got 'min'"),
        ({"region": 0.0}, ValueError, "region must be greater than 0 and at most 1, or a box of slices, got 0"),
        ({"region": float("nan")}, ValueError, "region must be greater than 0 and at most 1, .* got nan"),
        ({"region": "all"}, TypeError, "region must be None, a number, or one slice per spatial axis, got 'all'"),
        ({"region": (1, 2)}, TypeError, r"region must be None, a number, or one slice per spatial axis, got \(1, 2\)"),
        ({"margin": -1}, ValueError, "margin must be at least 0, got -1"),
        ({"min_persistence": 1.0}, ValueError, "min_persistence must be at least 0 and less than 1, got 1"),
        ({"min_persistence": "0"}, TypeError, "min_persistence must be a number, got '0'"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Economy(**options)


@pytest.mark.parametrize(
    ("economy", "message"),
    [
        (Economy(downsample=(2, 2, 2)), r"one for each of the 2 spatial axes.*got \(2, 2, 2\) for sides \(4, 6\)"),
        (Economy(downsample=5), r"none greater than its side, got 5 for sides \(4, 6\)"),
        (Economy(region=(slice(0, 3),)), r"one slice for each spatial axis.*got \(slice\(0, 3, None\),\) for sides"),
        (Economy(region=(slice(0, 6), slice(0, 4))), "region must be one slice .* inside the image"),
        (Economy(region=(slice(2, 2), slice(0, 4))), "region must be one slice .* not empty"),
        (Economy(region=(slice(-3, 2), slice(0, 4))), "region must be one slice .* inside the image"),
        (Economy(region=(slice(0, 4, 2), slice(0, 4))), "region must be one slice .* of step 1"),
    ],
)
def test_what_does_not_fit_the_image_is_refused(economy, message):
    image = torch.full((1, 1, 4, 6), 0.5)
    with pytest.raises(ValueError, match=message):
        betti_prior_loss(image, BettiPrior(1, 0), economy=economy)
    with pytest.raises(ValueError, match=message):
        economy.bar_error(image)


@pytest.mark.parametrize("bad", [-0.5, 1.5, float("nan")])
def test_a_bad_value_is_refused_though_it_would_be_left_out(bad):
    image = torch.full((1, 1, 4, 6), 0.25)
    image[..., 3, 4:] = torch.tensor([bad, 0.75])
    for economy in (Economy(downsample=2), Economy(region=(slice(0, 2), slice(0, 6)))):
        with pytest.raises(ValueError, match="input must hold"):
            betti_prior_loss(image, BettiPrior(1, 0), economy=economy)


def test_only_an_economy_is_an_economy():
    with pytest.raises(TypeError, match=r"economy must be a topoprior\.Economy or None, got 2"):
        betti_prior_loss(torch.rand(1, 1, 4), BettiPrior(1), economy=2)
    diagrams = tp.persistence(torch.rand(1, 1, 4))
    with pytest.raises(ValueError, match="min_persistence must be at least 0 and less than 1, got 2"):
        betti_prior_loss_from_diagrams(diagrams, BettiPrior(1), min_persistence=2)


# ------------------------------------------------------------------------------------------------ refinement

ECONOMIES = [
    Economy(downsample=2),
    Economy(region=0.3),
    Economy(region=0.9, margin=0),
    Economy(region=0.3, downsample=(1, 2), pooling="average"),
    Economy(min_persistence=0.2),
]


@pytest.mark.parametrize("economy", ECONOMIES)
@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_refinement_counts_the_whole_map_and_takes_its_loss_from_the_economy(economy, boundary):
    generator = torch.Generator().manual_seed(4)
    for _ in range(5):
        image = torch.rand(1, 1, 6, 9, generator=generator)
        result = tp.refine_map(image, BettiPrior(1, 2), economy=economy, boundary=boundary, max_steps=3)
        assert result.history["topology"][0] == pytest.approx(
            betti_prior_loss(image, BettiPrior(1, 2), economy=economy, boundary=boundary).item()
        )
        assert torch.equal(result.betti_before, tp.betti_numbers(image >= 0.5, boundary=boundary))
        assert torch.equal(result.betti_after, tp.betti_numbers(result.mask, boundary=boundary))


def two_blobs():
    image = torch.full((1, 1, 8, 14), 0.05)
    image[..., 1:5, 1:5], image[..., 3:5, 9:11] = 0.9, 0.7
    return image


@pytest.mark.parametrize("economy", [Economy(region=0.3), Economy(min_persistence=0.2)])
def test_refinement_with_an_economy_removes_what_is_too_much(economy):
    assert tp.refine_map(two_blobs(), BettiPrior(1, 0), weight=1, economy=economy).stop_reason == "topology right"
    network, options = torch.nn.Conv2d(1, 1, 1), {"activation": "sigmoid", "max_steps": 2}
    assert tp.refine(network, two_blobs(), BettiPrior(1, 0), economy=economy, **options).steps <= 2


def test_a_maximum_is_content_with_a_dotted_bridge_and_refinement_says_so():
    result = tp.refine_map(two_blobs(), BettiPrior(1, 0), weight=1, economy=Economy(downsample=2), max_steps=60)
    assert result.history["topology"][-1] < 0.01  # for the loss there is one component
    assert not result.succeeded  # the dots of the bridge do not touch
    again = tp.refine_map(result.output, BettiPrior(1, 0), weight=1)
    assert again.stop_reason == "topology right"


def test_class_refinement_takes_an_economy():
    image = two_blobs()
    priors = tp.ClassPriors({"A": (1, 0)}, classes=("BG", "A"))
    both, economy = torch.cat((1 - image, image), 1), Economy(downsample=4)
    result = tp.refine_map(both, priors, weight=1, economy=economy, max_steps=1)
    assert result.history["topology"][0] == pytest.approx(tp.class_prior_loss(both, priors, economy=economy).item())
    assert result.history["topology"][0] != pytest.approx(tp.class_prior_loss(both, priors).item())


@pytest.mark.parametrize("refine", [tp.refine_map, partial(tp.refine, torch.nn.Identity())])
def test_refinement_refuses_what_is_no_economy(refine):
    with pytest.raises(TypeError, match=r"economy must be a topoprior\.Economy or None, got 2"):
        refine(torch.rand(1, 1, 4), BettiPrior(1), economy=2)
