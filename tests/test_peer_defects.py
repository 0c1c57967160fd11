"""Defects found in other programs, each as a test that this one passes."""

import math

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior import BettiPrior, BettiPriorLoss, betti_numbers, betti_prior_loss


def blobs(first=0.9, second=0.8):
    image = torch.zeros(1, 1, 5, 9)
    image[..., 2, 2] = first
    image[..., 2, 6] = second
    return image.requires_grad_()


def ring_in(height, width):
    image = np.zeros((1, 1, height, width))
    image[..., 3:9, 5:13] = 1
    image[..., 5:7, 8:10] = 0
    return image


def test_mmmmimic_topo_loss_one_component_asked_for_two():
    """There the finite bars alone were rewarded, although the essential one is a component already."""
    image = blobs()
    loss = betti_prior_loss(image, BettiPrior(1, None))
    assert loss.item() == pytest.approx(1 - 0.81 + 0.64)
    loss.backward()
    assert image.grad[0, 0, 2, 2].item() == pytest.approx(-1.8)  # descent raises the first blob
    assert image.grad[0, 0, 2, 6].item() == pytest.approx(1.6)  # and lowers the second


def test_byrne_no_component_wanted_all_but_one():
    """There the slice [:prior - 1] of prior 0 rewarded all bars but one, and the essential birth had no part."""
    image = blobs()
    loss = betti_prior_loss(image, BettiPrior(0, None))
    assert loss.item() == pytest.approx(0.81 + 0.64)
    loss.backward()
    assert image.grad[0, 0, 2, 2].item() == pytest.approx(1.8)
    assert image.grad[0, 0, 2, 6].item() == pytest.approx(1.6)


def test_topograd_no_component_and_one_component_were_the_same():
    nothing, one = (betti_prior_loss(blobs(1.0, 0.0), BettiPrior(number, 0)).item() for number in (0, 1))
    assert (nothing, one) == (1.0, 0.0)


def test_toplayer_freudenthal_corner_contact_depended_on_the_diagonal():
    main = torch.eye(2)[None, None]
    other = main.flip(-1)
    assert betti_numbers(main).tolist() == betti_numbers(other).tolist() == [[[1, 0]]]
    for mask in (main, other):
        assert betti_numbers(mask, construction="V").tolist() == [[[2, 0]]]


def test_toplayer_freudenthal_diamond_ring_had_four_components_and_no_loop():
    y, x = torch.meshgrid(torch.arange(-3, 4), torch.arange(-4, 5), indexing="ij")
    diamond = (abs(x) + abs(y) == 2)[None, None]
    assert betti_numbers(diamond).tolist() == [[[1, 1]]]
    assert betti_numbers(diamond, construction="V").tolist() == [[[8, 0]]]


@pytest.mark.parametrize(("height", "width"), [(12, 20), (20, 14)])
def test_torch_topological_ring_in_an_oblong_image_fell_apart(height, width):
    """There, and in the loss of Hu et al., a C-order image was read in Fortran order: 12 components, no loop."""
    assert betti_numbers(ring_in(height, width)).tolist() == [[[1, 1]]]
    assert tp.persistence(ring_in(height, width)).betti_numbers().tolist() == [[[1, 1]]]


def test_torch_topological_superlevel_values_kept_their_minus_sign():
    diagrams = tp.persistence(0.75 * ring_in(12, 20))
    assert diagrams.births.tolist() == [0.75, 0.75]
    assert diagrams.deaths.tolist() == [0.0, 0.0]


def test_hu_topoloss_and_pytorch_connectomics_logits_were_taken_as_probabilities():
    with pytest.raises(ValueError, match="if these are logits"):
        BettiPriorLoss(BettiPrior(1, 1))(torch.tensor([[[[-2.0, 2.0]]]]))


def test_topolosses_empty_prediction_cost_nothing():
    empty = torch.zeros(1, 1, 8, 9)
    assert betti_prior_loss(empty, BettiPrior(1, 0)).item() == 1.0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("construction", ["T", "V"])
def test_topolosses_sphere_padded_two_of_three_axes(axis, construction):
    """A bar through the volume closes to a loop through the outside, along each axis."""
    volume = np.zeros((5, 6, 7))
    through = [2, 3, 3]
    through[axis] = slice(None)
    volume[tuple(through)] = 1
    numbers = betti_numbers(volume[None, None], boundary="foreground", construction=construction)
    assert numbers.tolist() == [[[1, 1, 0]]]


def test_topolosses_something_was_printed(capsys):
    betti_prior_loss(torch.rand(2, 1, 6, 7), BettiPrior(1, 1))
    assert capsys.readouterr() == ("", "")


def test_cripser_torch_batch_was_one_four_dimensional_volume():
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    diagrams = tp.persistence(images)
    assert set(diagrams.dimension.tolist()) == {0, 1}
    assert (diagrams.death_index == -1).sum().item() == 6  # one essential component for each image and channel
    flat = [betti_numbers(image[None, None] >= 0.5).flatten().tolist() for image in images.flatten(0, 1)]
    assert diagrams.betti_numbers().flatten(0, 1).tolist() == flat


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 6, 1), (6,)])
def test_cripser_v_construction_side_of_one_fell_into_single_pixels(shape):
    row = torch.tensor([0.9, 0.8, 0.7, 0.2, 0.6, 0.5]).reshape(1, 1, *shape)
    diagrams = tp.persistence(row, construction="V")
    assert diagrams.birth_index.tolist() == [0, 4]
    assert diagrams.death_index.tolist() == [-1, 3]


def test_oineus_essential_bar_and_bfloat16_were_refused():
    diagrams = tp.persistence(torch.tensor([[[0.75, 0.25, 0.5]]], dtype=torch.bfloat16))
    assert diagrams.births.tolist() == [0.75, 0.5]
    assert diagrams.deaths.tolist() == [0.0, 0.25]


def test_betti_matching_and_cripser_infinite_death_was_a_large_number():
    diagrams = tp.persistence(torch.rand(1, 1, 5, 6))
    assert diagrams.persistence.max().item() <= 1
    assert diagrams.death_index[0].item() == -1


def test_cldice_and_monai_single_channel_had_no_loss_and_no_gradient():
    image = blobs()
    loss = BettiPriorLoss(BettiPrior(1, 0))(image)
    loss.backward()
    assert loss.item() > 0.8
    assert image.grad.abs().sum().item() > 3


def test_gudhi_1d_array_crashed_and_1x5_image_failed():
    for shape in ((5,), (1, 5)):
        row = torch.tensor([0.1, 0.9, 0.3, 0.8, 0.2]).reshape(1, 1, *shape)
        assert tp.persistence(row).birth_index.tolist() == [1, 3]


def test_ripser_py_unsigned_images_wrapped_around():
    mask = ring_in(12, 20)
    assert torch.equal(betti_numbers(mask.astype(np.uint8)), betti_numbers(mask))


def test_a_public_fork_cut_the_graph_with_torch_tensor():
    image = blobs()
    loss = betti_prior_loss(image, BettiPrior(1, 0))
    assert loss.requires_grad
    (gradient,) = torch.autograd.grad(loss, image)
    assert gradient.count_nonzero().item() == 3  # two peaks, and the pixel between them


def test_gradient_reaches_exactly_the_pixels_that_set_bars():
    """Sparse by nature, in every program: a noisy ring of 80 x 80 pixels and its critical pixels."""
    y, x = torch.meshgrid(torch.linspace(-2, 2, 80), torch.linspace(-2, 2, 80), indexing="ij")
    generator = torch.Generator().manual_seed(0)
    clean = torch.exp(-4 * (torch.hypot(x, y) - 1) ** 2)
    image = (0.8 * clean + 0.2 * torch.rand(80, 80, generator=generator))[None, None].requires_grad_()
    diagrams = tp.persistence(image)
    betti_prior_loss(image, BettiPrior(1, 1)).backward()
    critical = {index for index in (*diagrams.birth_index.tolist(), *diagrams.death_index.tolist()) if index >= 0}
    reached = set(image.grad.flatten().nonzero().flatten().tolist())
    assert reached == critical
    assert 100 < len(reached) < 2 * len(diagrams) < 6400


def test_several_peers_read_nan_and_infinity_as_values():
    for bad in (math.nan, math.inf):
        image = torch.full((1, 1, 4, 5), 0.5)
        image[..., 1, 2] = bad
        with pytest.raises(ValueError, match="finite values"):
            tp.persistence(image)
