import pytest
import torch

from topoprior.topology.pairing import persistence_pairs

ALL = {"construction": "T", "boundary": "background", "dimensions": 0b11, "threads": 1}


def stack(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_rows_are_grouped_by_image_and_dimension_with_ranks():
    two_blobs = torch.tensor([[0.9, 0.0, 0.8, 0.0, 0.7]])
    ring = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.25, 1.0], [1.0, 1.0, 1.0]])
    images = torch.zeros(2, 3, 5)
    images[0, 1:2] = two_blobs
    images[1, :, 1:4] = ring
    pairs = persistence_pairs(images, **ALL)
    assert pairs.image.tolist() == [0, 0, 0, 1, 1]
    assert pairs.dimension.tolist() == [0, 0, 0, 0, 1]
    assert pairs.rank.tolist() == [0, 1, 2, 0, 0]
    assert pairs.ends[0].tolist()[:3] == [5, 7, 9]
    assert pairs.ends[1].tolist()[-1] == 7


def test_unwanted_dimensions_are_left_out():
    images = stack(3, 6, 7)
    whole = persistence_pairs(images, **ALL)
    loops = persistence_pairs(images, **{**ALL, "dimensions": 0b10})
    kept = whole.dimension == 1
    for column, expected in zip(loops, whole, strict=True):
        assert torch.equal(column, expected[..., kept])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_value_types(dtype):
    images = (stack(2, 5, 6) > 0.5).to(dtype)
    for column, expected in zip(
        persistence_pairs(images, **ALL), persistence_pairs(images.float(), **ALL), strict=True
    ):
        assert column.dtype == torch.int64
        assert torch.equal(column, expected)


def test_the_operator_is_registered_as_torch_wants_it():
    result = torch.library.opcheck(
        torch.ops.topoprior.persistence_pairs.default, (stack(2, 2, 5, 6), "V", "foreground", 0b11, 1)
    )
    assert set(result.values()) == {"SUCCESS"}
    assert len(result) == 4


def test_no_gradient_is_promised():
    pairs = persistence_pairs(stack(1, 5, 6).requires_grad_(), **ALL)
    assert not any(column.requires_grad for column in pairs)


def test_vmap_fills_shorter_cases_with_rows_that_are_no_bars():
    noise, flat = stack(1, 4, 5), torch.zeros(1, 4, 5)
    pairs = torch.func.vmap(lambda images: persistence_pairs(images, **ALL))(torch.stack((noise, flat)))
    expected = persistence_pairs(noise, **ALL)
    assert len(expected.rank) > 1
    for column, alone in zip(pairs, expected, strict=True):
        assert torch.equal(column[0], alone)
    assert [column[1, ..., 0].tolist() for column in pairs] == [[0, -1], 0, 0, 0, [0, 0]]  # the bar of the flat image
    for column, filling in zip(pairs, (-1, -1, 0, 0, 0), strict=True):
        assert set(column[1, ..., 1:].flatten().tolist()) == {filling}


def test_places_count_through_the_images_of_a_case():
    cases = stack(3, 2, 4, 5)  # (cases, images, *spatial)
    pairs = torch.func.vmap(lambda images: persistence_pairs(images, **ALL))(cases)
    expected = torch.where(pairs.ends >= 0, pairs.ends + 20 * pairs.image[:, None], 0)
    assert torch.equal(pairs.places, expected)
    assert pairs.places.max() > 20


def test_vmap_along_any_axis_of_the_operator_itself():
    def operator(values):
        return torch.ops.topoprior.persistence_pairs(values, "T", "background", 0b11, 1)

    cases = stack(3, 1, 2, 4, 5)  # (stacked, cases, images, *spatial)
    expected = torch.func.vmap(operator)(cases)
    assert torch.equal(expected[2, :, :, : operator(cases[2]).shape[-1]], operator(cases[2]))
    assert torch.equal(torch.func.vmap(operator, in_dims=3)(cases.movedim(0, 3)), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 2.0, -1.0])
def test_bad_values_are_named_under_vmap_too(bad):
    images = stack(3, 1, 4, 5)
    images[2, 0, 1, 1] = bad
    with pytest.raises(ValueError, match="images must hold"):
        torch.func.vmap(lambda images: persistence_pairs(images, **ALL).rank)(images)


def test_what_the_core_itself_refuses_is_passed_on():
    with pytest.raises(ValueError, match="construction"):
        persistence_pairs(stack(1, 4, 5), **{**ALL, "construction": "X"})


def test_the_input_is_left_alone():
    images = stack(2, 5, 6)
    before = images.clone()
    persistence_pairs(images, **ALL)
    assert torch.equal(images, before)
