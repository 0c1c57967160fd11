import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.morphology import skeletonize

from topoprior.evaluation.skeleton import cl_dice, skeleton

masks = st.sampled_from([(4, 6), (1, 5), (3, 2, 4), (4, 4, 3)]).flatmap(lambda shape: arrays(bool, shape))


def test_by_hand():
    """Two lines of one row, columns 4 to 11 and 0 to 9: six columns in common, of eight and of ten."""
    prediction, target = torch.zeros(1, 1, 5, 12), torch.zeros(1, 1, 5, 12)
    prediction[..., 2, 4:] = 1
    target[..., 2, :10] = 1
    expected = 2 * (6 / 8) * (6 / 10) / (6 / 8 + 6 / 10)
    assert cl_dice(prediction, target).item() == pytest.approx(expected)
    assert cl_dice(prediction.transpose(2, 3), target.transpose(2, 3)).item() == pytest.approx(expected)


def test_shares_are_of_the_skeletons_not_of_the_masks():
    """A thick rod around a line finds all of it; of its own skeleton only what lies on the line is right."""
    line, rod = torch.zeros(1, 1, 5, 9), torch.zeros(1, 1, 5, 9)
    line[..., 2, 1:8] = 1
    rod[..., 1:4, 1:8] = 1
    thin = skeleton(rod[0, 0].numpy() > 0)
    assert 5 <= thin.sum() <= 7
    precision = (thin & (line[0, 0].numpy() > 0)).sum() / thin.sum()
    assert cl_dice(rod, line).item() == pytest.approx(2 * precision / (precision + 1))


def test_a_gap_costs_more_centreline_than_a_rough_edge():
    rod = torch.zeros(1, 1, 5, 12)
    rod[..., 1:4, :] = 1
    gap, rough = rod.clone(), rod.clone()
    gap[..., 5:7] = 0  # six pixels
    rough[..., 1, ::2] = 0  # six pixels
    assert cl_dice(gap, rod).item() < cl_dice(rough, rod).item()


@pytest.mark.parametrize("shape", [(4, 7), (1, 1), (3, 4, 5), (2, 2, 2)])
def test_empty_masks(shape):
    empty, full = torch.zeros(1, 2, *shape), torch.ones(1, 2, *shape)
    assert cl_dice(empty, empty).tolist() == [[1.0, 1.0]]
    assert cl_dice(full, empty).tolist() == [[0.0, 0.0]]
    assert cl_dice(empty, full).tolist() == [[0.0, 0.0]]
    assert cl_dice(full, full).tolist() == [[1.0, 1.0]]


def test_single_pixels_and_masks_side_by_side():
    left, right = torch.zeros(2, 1, 3, 5), torch.zeros(2, 1, 3, 5)
    left[:, 0, 0, 0] = 1
    right[0, 0, 0, 1] = right[1, 0, 0, 0] = 1
    assert cl_dice(left, right).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("sides", [(2, 2, 2), (4, 4, 4), (2, 2, 12), (2, 12, 4), (12, 2, 2)])
def test_even_widths_that_thinning_erases_keep_a_skeleton(sides):
    volume = np.zeros((14, 15, 16), dtype=bool)
    volume[tuple(slice(1, 1 + side) for side in sides)] = True
    assert not skeletonize(volume).any()  # scikit-image issue 3757; once mended, `skeleton` can be one line
    thin = skeleton(volume)
    assert not (thin & ~volume).any()
    assert thin.sum() >= max(sides) - 4  # along a rod, not one voxel of it
    assert cl_dice(volume[None, None], volume[None, None]).item() == 1.0


def test_what_no_layer_helps_keeps_its_innermost_voxel():
    volume = np.zeros((8, 5, 9), dtype=bool)
    volume[1:7, 1:3, 1:7] = True
    volume[0, 4, 8] = True  # a component of its own, which keeps its voxel
    thin = skeleton(volume)
    assert np.argwhere(thin).tolist() == [[0, 4, 8], [1, 1, 1]]


@pytest.mark.parametrize("shape", [(4, 6), (4, 4, 5)])
def test_every_component_has_a_skeleton_inside_and_what_thinning_leaves_is_left_as_it_is(shape):
    generator, everywhere, erased = np.random.default_rng(0), np.ones((3,) * len(shape)), 0
    for _ in range(700):
        mask = generator.random(shape) < generator.random()
        thin, theirs = skeleton(mask), skeletonize(mask)
        assert not (thin & ~mask).any()
        components, count = ndimage.label(mask, everywhere)
        assert ndimage.label(thin, everywhere)[1] >= count
        kept = np.isin(components, components[theirs])
        assert np.array_equal(thin & kept, theirs)
        erased += bool((mask & ~kept).any())
        assert np.unique(components[thin]).size == count
    assert (erased > 0) == (len(shape) == 3)


@settings(deadline=None)  # the first call loads scikit-image
@given(masks, st.randoms(use_true_random=False))
def test_bounds_and_symmetry(mask, random):
    other = np.array([value and random.random() < 0.8 for value in mask.ravel()], dtype=bool).reshape(mask.shape)
    there, back = cl_dice(mask[None, None], other[None, None]), cl_dice(other[None, None], mask[None, None])
    assert torch.equal(there, back)
    assert 0 <= there.item() <= 1
    assert cl_dice(mask[None, None], mask[None, None]).item() == 1.0


@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 5)])
def test_room_around_the_masks_changes_nothing(shape):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.rand(2, 20, 2, *shape, generator=generator) < 0.6
    ours[0, 0], theirs[1, 0], ours[2], theirs[2] = False, False, False, False
    room = (1, 4) * len(shape)
    padded = cl_dice(torch.nn.functional.pad(ours, room), torch.nn.functional.pad(theirs, room))
    assert torch.equal(cl_dice(ours, theirs), padded)
    assert padded.unique().numel() > 10


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_has_the_skeleton_that_it_has_among_empty_ones(axis):
    """Of a volume of one slice along its first axis scikit-image looks at four of the six sides of a voxel only."""
    plane = np.array([[1, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]], dtype=bool)
    alone, among = np.expand_dims(plane, axis), np.stack([plane * 0, plane, plane * 0], axis) > 0
    assert np.array_equal(skeleton(alone), skeleton(among).take([1], axis))


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"2 or 3 spatial axes, got masks of shape \(1, 1, 4\)"):
        cl_dice(torch.ones(1, 1, 4), torch.ones(1, 1, 4))
    with pytest.raises(ValueError, match="same shape"):
        cl_dice(torch.ones(1, 1, 3, 4), torch.ones(1, 1, 4, 3))
    with pytest.raises(ValueError, match="prediction must hold only 0 and 1"):
        cl_dice(torch.full((1, 1, 3, 4), 0.5), torch.ones(1, 1, 3, 4))


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.morphology", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[metrics\]'"):
        cl_dice(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
