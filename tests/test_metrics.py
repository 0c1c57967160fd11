import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import topoprior as tp
from topoprior.evaluation.metrics import betti_error, dice, topological_success

# A diamond of eight pixels: one ring through corners (T), eight lone pixels through faces (V).
DIAMOND = torch.tensor(
    [
        [0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],
        [0, 1, 0, 1, 0],
        [0, 0, 1, 0, 0],
    ]
)[None, None]
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=6))


def test_success_follows_the_construction():
    assert topological_success(DIAMOND, tp.BettiPrior(1, 1)).tolist() == [[True]]
    assert topological_success(DIAMOND, tp.BettiPrior(1, 1), construction="V").tolist() == [[False]]
    assert topological_success(DIAMOND, tp.BettiPrior(8, 0), construction="V").tolist() == [[True]]


def test_success_follows_the_boundary():
    """An arch that ends at the frame: its inside is a hole only if the outside is foreground."""
    arch = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 0, 1, 0]])[None, None]
    assert topological_success(arch, tp.BettiPrior(1, 0)).item()
    assert topological_success(arch, tp.BettiPrior(1, 1), boundary="foreground").item()


def test_errors_for_one_prior_per_image_and_per_channel():
    images = torch.cat((DIAMOND, torch.zeros_like(DIAMOND)))  # betti (1, 1) and (0, 0)
    assert betti_error(images, [tp.BettiPrior(1, 1), tp.BettiPrior(0, 0)]).tolist() == [[[0, 0]], [[0, 0]]]
    assert betti_error(images, [tp.BettiPrior(3, 0), tp.BettiPrior((1, 2), None)]).tolist() == [[[2, 1]], [[1, 0]]]
    channels = torch.cat((DIAMOND, torch.zeros_like(DIAMOND)), dim=1)
    assert betti_error(channels, [[tp.BettiPrior(1, 1), tp.BettiPrior(1, 2)]]).tolist() == [[[0, 0], [1, 2]]]


@given(masks, st.integers(0, 3), st.integers(0, 2))
def test_success_means_that_the_prior_is_satisfied(mask, components, loops):
    mask = torch.from_numpy(mask)[None, None]
    prior = tp.BettiPrior((components, components + 1), (loops, None))
    expected = prior.is_satisfied_by(tp.betti_numbers(mask))
    assert torch.equal(topological_success(mask, prior), expected)


def test_success_refuses_probabilities():
    with pytest.raises(ValueError, match="mask"):
        topological_success(torch.full((1, 1, 3, 3), 0.7), tp.BettiPrior(1, 0))


def test_dice_by_hand():
    prediction = torch.tensor([[[1, 1, 1, 0]], [[1, 0, 0, 0]]])
    target = torch.tensor([[[1, 0, 0, 0]], [[0, 0, 0, 1]]])
    assert dice(prediction, target).tolist() == [[0.5], [0.0]]


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = torch.zeros(1, 2, 3, 4), torch.ones(1, 2, 3, 4)
    assert dice(empty, empty).tolist() == [[1.0, 1.0]]
    assert dice(empty, full).tolist() == [[0.0, 0.0]]
    assert dice(full, full).tolist() == [[1.0, 1.0]]


@given(masks)
def test_dice_is_symmetric_and_within_bounds(mask):
    mask = torch.from_numpy(mask)[None, None]
    other = mask.flip(-1)
    assert torch.equal(dice(mask, other), dice(other, mask))
    assert 0 <= dice(mask, other).item() <= 1


def test_dice_refuses_what_is_no_pair_of_masks():
    mask = torch.ones(1, 1, 3, 3)
    with pytest.raises(ValueError, match=r"same shape, got \(1, 1, 3, 3\) and \(1, 1, 3, 4\)"):
        dice(mask, torch.ones(1, 1, 3, 4))
    with pytest.raises(ValueError, match="prediction must hold only 0 and 1"):
        dice(0.7 * mask, mask)
    with pytest.raises(ValueError, match=r"target must have shape \(batch, channel, \*spatial\) .*, got \(3, 3\)"):
        dice(mask, torch.ones(3, 3))
    with pytest.raises(ValueError, match="prediction must not be empty"):
        dice(mask[:0], mask[:0])
    with pytest.raises(TypeError, match="prediction must be a torch tensor or a numpy array, got list"):
        dice([[[1, 0]]], mask)


def test_dice_takes_arrays_as_the_other_metrics_do():
    mask = np.array([[[True, True, False, False]]])
    assert dice(mask, torch.tensor([[[1, 0, 0, 0]]])).item() == pytest.approx(2 / 3)


def test_every_metric_is_behind_one_door():
    pair = torch.tensor([[[[1, 1, 0], [0, 0, 0]]]]), torch.tensor([[[[1, 1, 1], [0, 0, 0]]]])
    assert tp.metrics.dice(*pair).item() == 0.8
    assert tp.metrics.cl_dice(*pair).item() == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    assert tp.metrics.hausdorff95(*pair, spacing=(1, 3)).item() == pytest.approx(0.9 * 3)  # of distances 0, 0, 3
    assert tp.metrics.average_surface_distance(*pair, spacing=(1, 3)).item() == pytest.approx(3 / 5)
