"""Diagrams in the forms of other libraries: the same bars as GUDHI finds, taken by GUDHI, and the same after return."""

import gudhi
import gudhi.representations
import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.topology.exchange import from_arrays, from_pairs, from_table, to_arrays, to_pairs, to_table

IMAGE = np.random.default_rng(0).random((6, 9))
STACK = torch.from_numpy(np.random.default_rng(1).random((2, 3, 5, 4)))
COLUMNS = ("births", "deaths", "dimension", "image", "rank")


def by_gudhi(cells, construction="T"):
    kind = "top_dimensional_cells" if construction == "T" else "vertices"
    complex_ = gudhi.CubicalComplex(**{kind: cells})
    return complex_.persistence(homology_coeff_field=2, min_persistence=0)


def sorted_pairs(pairs):
    return sorted((k, round(birth, 12), round(death, 12)) for k, (birth, death) in pairs if birth != death)


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize(("values", "cells"), [("1-p", 1 - IMAGE), ("-p", -IMAGE)])
def test_pairs_are_those_that_gudhi_finds(values, cells, construction):
    diagrams = tp.persistence(IMAGE[None, None], construction=construction)
    assert sorted_pairs(to_pairs(diagrams, values=values)) == sorted_pairs(by_gudhi(cells, construction))


@pytest.mark.parametrize(("values", "cells"), [("1-p", 1 - IMAGE), ("-p", -IMAGE)])
def test_gudhis_pairs_become_our_diagrams(values, cells):
    found = from_pairs(by_gudhi(cells), spatial_axes=2, values=values, shape=(1, 1, 6, 9))
    ours = tp.persistence(IMAGE[None, None])
    for name in COLUMNS:
        assert torch.allclose(getattr(found, name), getattr(ours, name)), name
    assert found.shape == ours.shape
    prior = tp.BettiPrior(1, 1)
    loss = tp.functional.betti_prior_loss_from_diagrams
    assert loss(found, prior).item() == pytest.approx(loss(ours, prior).item())
    assert torch.equal(found.betti_numbers(0.4), ours.betti_numbers(0.4))
    assert (found.birth_index == -1).all()  # lost, as the page says
    assert (found.death_index == -1).all()


def test_gudhi_takes_the_arrays():
    first, second = to_arrays(tp.persistence(torch.stack([STACK[0, 0], STACK[1, 2]])[:, None]), essential="infinite")
    assert gudhi.bottleneck_distance(first[0], first[0]) < 1e-12
    forward = gudhi.bottleneck_distance(first[1], second[1])
    assert forward == pytest.approx(gudhi.bottleneck_distance(second[1], first[1]))
    assert forward > 0
    one = np.array([[0.25, 0.75]])  # to the empty diagram: half its length
    assert gudhi.bottleneck_distance(one, np.empty((0, 2))) == pytest.approx(0.25)
    finite = to_arrays(tp.persistence(STACK[:1, :1]))[0]
    landscape = gudhi.representations.Landscape(num_landscapes=1, resolution=5, sample_range=[0, 1])
    assert landscape.fit_transform([finite[0]]).max() > 0


@pytest.mark.parametrize("boundary", ["background", "foreground"])
@pytest.mark.parametrize("essential", ["finite", "infinite"])
@pytest.mark.parametrize("values", ["p", "1-p", "-p"])
def test_arrays_come_back(values, essential, boundary):
    ours = tp.persistence(STACK, construction="V", boundary=boundary)
    arrays = to_arrays(ours, values=values, essential=essential)
    assert len(arrays) == 6
    never = sum(int(np.isinf(array).sum()) for image in arrays for array in image)
    assert never == (6 if essential == "infinite" else 0)
    found = from_arrays(arrays, values=values, shape=STACK.shape, construction="V", boundary=boundary)
    for name in COLUMNS:
        assert torch.allclose(getattr(found, name), getattr(ours, name)), name
    assert (found.shape, found.construction, found.boundary) == (ours.shape, "V", boundary)


def test_a_table_has_three_columns_and_comes_back():
    ours = tp.persistence(STACK)
    table = to_table(ours)
    most = sum(max(len(ours.select(image=i, dimension=k)) for i in range(6)) for k in range(2))
    assert table.shape == (6, most, 3)
    assert (table[..., 0] <= table[..., 1]).all()
    found = from_table(table, spatial_axes=2, shape=STACK.shape)
    for name in COLUMNS:
        assert torch.allclose(getattr(found, name), getattr(ours, name)), name


def test_order_does_not_matter_and_empty_dimensions_are_fine():
    found = from_arrays([[[[0.5, 0.75], [0.25, 1.0]], []]])
    assert found.births.tolist() == [0.75, 0.5]
    assert found.rank.tolist() == [0, 1]
    assert found.shape == (1, 1, 0, 0)


def test_gradients_and_devices_are_left_behind():
    image = STACK.clone().requires_grad_()
    assert to_arrays(tp.persistence(image))[0][0].dtype == np.float64
    half = to_arrays(tp.persistence(torch.tensor([[[0.5, 0.25]]], dtype=torch.bfloat16)), values="p")
    assert half[0][0].tolist() == [[0.5, 0.0]]


def test_only_one_component_never_dies():
    pairs = to_pairs(tp.persistence(torch.tensor([[[0.75, 0.0, 0.5]]])))
    assert pairs == [(0, (0.25, float("inf"))), (0, (0.5, 1.0))]  # the other one joins it at 0


def test_an_image_of_zeros_keeps_its_component():
    ours = tp.persistence(torch.zeros(1, 1, 2, 3))
    assert to_pairs(ours) == [(0, (1.0, float("inf")))]
    assert len(from_pairs(to_pairs(ours), spatial_axes=2)) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_arrays(tp.persistence(STACK), values="q"), r"values must be one of 'p', '1-p', '-p', got 'q'"),
        (lambda: to_arrays(tp.persistence(STACK), essential="no"), "essential must be one of"),
        (lambda: to_pairs(tp.persistence(STACK), image=6), r"image must be in 0\.\.5, got 6"),
        (lambda: from_arrays([]), "each image must have 1 to 3 arrays"),
        (lambda: from_arrays([[[]], [[], []]]), r"all as many, got \[1, 2\]"),
        (lambda: from_arrays([[[1, 2, 3]]]), r"bars must have shape \(bars, 2\), got \(3,\)"),
        (lambda: from_arrays([[[[0.7, 0.2]]]]), r"must have birth <= death, told in 1-p .* got \(0.7, 0.2\)"),
        (lambda: from_arrays([[[[0.2, 0.7]]]], values="p"), "must have 1 >= birth >= death >= 0"),
        (lambda: from_arrays([[[[0.2, np.nan]]]]), r"got \(0.2, nan\)"),
        (lambda: from_arrays([[[], [[0.2, np.inf]]]]), r"a bar of dimension 1 must have .* got \(0.2, inf\)"),
        (lambda: from_arrays([[[], []]], shape=(2, 1, 4, 4)), "shape must be .* of 1 images with 2 axes"),
        (lambda: from_table(np.zeros((2, 2)), spatial_axes=2), r"table must have shape \(images, rows, 3\)"),
        (lambda: from_pairs([(2, (0.1, 0.2))], spatial_axes=2), r"dimension of a bar must be in 0\.\.1, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
