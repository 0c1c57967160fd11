import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import morphology

import strategies
import topoprior as tp
from topoprior.baselines import Closing
from topoprior.baselines.closing import closing


def slow_closing(mask, radius):
    """By definition: on a wide margin of background, a pixel stays out if some ball that covers it misses the mask."""
    margin = radius
    canvas = np.pad(mask, margin)
    cube = itertools.product(range(-radius, radius + 1), repeat=mask.ndim)
    ball = [offset for offset in cube if np.dot(offset, offset) <= radius**2]

    def value(image, place, outside):
        inside = all(0 <= x < n for x, n in zip(place, image.shape, strict=True))
        return image[place] if inside else outside

    dilated = np.zeros_like(canvas)
    for place in np.ndindex(*canvas.shape):
        dilated[place] = any(value(canvas, tuple(np.add(place, o)), False) for o in ball)
    closed = np.zeros_like(mask)
    for place in np.ndindex(*mask.shape):
        closed[place] = all(value(dilated, tuple(np.add(place, margin) + o), False) for o in ball)
    return closed


@settings(max_examples=40, deadline=None)
@given(strategies.masks(), st.integers(0, 2))
def test_same_as_the_definition(mask, radius):
    np.testing.assert_array_equal(closing(mask, radius), slow_closing(mask, radius))


@pytest.mark.parametrize(("shape", "footprint"), [((40, 31), morphology.disk(7)), ((19, 14, 16), morphology.ball(4))])
def test_same_as_skimage_on_a_padded_image(shape, footprint):
    radius = len(footprint) // 2
    mask = np.random.default_rng(0).random(shape) > 0.97
    expected = morphology.closing(np.pad(mask, 2 * radius), footprint)[(slice(2 * radius, -2 * radius),) * mask.ndim]
    closed = closing(mask, radius)
    assert closed.sum() > mask.sum()
    np.testing.assert_array_equal(closed, expected)


def test_same_as_skimage_away_from_the_frame_and_not_at_it():
    mask = np.zeros((60, 50), dtype=bool)
    mask[20:40, 20:30] = np.random.default_rng(1).random((20, 10)) > 0.9
    np.testing.assert_array_equal(closing(mask, 7), morphology.closing(mask, morphology.disk(7)))
    beside_the_frame = np.zeros((9, 12), dtype=bool)
    beside_the_frame[:, 3] = True
    np.testing.assert_array_equal(closing(beside_the_frame, 4), beside_the_frame)
    assert morphology.closing(beside_the_frame, morphology.disk(4))[:, :3].all()  # the strip up to the frame


@settings(max_examples=50, deadline=None)
@given(strategies.masks(), st.integers(0, 4))
def test_contains_the_mask_and_a_second_closing_changes_nothing(mask, radius):
    closed = closing(mask, radius)
    assert (closed | ~mask).all()
    np.testing.assert_array_equal(closing(closed, radius), closed)


@settings(max_examples=50, deadline=None)
@given(strategies.masks(axes=(2,)), st.integers(0, 4), st.integers(1, 3))
def test_does_not_depend_on_where_the_frame_is(mask, radius, margin):
    wider = closing(np.pad(mask, margin), radius)
    np.testing.assert_array_equal(wider[margin:-margin, margin:-margin], closing(mask, radius))
    assert wider.sum() == closing(mask, radius).sum()


@pytest.mark.parametrize("fill", [False, True])
def test_empty_and_full_masks_stay(fill):
    mask = np.full((5, 8), fill)
    np.testing.assert_array_equal(closing(mask, 3), mask)


def test_a_broken_ring_is_mended():
    ring = torch.from_numpy(np.hypot(*np.mgrid[-20:21, -22:23]))
    probability = ((ring > 12) & (ring < 16)).float()[None, None]
    probability[..., 18:23, 30:45] = 0.4
    assert tp.betti_numbers(probability >= 0.5).tolist() == [[[1, 0]]]
    assert tp.betti_numbers(Closing(radius=5)(probability)).tolist() == [[[1, 1]]]


@pytest.mark.parametrize("shape", [(3, 1, 9), (2, 1, 6, 5), (1, 1, 4, 3, 5)])
def test_each_image_of_a_batch_is_closed_by_itself(shape):
    probability = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    closed = Closing(radius=2)(probability)
    assert closed.dtype == torch.bool
    assert closed.shape == shape
    for one, result in zip(probability, closed, strict=True):
        np.testing.assert_array_equal(result[0].numpy(), slow_closing(one[0].numpy() >= 0.5, 2))


def test_refuses_bad_radii_and_probabilities():
    with pytest.raises(TypeError, match=r"radius must be a whole number of pixels, got 7\.0"):
        Closing(radius=7.0)
    with pytest.raises(ValueError, match="radius must be from 0 to 1000 pixels, got 1001"):
        Closing(radius=1001)
    with pytest.raises(ValueError, match="radius must be from 0 to 1000 pixels, got -1"):
        Closing(radius=-1)
    with pytest.raises(ValueError, match=r"one channel, shape \(batch, 1, \*spatial\), got \(1, 2, 3, 3\)"):
        Closing()(torch.zeros(1, 2, 3, 3))
    with pytest.raises(ValueError, match=r"probability must hold probabilities in \[0, 1\], got values from -3\.0"):
        Closing()(torch.full((1, 1, 3, 3), -3.0))
    with pytest.raises(ValueError, match="finite values"):
        Closing()(torch.full((1, 1, 3, 3), float("nan")))
    with pytest.raises(TypeError, match="floating point probabilities"):
        Closing()(torch.ones(1, 1, 3, 3, dtype=torch.bool))
