import numpy as np
import pytest
import torch
from hypothesis import given, settings

import strategies
import topoprior as tp
from oracles import flood_fill

RING = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)


@given(strategies.masks(), strategies.constructions, strategies.boundaries)
@settings(max_examples=400, deadline=None)
def test_same_numbers_as_flood_fill(mask, construction, boundary):
    ours = tp.betti_numbers(mask[None, None], construction=construction, boundary=boundary)
    assert tuple(ours[0, 0].tolist()) == flood_fill.betti_numbers(mask, construction, boundary)


@pytest.mark.parametrize(("construction", "boundary"), [("T", "background"), ("V", "background"), ("T", "foreground")])
@pytest.mark.parametrize("shape", [(33, 47), (11, 14, 9)])
def test_same_numbers_as_flood_fill_on_larger_masks(shape, construction, boundary):
    mask = np.random.default_rng(0).random(shape) < 0.6
    ours = tp.betti_numbers(mask[None, None], construction=construction, boundary=boundary)
    assert tuple(ours[0, 0].tolist()) == flood_fill.betti_numbers(mask, construction, boundary)


def shell(hollow):
    """A solid 5 x 6 x 7 box inside zeros, with a hollow or without."""
    box = np.zeros((7, 8, 9), dtype=bool)
    box[1:6, 1:7, 1:8] = True
    if hollow:
        box[3, 3, 3] = False
    return box


def torus():
    box = shell(hollow=False)
    box[:, 3:5, 3:5] = False
    return box


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (shell(hollow=False), [1, 0, 0]),
        (shell(hollow=True), [1, 0, 1]),
        (torus(), [1, 1, 0]),
        (RING, [1, 1]),
        (np.array([1, 0, 1, 1, 0, 1], dtype=bool), [3]),
        (np.zeros((3, 4), dtype=bool), [0, 0]),
        (np.ones((3, 4), dtype=bool), [1, 0]),
        (np.ones((1, 1, 1), dtype=bool), [1, 0, 0]),
    ],
)
@pytest.mark.parametrize("construction", ["T", "V"])
def test_shapes_of_known_topology(mask, expected, construction):
    assert tp.betti_numbers(mask[None, None], construction=construction)[0, 0].tolist() == expected


def test_the_outside_as_foreground_is_a_component_of_its_own():
    inner = np.pad(RING, 2)[None, None]
    assert tp.betti_numbers(inner, boundary="foreground").tolist() == [[[2, 1]]]  # not joined to the ring
    assert tp.betti_numbers(np.zeros((1, 1, 3, 4)), boundary="foreground").tolist() == [[[1, 0]]]
    assert tp.betti_numbers(np.ones((1, 1, 3, 4)), boundary="foreground").tolist() == [[[1, 0]]]


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float64]
)
def test_any_type_of_zeros_and_ones(dtype):
    numbers = tp.betti_numbers(torch.from_numpy(RING)[None, None].to(dtype))
    assert numbers.dtype == torch.int64
    assert numbers.tolist() == [[[1, 1]]]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, ">f4", bool, np.uint8])
def test_any_type_of_array(dtype):
    assert tp.betti_numbers(RING[None, None].astype(dtype)).tolist() == [[[1, 1]]]


def test_batch_and_channels_keep_their_places():
    masks = torch.zeros(2, 3, 3, 4)
    masks[1, 2] = torch.from_numpy(RING)
    numbers = tp.betti_numbers(masks)
    assert numbers.shape == (2, 3, 2)
    assert numbers[1, 2].tolist() == [1, 1]
    assert int(numbers.sum()) == 2


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.tensor([[[0.0, 0.3]]]), ValueError, "mask must hold only 0 and 1, got 0.30.*probability >= 0.5"),
        (torch.tensor([[[0, 2]]]), ValueError, "mask must hold only 0 and 1, got 2: .*labels == 1"),
        (torch.tensor([[[0, 255]]], dtype=torch.uint8), ValueError, "got 255"),
        (torch.tensor([[[-1, 0]]]), ValueError, "got -1"),
        (torch.tensor([[[float("nan"), 0]]]), ValueError, "got nan"),
        (torch.zeros(3, 4), ValueError, "mask must have shape \\(batch, channel, \\*spatial\\).*got \\(3, 4\\)"),
        (torch.zeros(1, 0, 3), ValueError, "mask must not be empty"),
        (torch.zeros(1, 1, 3, dtype=torch.complex64), TypeError, "mask must hold only 0 and 1, got torch.complex64"),
        (np.zeros((1, 1, 3), complex), TypeError, "mask must hold only 0 and 1, got torch.complex128"),
        ([[0, 1]], TypeError, "mask must be a torch tensor or a numpy array, got list"),
    ],
)
def test_what_is_no_mask_is_refused(mask, error, message):
    with pytest.raises(error, match=message):
        tp.betti_numbers(mask)


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="construction must be one of 'T', 'V', got '8'"):
        tp.betti_numbers(torch.zeros(1, 1, 3), construction="8")
    with pytest.raises(ValueError, match="boundary must be one of 'background', 'foreground', got 'pad'"):
        tp.betti_numbers(torch.zeros(1, 1, 3), boundary="pad")


def test_a_boolean_mask_goes_through_vmap():
    masks = torch.rand(4, 1, 2, 6, 5, generator=torch.Generator().manual_seed(0)) > 0.4
    expected = torch.stack([tp.betti_numbers(mask) for mask in masks])
    assert torch.equal(torch.func.vmap(tp.betti_numbers)(masks), expected)
