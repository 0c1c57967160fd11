"""Layouts have the Betti numbers they were made for, and what the bounds refuse no mask has."""

import itertools

import numpy as np
import pytest
import torch

import topoprior as tp
from oracles.all_masks import all_masks
from oracles.flood_fill import betti_numbers
from topoprior.refinement.editing.layouts import cheapest_of_all, exceeds_bounds, layout

CONVENTIONS = list(itertools.product("TV", ("background", "foreground")))


@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (3, 3), (5, 4), (9, 7), (4, 13)])
def test_a_layout_has_the_numbers_it_was_made_for(shape, construction, boundary):
    made = 0
    for betti in itertools.product(range(8), range(4)):
        if boundary == "foreground" and not betti[0]:
            continue
        mask = layout(shape, construction, boundary, betti)
        if mask is not None:
            made += 1
            assert mask.shape == shape
            assert betti_numbers(mask, construction, boundary) == betti
            assert not exceeds_bounds(shape, construction, boundary, betti)
    assert made > 0


@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (2, 3), (3, 3), (2, 5)])
def test_in_tiny_images_there_is_a_layout_for_all_that_is_possible(shape, construction, boundary):
    possible = set(map(tuple, all_masks(shape, construction, boundary)[1].tolist()))
    for betti in itertools.product(range(boundary == "foreground", 8), range(5)):
        assert (layout(shape, construction, boundary, betti) is not None) == (betti in possible)
        assert not (exceeds_bounds(shape, construction, boundary, betti) and betti in possible)


@pytest.mark.parametrize(
    ("construction", "shape", "components", "holes"),
    [("T", (7, 9), 20, 18), ("V", (7, 8), 28, 9), ("T", (8, 6), 12, 12)],
)
def test_either_bound_is_reached(construction, shape, components, holes):
    for betti, more in (((components, 0), (components + 1, 0)), ((1, holes), (1, holes + 1))):
        assert betti_numbers(layout(shape, construction, "background", betti), construction) == betti
        assert exceeds_bounds(shape, construction, "background", more)
        assert layout(shape, construction, "background", more) is None


@pytest.mark.parametrize("boundary", ["background", "foreground"])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8])
def test_in_one_dimension_the_bound_is_exact(length, boundary):
    possible = {number for (number,) in all_masks((length,), "T", boundary)[1].tolist()}
    for number in range(boundary == "foreground", 7):
        mask = layout((length,), "T", boundary, (number,))
        assert (mask is not None) == (number in possible) == (not exceeds_bounds((length,), "T", boundary, (number,)))
        if mask is not None:
            assert betti_numbers(mask, "T", boundary) == (number,)


@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
@pytest.mark.parametrize("shape", [(7, 8, 9), (3, 5, 11), (12, 4, 3)])
def test_layouts_of_volumes(shape, construction, boundary):
    made = 0
    for betti in itertools.product(range(4), range(3), range(3)):
        if boundary == "foreground" and not betti[0]:
            continue
        mask = layout(shape, construction, boundary, betti)
        if mask is not None:
            made += 1
            counted = tp.betti_numbers(torch.from_numpy(mask)[None, None], construction=construction, boundary=boundary)
            assert counted.flatten().tolist() == list(betti)
    assert made >= 6


def test_the_cheapest_of_all_masks():
    mask, price = np.array([[True, False, True]]), np.array([[0.3, 0.1, 0.4]])
    best = cheapest_of_all(mask, price, np.array([1, 0]), np.array([1, 0]), "T", "background")
    assert best.tolist() == [[True, True, True]]
    assert cheapest_of_all(mask, price, np.array([3, 0]), np.array([3, 0]), "T", "background") is None
