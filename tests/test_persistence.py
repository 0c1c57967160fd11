"""The engine as users see it: equal to three oracles, with the properties that persistence has, and differentiable."""

import itertools
import math

import cripser
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import topoprior as tp
from oracles import boundary_matrix, flood_fill, gudhi_bridge
from oracles.row import Row, bars, rows_of

CONVENTIONS = list(itertools.product("TV", ("background", "foreground")))


def diagrams_of(image, construction="T", boundary="background", **options):
    return tp.persistence(image[None, None], construction=construction, boundary=boundary, **options)


def random_image(*shape, seed=0):
    """Image whose values, and lengths of bars, are all different."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distinct(*shape, seed=0, dtype=torch.float64):
    """Image of distinct values, evenly spaced inside (0, 1)."""
    size = math.prod(shape)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    return ((order + 1).to(dtype) / (size + 1)).reshape(shape)


# ---------------------------------------------------------------------------------------------------------- oracles


@given(strategies.images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=400, deadline=None)
def test_same_rows_as_the_boundary_matrix(image, construction, boundary):
    """Values and locations, ties included."""
    expected = boundary_matrix.rows(image, construction, boundary)
    assert rows_of(diagrams_of(image, construction, boundary)) == expected


@given(strategies.images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=300, deadline=None)
def test_same_bars_as_gudhi(image, construction, boundary):
    expected = gudhi_bridge.rows(image, construction, boundary)
    assert bars(rows_of(diagrams_of(image, construction, boundary))) == bars(expected)


@given(strategies.distinct_images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=200, deadline=None)
def test_same_locations_as_gudhi(image, construction, boundary):
    expected = gudhi_bridge.rows(image, construction, boundary)
    assert rows_of(diagrams_of(image, construction, boundary)) == expected


@pytest.mark.parametrize("shape", [(23, 31), (9, 11, 7), (20, 17, 23), (97,), (1, 40), (3, 1, 30)])
@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
def test_same_locations_as_gudhi_on_larger_images(shape, construction, boundary):
    image = distinct(*shape).numpy()
    assert rows_of(diagrams_of(image, construction, boundary)) == gudhi_bridge.rows(image, construction, boundary)


@given(strategies.distinct_images(axes=(2, 3), smallest=2), strategies.constructions)
@settings(max_examples=200, deadline=None)
def test_same_locations_as_cripser(image, construction):
    """Sides of 1 are left out: there cripser 0.0.37 connects nothing in the V-construction."""
    table = cripser.compute_ph(-image, filtration=construction, maxdim=image.ndim - 1)
    expected = []
    for dimension, birth, death, *places in table:
        birth_place, death_place = (tuple(int(c) for c in place[: image.ndim]) for place in (places[:3], places[3:]))
        birth_index = int(np.ravel_multi_index(birth_place, image.shape))
        if np.isinf(death):
            expected.append(Row(int(dimension), -birth, 0.0, birth_index, -1))
        else:
            death_index = int(np.ravel_multi_index(death_place, image.shape))
            expected.append(Row(int(dimension), -birth, -death, birth_index, death_index))
    assert rows_of(diagrams_of(image, construction)) == sorted(expected)


@given(
    strategies.images(), strategies.constructions, strategies.boundaries, st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0])
)
@settings(max_examples=300, deadline=None)
def test_bars_over_p_are_the_betti_numbers_of_the_mask_at_p(image, construction, boundary, p):
    expected = flood_fill.betti_numbers(image >= p, construction, boundary)
    assert tuple(diagrams_of(image, construction, boundary).betti_numbers(p)[0, 0].tolist()) == expected


# ------------------------------------------------------------------------------------------------------- properties


@given(strategies.images(), strategies.constructions, strategies.boundaries, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_flips_and_transposes_keep_the_bars(image, construction, boundary, random):
    axes = random.sample(range(image.ndim), image.ndim)
    flipped = np.flip(image.transpose(axes), [axis for axis in axes if random.random() < 0.5])
    expected = bars(rows_of(diagrams_of(image, construction, boundary)))
    assert bars(rows_of(diagrams_of(flipped, construction, boundary))) == expected


@given(strategies.images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=200, deadline=None)
def test_an_increasing_relabelling_keeps_the_pairs(image, construction, boundary):
    def pairs(values):
        return sorted((row.dimension, *row[3:]) for row in rows_of(diagrams_of(values, construction, boundary)))

    assert pairs(np.square(image) / 2) == pairs(image)


@given(strategies.images(), strategies.constructions)
@settings(max_examples=100, deadline=None)
def test_a_shift_moves_every_bar(image, construction):
    low, high = image / 2, image / 2 + 0.25
    moved = [
        Row(k, birth + 0.25, death + 0.25 * (death_index >= 0), birth_index, death_index)
        for k, birth, death, birth_index, death_index in rows_of(diagrams_of(low, construction))
    ]
    assert rows_of(diagrams_of(high, construction)) == sorted(moved)


@given(strategies.distinct_images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=200, deadline=None)
def test_foreground_and_background_are_dual(image, construction, boundary):
    """Alexander duality on the sphere: the background is the other construction, with the outside on the other side."""
    other = ("V" if construction == "T" else "T", "foreground" if boundary == "background" else "background")
    ours = [row for row in rows_of(diagrams_of(image, construction, boundary)) if row.death_index >= 0]
    dual = [
        Row(image.ndim - 1 - k, 1 - death, 1 - birth, death_index, birth_index)
        for k, birth, death, birth_index, death_index in rows_of(diagrams_of(1 - image, *other))
        if death_index >= 0
    ]
    assert ours == sorted(dual)


@given(strategies.images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=100, deadline=None)
def test_float32_equals_float64_on_values_that_both_represent(image, construction, boundary):
    single = rows_of(diagrams_of(image.astype(np.float32), construction, boundary))
    assert single == rows_of(diagrams_of(image, construction, boundary))


@pytest.mark.parametrize("shape", [(7, 3, 40, 33), (2, 1, 12, 15, 9), (1, 1, 44, 36, 40), (64, 1, 5)])
@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
def test_the_number_of_threads_changes_nothing(shape, construction, boundary):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1)).mul(16).round().div(16)
    one, four = (
        tp.persistence(images, construction=construction, boundary=boundary, threads=threads) for threads in (1, 4)
    )
    for name in ("births", "deaths", "dimension", "image", "rank", "birth_index", "death_index"):
        assert torch.equal(getattr(one, name), getattr(four, name)), name


@pytest.mark.parametrize("shape", [(3, 2, 6, 9), (2, 2, 4, 3, 5), (4, 1, 11)])
def test_a_batch_equals_a_loop(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    batch = tp.persistence(images)
    for number, image in enumerate(images.flatten(0, 1)):
        assert rows_of(batch, number) == rows_of(diagrams_of(image))


@given(strategies.images(), strategies.constructions, strategies.boundaries)
@settings(max_examples=100, deadline=None)
def test_rows_are_sorted_by_dimension_and_from_the_longest_bar(image, construction, boundary):
    diagrams = diagrams_of(image, construction, boundary)
    keys = list(
        zip(
            diagrams.dimension.tolist(),
            (-diagrams.persistence).tolist(),
            (diagrams.death_index >= 0).tolist(),  # the essential bar is first among equals
            diagrams.birth_index.tolist(),
            diagrams.death_index.tolist(),
            strict=True,
        )
    )
    assert keys == sorted(keys)
    for k in range(image.ndim):
        rank = diagrams.select(dimension=k).rank.tolist()
        assert rank == list(range(len(rank)))


def test_only_the_wanted_dimensions_are_returned():
    image = distinct(4, 5, 6)
    everything = rows_of(diagrams_of(image))
    for wanted in [(0,), (1,), (2,), (0, 2), (1, 2)]:
        assert rows_of(diagrams_of(image, dimensions=wanted)) == [row for row in everything if row.dimension in wanted]


# ----------------------------------------------------------------------------------------------- small cases by hand


def test_a_ring_cut_by_the_frame():
    """A half ring is no loop, unless the outside closes it."""
    image = np.zeros((3, 5))
    image[:2, 1:4] = 0.8
    image[0, 2] = 0.1
    assert rows_of(diagrams_of(image)) == [Row(0, 0.8, 0.0, 1, -1)]
    outside, loop = Row(0, 1.0, 0.0, -1, -1), Row(1, 0.8, 0.1, 7, 2)
    assert rows_of(diagrams_of(image, boundary="foreground")) == [outside, loop]


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1), (5,), (1, 5), (4, 1, 1)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_image_has_the_essential_bar_alone(shape, value):
    assert rows_of(diagrams_of(np.full(shape, value))) == [Row(0, value, 0.0, 0, -1)]
    assert rows_of(diagrams_of(np.full(shape, value), boundary="foreground")) == [Row(0, 1.0, 0.0, -1, -1)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_goes_through(dtype):
    image = distinct(3, 5).mul(16).div(256).to(dtype)  # exact in all of them
    diagrams = diagrams_of(image.requires_grad_())
    assert diagrams.births.dtype == diagrams.deaths.dtype == dtype
    assert rows_of(diagrams) == rows_of(diagrams_of(image.double()))
    diagrams.persistence.sum().backward()
    assert image.grad.dtype == dtype


def test_any_layout_gives_the_same_rows():
    image = distinct(6, 5).numpy()
    expected = rows_of(diagrams_of(image))
    read_only = image.copy()
    read_only.flags.writeable = False
    big_endian = image.astype(">f8")
    backwards = np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    for layout in (read_only, np.asfortranarray(image), backwards, big_endian, torch.from_numpy(image.T.copy()).T):
        assert rows_of(diagrams_of(layout)) == expected
    assert rows_of(tp.persistence(torch.from_numpy(image).expand(1, 3, 6, 5)), image=2) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MONAI imports
def test_metatensor_in_tensor_out():
    from monai.data import MetaTensor

    image = distinct(1, 1, 4, 5)
    diagrams = tp.persistence(MetaTensor(image))
    assert type(diagrams.births) is torch.Tensor
    assert rows_of(diagrams) == rows_of(tp.persistence(image))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_cuda_out():
    image = distinct(1, 1, 7, 9, dtype=torch.float32).cuda().requires_grad_()
    diagrams = tp.persistence(image)
    assert {diagrams.births.device, diagrams.birth_index.device} == {image.device}
    assert rows_of(diagrams) == rows_of(tp.persistence(image.cpu()))
    diagrams.persistence.pow(2).sum().backward()
    assert image.grad.device == image.device


# -------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4)])
@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
def test_first_and_second_derivatives(shape, construction, boundary):
    images = torch.stack([random_image(1, *shape, seed=seed) for seed in (0, 1)]).requires_grad_()

    def lengths(images):
        return tp.persistence(images, construction=construction, boundary=boundary).persistence ** 2

    assert torch.autograd.gradcheck(lengths, images)
    assert torch.autograd.gradgradcheck(lengths, images)


def test_each_end_of_a_bar_has_slope_one_at_its_pixel():
    image = torch.tensor([[[0.9, 0.2, 0.7]]], requires_grad=True)
    diagrams = tp.persistence(image)
    (gradient,) = torch.autograd.grad(diagrams.births[0], image, retain_graph=True)
    assert gradient.flatten().tolist() == [1, 0, 0]  # the essential bar reaches the arg-max pixel
    (gradient,) = torch.autograd.grad(diagrams.deaths[1], image)
    assert gradient.flatten().tolist() == [0, 1, 0]


def test_bars_that_share_a_pixel_add_their_gradients():
    """Four bright corners that the middle joins: it ends three bars at once."""
    image = torch.tensor([[1.0, 0, 0.9], [0, 0.5, 0], [0.8, 0, 0.7]], requires_grad=True)
    diagrams = diagrams_of(image)
    assert diagrams.death_index.tolist() == [-1, 4, 4, 4]
    diagrams.persistence.sum().backward()
    assert image.grad.tolist() == [[1, 0, 1], [0, -3, 0], [1, 0, 1]]


def test_ties_give_a_finite_gradient_at_the_first_pixel():
    image = torch.full((3, 4), 0.5, requires_grad=True)
    diagrams_of(image).persistence.sum().backward()
    assert image.grad.flatten().nonzero().flatten().tolist() == [0]


# ------------------------------------------------------------------------------------------------------- transforms


def total(images):
    return tp.persistence(images).persistence.pow(2).sum()


def test_vmap_and_its_gradient_equal_a_loop():
    stack = torch.rand(4, 2, 1, 6, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    expected = torch.stack([total(images) for images in stack])
    torch.testing.assert_close(torch.func.vmap(total)(stack), expected)
    torch.testing.assert_close(torch.func.vmap(total, in_dims=4)(stack.movedim(0, 4)), expected)
    gradient = torch.func.vmap(torch.func.grad(total))(stack)
    torch.testing.assert_close(gradient, torch.stack([torch.func.grad(total)(images) for images in stack]))


def test_vmap_of_vmap():
    stack = torch.rand(2, 3, 1, 1, 5, 4, generator=torch.Generator().manual_seed(4))
    expected = torch.stack([total(images) for images in stack.flatten(0, 1)]).view(2, 3)
    torch.testing.assert_close(torch.func.vmap(torch.func.vmap(total))(stack), expected)


def test_the_hessian_equals_that_of_the_same_pairs_held_fixed():
    image = random_image(1, 1, 3, 4)
    pairs = tp.persistence(image)

    def frozen(image):
        values = torch.cat(
            (image.flatten(), image.new_zeros(1))
        )  # index -1 is the zero at which the essential bar ends
        return (values[pairs.birth_index] - values[pairs.death_index]).pow(2).sum()

    ours, expected = (torch.func.jacrev(torch.func.grad(function))(image) for function in (total, frozen))
    torch.testing.assert_close(ours, expected)


def test_compiles_into_one_graph():
    images = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(5), requires_grad=True)
    compiled = torch.compile(total, fullgraph=True, backend="aot_eager")
    loss = compiled(images)
    loss.backward()
    torch.testing.assert_close(loss, total(images))
    torch.testing.assert_close(images.grad, torch.func.grad(total)(images.detach()))
