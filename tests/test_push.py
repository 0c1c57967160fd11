"""The push of `refine` and `refine_map`, on features of which the map shows no trace.

Everything here is exactly 0, or exactly 1, where the feature is to be: the paper's loss has nothing to act on.
"""

import pytest
import torch
from torch import nn

import topoprior as tp
from topoprior.refinement.goals import goal_of
from topoprior.refinement.optimisation import Settings
from topoprior.refinement.push import NearestEdit
from topoprior.refinement.stopping import StoppingRule


def broken_ring():
    image = torch.zeros(1, 1, 24, 27)
    image[..., 4:20, 5:21] = 1
    image[..., 8:16, 9:17] = 0
    image[..., :10, 11:15] = 0
    return image


def disc():
    image = torch.zeros(1, 1, 20, 23)
    image[..., 2:17, 5:20] = 1
    return image


def one_piece():
    image = torch.zeros(1, 1, 15, 21)
    image[..., 6:12, 9:18] = 1
    return image


def two_pieces():
    image = torch.zeros(1, 1, 24, 54)
    image[..., 4:20, 1:12] = 1
    image[..., 4:20, 42:53] = 1
    return image


class Painter(nn.Module):
    """A tiny network: a convolution, and a coarse code that shifts the logits of blocks of three by three pixels."""

    def __init__(self, image):
        super().__init__()
        self.read = nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            self.read.weight.fill_(8)
            self.read.bias.fill_(-4)
        self.code = nn.Parameter(torch.zeros(1, 1, *(side // 3 for side in image.shape[2:])))

    def forward(self, image):
        painted = nn.functional.interpolate(self.code, image.shape[2:], mode="nearest")
        return self.read(image) + painted


def refined(image, betti, *, network, **options):
    prior = tp.BettiPrior(*betti)
    if not network:
        return tp.refine_map(image, prior, max_steps=50, **options)
    image = image[..., : image.shape[2] // 3 * 3, : image.shape[3] // 3 * 3]
    options = {"activation": "sigmoid", "parameters": ["code"], "learning_rate": 0.1, **options}
    return tp.refine(Painter(image), image, prior, max_steps=50, **options)


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize(
    ("image", "betti"),
    [(broken_ring(), (1, 1)), (disc(), (1, 1)), (one_piece(), (2, 0)), (two_pieces(), (1, 0))],
    ids=["close a ring", "open a hole", "add a piece", "join two pieces"],
)
def test_the_push_does_what_the_loss_alone_cannot(image, betti, network):
    stuck = refined(image, betti, network=network)
    assert (stuck.succeeded, stuck.stop_reason, stuck.best_step) == (False, "no more steps", 0)
    assert stuck.pixels_changed == 0
    result = refined(image, betti, network=network, push=1)
    assert (result.succeeded, result.stop_reason) == (True, "topology right")
    assert tp.betti_numbers(result.mask).tolist() == [[list(betti)]]
    assert result.mask.ne(result.reference >= 0.5).float().mean() < 0.1  # what was there is still there


def test_a_piece_on_an_empty_map():
    """An exact 0 everywhere; a network's output never is."""
    image = torch.zeros(1, 1, 9, 12)
    assert not tp.refine_map(image, tp.BettiPrior(1, 0), max_steps=50).succeeded
    result = tp.refine_map(image, tp.BettiPrior(1, 0), max_steps=50, push=1)
    assert (result.succeeded, result.pixels_changed) == (True, 1)
    assert tp.refine_map(image, tp.BettiPrior(1, 1), max_steps=50, push=1).betti_after.tolist() == [[[1, 1]]]


def test_linear_lengths_cannot_close_the_ring_either():
    assert not refined(broken_ring(), (1, 1), network=False, power=1).succeeded


def test_the_two_ends_of_a_broken_ring_are_joined_and_nothing_else():
    image = broken_ring()
    result = refined(image, (1, 1), network=False, push=1)
    turned = result.mask != (image >= 0.5)
    rows, columns = turned[0, 0].nonzero().T.tolist()
    assert set(columns) == {11, 12, 13, 14}
    assert set(rows) <= set(range(1, 10))
    assert result.pixels_changed == 4


def test_in_3d_pieces_and_cavities():
    balls = torch.zeros(1, 1, 8, 9, 14)
    balls[..., 2:6, 2:6, 1:5] = 1
    balls[..., 2:6, 2:6, 9:13] = 1
    assert refined(balls, (1, 0, 0), network=False, push=1).pixels_changed == 4
    for betti in ((3, 0, 0), (2, 0, 1)):
        assert not refined(balls, betti, network=False).succeeded
        result = refined(balls, betti, network=False, push=1)
        assert (result.succeeded, result.pixels_changed) == (True, 1)


def test_the_distance_is_the_cost_of_the_edit_and_its_slope_one_in_each_of_its_pixels():
    row = torch.tensor([[[0.9, 0.2, 0.1, 0.4, 0.8]]], requires_grad=True)
    distance = NearestEdit(tp.BettiPrior(1), "T", "background", 0.5).distance(row)
    assert distance.item() == pytest.approx(0.3)  # to lower the end from 0.8; to raise the gap would cost 0.8
    (slope,) = torch.autograd.grad(distance, row)
    assert slope.tolist() == [[[0, 0, 0, 0, 1]]]
    row = torch.tensor([[[1.0, 0.4, 0.3, 0.45, 1.0]]], requires_grad=True)
    distance = NearestEdit(tp.BettiPrior(1), "T", "background", 0.5).distance(row)
    assert distance.item() == pytest.approx(0.35)
    (slope,) = torch.autograd.grad(distance, row)
    assert slope.tolist() == [[[0, -1, -1, -1, 0]]]


def test_pixels_right_at_the_threshold_are_pushed_too():
    flat = torch.full((1, 1, 2, 3), 0.5, requires_grad=True)
    distance = NearestEdit(tp.BettiPrior(0, 0), "T", "background", 0.5).distance(flat)
    assert distance.item() == 0
    assert (torch.autograd.grad(distance, flat)[0] == 1).all()


def test_an_edit_is_kept_while_it_would_do_and_no_longer():
    nearest = NearestEdit(tp.BettiPrior(1), "T", "background", 0.5)

    def pushed(*values):
        row = torch.tensor([[values]], requires_grad=True)
        return torch.autograd.grad(nearest.distance(row), row)[0].flatten().tolist()

    assert pushed(0.9, 0.0, 0.7, 0.0, 0.0) == [0, 0, 1, 0, 0]
    assert pushed(0.7, 0.0, 0.9, 0.0, 0.0) == [0, 0, 1, 0, 0]  # the first costs less by now, but what is begun goes on
    assert pushed(0.9, 0.0, 0.7, 0.0, 0.6) == [0, 0, 1, 0, 1]  # to lower the third alone would leave two


def test_there_is_no_push_once_the_topology_is_right_by_other_means():
    settings = Settings(
        weight=1,
        learning_rate=1,
        max_steps=1,
        rule=StoppingRule(threshold=0.5, margin=0.05, patience=1),
        construction="T",
        boundary="background",
        power=2,
        essential="finite",
        max_bars=None,
        economy=tp.Economy(),
        push=1,
        include_background=True,
        threads=None,
        callback=None,
    )
    wrong, right = torch.tensor([[[0.9, 0.0, 0.7]]]), torch.tensor([[[0.9, 0.6, 0.7]]])
    goal = goal_of(tp.BettiPrior(1), wrong, settings)
    for row, push in ((wrong, 0.2), (right, 0)):  # the edit lowers the third, and would do for both
        plain = tp.betti_prior_loss(row, tp.BettiPrior(1)).item()
        assert goal.topology(row)[0].item() == pytest.approx(plain + push)


def test_every_channel_has_its_own_edit_and_one_without_a_prior_none():
    image = torch.zeros(1, 3, 24, 27)
    image[:, 0], image[:, 1], image[:, 2, 2:17, 5:20] = broken_ring()[:, 0], broken_ring()[:, 0], 1
    priors = [[tp.BettiPrior(1, 1), tp.BettiPrior(1, 1)]]
    result = tp.refine_map(image, priors, include_background=False, push=1, max_steps=50)
    assert result.betti_after.tolist() == [[[1, 1], [1, 1]]]
    assert torch.equal(result.output[:, 0], image[:, 0])


def test_without_a_push_nothing_changes_and_where_nothing_is_wrong_neither():
    image = torch.rand(1, 1, 9, 11, generator=torch.Generator().manual_seed(1))
    plain, off = (tp.refine_map(image, tp.BettiPrior(1, 0), **options) for options in ({}, {"push": 0}))
    assert torch.equal(plain.output, off.output)
    assert plain.history == off.history
    assert tp.refine_map(disc(), tp.BettiPrior(1, 0), push=1).stop_reason == "already right"


def test_the_history_counts_the_push_as_topology():
    image = broken_ring()
    result = refined(image, (1, 1), network=False, push=3)
    plain = tp.betti_prior_loss(image, tp.BettiPrior(1, 1)).item()
    assert result.history["topology"][0] == pytest.approx(plain + 3 * 4 * 0.5)  # four pixels, half a unit each
    assert result.history["topology"][-1] < 0.6  # no distance is left


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_types(dtype):
    assert refined(broken_ring().to(dtype), (1, 1), network=False, push=1).succeeded


def test_bad_pushes_are_refused():
    image = disc()
    for push in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"push must be at least 0 and finite, got {push}"):
            tp.refine_map(image, tp.BettiPrior(1, 1), push=push)
    with pytest.raises(TypeError, match="push must be a number, got True"):
        tp.refine(nn.Conv2d(1, 1, 1), image, tp.BettiPrior(1, 1), activation="sigmoid", push=True)
