import json

import numpy as np
import pytest
import torch
from skimage.morphology import closing, disk

import topoprior as tp


def blobs(size=40, gap=17, bridge=0.3):
    """Two large squares whose gap is wider than the disk of the closing; a line one pixel wide hints at a link."""
    image = torch.full((1, 1, size, size + 5), 0.02)
    left = (size + 5 - gap) // 2
    image[..., 10:30, 2:left] = 0.95
    image[..., 10:30, left + gap : -2] = 0.95
    image[..., 20, left : left + gap] = bridge
    return image


def test_a_small_false_region_is_suppressed():
    image = torch.full((1, 1, 24, 30), 0.05)
    image[..., 4:20, 4:20] = 0.9
    image[..., 8:11, 24:27] = 0.7
    result = tp.refine_map(image, tp.BettiPrior(1, 0))
    assert result.betti_before.tolist() == [[[2, 0]]]
    assert (result.betti_after.tolist(), result.stop_reason) == ([[[1, 0]]], "topology right")
    assert result.mask[..., 4:20, 4:20].all()
    assert result.mask.sum() == 16 * 16
    assert result.pixels_changed == 9


def test_two_large_regions_are_joined_by_a_thin_bridge_that_closing_cannot_build():
    image = blobs()
    closed = closing((image[0, 0] >= 0.5).numpy(), disk(7))
    assert tp.betti_numbers(torch.from_numpy(closed)[None, None]).tolist() == [[[2, 0]]]
    result = tp.refine_map(image, tp.BettiPrior(1, 0), weight=1)
    assert result.betti_after.tolist() == [[[1, 0]]]
    assert result.mask[0, 0, 20].nonzero().numel() == 45 - 4  # the line, and both squares whole
    assert result.pixels_changed == 17


@pytest.mark.parametrize("betti", [(1, 1), (1, 0), (0, 0), (2, 0)])
def test_one_map_under_several_priors(betti):
    """A ring with a faint gap and a second, fainter region: every one of these is a small change away."""
    image = torch.full((1, 1, 20, 26), 0.1)
    image[..., 3:15, 3:15] = 0.6
    image[..., 6:12, 6:12] = 0.1
    image[..., 8, 12:15] = 0.4
    image[..., 15:17, 20:22] = 0.55
    prior = tp.BettiPrior(*betti)
    result = tp.refine_map(image, prior, weight=1)
    assert result.succeeded
    assert tp.metrics.topological_success(result.mask, prior).item()
    assert result.betti_after.tolist() == [[list(betti)]]


def test_exact_zeros_and_ones_can_move():
    """One component too many, all values 0 or 1: the smaller one has to fall from 1, or the gap to rise from 0."""
    image = torch.zeros(1, 1, 12, 15)
    image[..., 2:10, 2:8] = 1
    image[..., 5, 11] = 1
    result = tp.refine_map(image, tp.BettiPrior(1, 0))
    assert result.succeeded
    assert 0 <= result.output.min() <= result.output.max() <= 1


def test_values_stay_in_bounds_however_far_the_steps_go():
    """Steps of 50 logits on values at the very bounds, long after the topology is right."""
    image = torch.zeros(1, 1, 12, 15, dtype=torch.float64)
    image[..., 2:10, 2:8] = 1
    image[..., 4:6, 4:6] = 0.1
    image[..., 5, 11] = 0.9
    seen = []
    result = tp.refine_map(
        image,
        tp.BettiPrior(1, 1),
        learning_rate=50,
        patience=1000,
        max_steps=40,
        callback=lambda *args: seen.append(args),
    )
    assert len(seen) == 41  # no state left [0, 1], which the engine would have refused
    assert result.succeeded


def test_a_map_of_ones_can_fall():
    """Everything is at a bound, where a plain logit would have no slope."""
    image = torch.ones(1, 1, 2, 3)
    result = tp.refine_map(image, tp.BettiPrior(0, 0), weight=1)
    assert result.succeeded
    assert result.output.max() < 0.5 - 0.05


def test_pixels_that_set_no_bar_keep_their_value_to_the_last_bit():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, 9, 11, generator=generator) * 0.1
    image[..., 2:7, 2:5] = 0.9 + 0.1 * torch.rand(5, 3, generator=generator)
    image[..., 4, 8] = 0.8
    result = tp.refine_map(image, tp.BettiPrior(1, None))
    assert result.succeeded
    moved = result.output != image
    assert 0 < moved.sum() < 0.6 * moved.numel()


def test_a_volume():
    """3-D: a cube with a cavity that a pinhole opens, and a loose voxel."""
    image = torch.full((1, 1, 9, 10, 11), 0.05)
    image[..., 2:7, 2:7, 2:7] = 0.9
    image[..., 4, 4, 4] = 0.1
    image[..., 4, 4, 5:7] = 0.35
    image[..., 7, 8, 9] = 0.6
    result = tp.refine_map(image, tp.BettiPrior(1, 0, 1), weight=1)
    assert result.betti_before.tolist() == [[[2, 0, 0]]]
    assert result.betti_after.tolist() == [[[1, 0, 1]]]


def test_an_already_right_map_comes_back_unchanged_at_once():
    image = blobs()
    result = tp.refine_map(image, tp.BettiPrior(2, 0))
    assert (result.stop_reason, result.steps, result.best_step, result.pixels_changed) == ("already right", 0, 0, 0)
    assert torch.equal(result.output, image)
    assert len(result.history["loss"]) == 1


def test_the_given_map_is_not_changed():
    image = blobs()
    copy = image.clone()
    tp.refine_map(image, tp.BettiPrior(1, 0), weight=1)
    assert torch.equal(image, copy)


def test_a_failed_run_rolls_back_to_the_reference():
    """Ten components out of a smooth hill: no trace of them, so no push."""
    axis = torch.linspace(-1, 1, 15)
    image = (1 - axis.abs() * 0.9)[None, None]
    result = tp.refine_map(image, tp.BettiPrior(10), max_steps=20)
    assert (result.succeeded, result.stop_reason, result.best_step) == (False, "no more steps", 0)
    assert torch.equal(result.output, image)
    assert result.pixels_changed == 0


def test_a_wanted_bar_of_length_zero_gets_no_push():
    """The documented limit: two components wanted in a map with one peak stay one, whatever the number of steps."""
    result = tp.refine_map(torch.tensor([[[0.1, 0.4, 0.9, 0.4, 0.1]]]), tp.BettiPrior(2), weight=1, max_steps=200)
    assert (result.succeeded, result.pixels_changed) == (False, 0)


def test_channels_have_their_own_priors_and_the_background_may_have_none():
    image = torch.cat((1 - blobs(), blobs()), dim=1)
    result = tp.refine_map(image, tp.BettiPrior(1, 0), include_background=False, weight=1)
    assert result.betti_after.tolist() == [[[1, 0]]]
    assert torch.equal(result.output[:, 0], image[:, 0])
    priors = [[tp.BettiPrior(1, 1), tp.BettiPrior(2, 0)]]
    result = tp.refine_map(image, priors, weight=1)
    assert result.betti_before.tolist() == [[[1, 2], [2, 0]]]
    assert result.betti_after.tolist() == [[[1, 1], [2, 0]]]


def test_two_runs_give_the_same_and_threads_do_not_matter():
    first, second = (tp.refine_map(blobs(), tp.BettiPrior(1, 0), weight=1, threads=threads) for threads in (1, 2))
    assert torch.equal(first.output, second.output)
    assert first.history == second.history


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_the_caller_records_no_gradients(mode):
    with mode():
        assert tp.refine_map(blobs(), tp.BettiPrior(1, 0), weight=1).succeeded


def test_arrays_and_types():
    array = blobs().double().numpy()
    array.flags.writeable = False
    assert tp.refine_map(array, tp.BettiPrior(1, 0), weight=1).output.dtype == torch.float64
    assert tp.refine_map(blobs().half(), tp.BettiPrior(1, 0), weight=1).output.dtype == torch.float32


def test_history_and_summary_are_equation_5():
    seen = []
    result = tp.refine_map(
        blobs(), tp.BettiPrior(1, 0), weight=0.7, callback=lambda step, terms: seen.append((step, terms))
    )
    history = result.history
    assert [step for step, _ in seen] == list(range(result.steps + 1))
    assert {name: [terms[name] for _, terms in seen] for name in history} == history
    assert history["fidelity"][0] == 0
    assert history["topology"][0] == pytest.approx(tp.betti_prior_loss(blobs(), tp.BettiPrior(1, 0)).item(), abs=1e-6)
    total = np.array(history["fidelity"]) + 0.7 * np.array(history["topology"])
    assert np.allclose(history["loss"], total, atol=1e-6)
    fidelity = ((result.output - blobs()) ** 2).mean().item()
    assert history["fidelity"][result.best_step] == pytest.approx(fidelity, abs=1e-9)
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert summary["betti_before"] == [[2, 0]]
    assert summary["betti_after"] == [[1, 0]]
    assert summary["pixels_changed"] == int((result.mask != (blobs() >= 0.5)).sum())


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (torch.rand(2, 1, 4, 5), {}, ValueError, r"one map of shape \(1, channel, \*spatial\), got \(2, 1, 4, 5\)"),
        (torch.rand(4, 5), {}, ValueError, r"must have shape \(batch, channel, \*spatial\).*got \(4, 5\)"),
        (torch.zeros(1, 1, 0, 5), {}, ValueError, "must not be empty"),
        (
            torch.full((1, 1, 4, 5), 3.0),
            {},
            ValueError,
            (
                r"probability must hold .*, got values from 3.0 to 3.0: if these are logits, apply "
                r"torch.sigmoid \(or torch.softmax over the channels\) first$"
            ),
        ),
        (torch.full((1, 1, 4, 5), float("nan")), {}, ValueError, "finite"),
        (torch.ones(1, 1, 4, 5, dtype=torch.int64), {}, TypeError, "floating point"),
        ([[0.5]], {}, TypeError, "tensor or a numpy array, got list"),
        (torch.rand(1, 1, 4, 5), {"weight": 0}, ValueError, "weight must be positive and finite, got 0"),
        (torch.rand(1, 1, 4, 5), {"learning_rate": -1}, ValueError, "learning_rate must be positive .* got -1"),
        (torch.rand(1, 1, 4, 5), {"max_steps": -1}, ValueError, "whole number of steps, at least 0, got -1"),
        (torch.rand(1, 1, 4, 5), {"max_steps": 1.5}, ValueError, "max_steps must be a whole number .* got 1.5"),
        (torch.rand(1, 1, 4, 5), {"max_steps": float("nan")}, ValueError, "max_steps must be a whole .* got nan"),
        (torch.rand(1, 1, 4, 5), {"max_steps": True}, TypeError, "max_steps must be a number, got True"),
        (torch.rand(1, 1, 4, 5), {"weight": "1"}, TypeError, "weight must be a number, got '1'"),
        (torch.rand(1, 1, 4, 5), {"learning_rate": None}, TypeError, "learning_rate must be a number, got None"),
        (torch.rand(1, 1, 4, 5), {"include_background": False}, ValueError, "leaves no channel"),
        (torch.rand(1, 1, 4, 5), {"margin": 0.6}, ValueError, "margin must be"),
        (torch.rand(1, 1, 4, 5), {"power": 3}, ValueError, "power must be 1 or 2, got 3"),
    ],
)
def test_bad_input_is_refused(image, options, error, message):
    with pytest.raises(error, match=message):
        tp.refine_map(image, tp.BettiPrior(1, 0), **options)


def test_a_prior_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="2 spatial axes"):
        tp.refine_map(torch.rand(1, 1, 4, 5), tp.BettiPrior(1, 0, 0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_in_cuda_out():
    result = tp.refine_map(blobs().cuda(), tp.BettiPrior(1, 0), weight=1)
    assert result.succeeded
    assert result.output.is_cuda
    assert result.mask.is_cuda
