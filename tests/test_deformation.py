"""Simple pixels against Betti numbers before and after; deformation keeps the topology."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.flood_fill import betti_numbers
from strategies import boundaries, constructions, masks
from topoprior.refinement.editing.deformation import Neighbourhood, deform
from topoprior.refinement.editing.grid import Grid


@given(masks(), constructions, boundaries, st.data())
def test_turning_a_simple_pixel_changes_no_betti_number(mask, construction, boundary, data):
    grid = Grid(mask.shape, construction, boundary)
    cells = grid.embedded(mask, grid.outside_colour)
    cell = int(grid.pixels[data.draw(st.integers(0, mask.size - 1))])
    turned = cells.copy()
    turned[cell] ^= True
    same = betti_numbers(mask, construction, boundary) == betti_numbers(grid.image(turned), construction, boundary)
    simple = Neighbourhood(grid).is_simple(cells.tolist(), cell)
    # In 2-D a pixel that is not simple changes a number, unless what it joins and what it parts cancel out.
    assert same or not simple


@pytest.mark.parametrize("construction", ["T", "V"])
def test_simple_pixels_by_hand(construction):
    grid = Grid((3, 3), construction, "background")
    neighbourhood = Neighbourhood(grid)

    def simple(rows):
        return neighbourhood.is_simple(grid.embedded(np.array(rows, dtype=bool), False).tolist(), int(grid.pixels[4]))

    assert simple([[0, 0, 0], [1, 1, 0], [0, 0, 0]])  # end of a line
    assert not simple([[0, 0, 0], [1, 1, 1], [0, 0, 0]])  # middle of a line
    assert not simple([[0, 0, 0], [0, 1, 0], [0, 0, 0]])  # alone
    assert not simple([[1, 1, 1], [1, 1, 1], [1, 1, 1]])  # inside
    assert simple([[1, 0, 0], [0, 1, 0], [0, 0, 0]]) == (construction == "T")  # hangs on by its corner


@given(st.data(), constructions, boundaries)
def test_deformation_keeps_the_numbers_and_comes_nearer(data, construction, boundary):
    first = data.draw(masks())
    bits = data.draw(st.lists(st.booleans(), min_size=first.size, max_size=first.size))
    second = np.array(bits).reshape(first.shape)
    grid = Grid(first.shape, construction, boundary)
    start, goal = (grid.embedded(mask, grid.outside_colour) for mask in (first, second))
    price = grid.embedded(np.linspace(0.1, 0.5, first.size).reshape(first.shape), np.inf)
    end = deform(grid, start, goal, price)
    assert betti_numbers(grid.image(end), construction, boundary) == betti_numbers(first, construction, boundary)
    assert not ((end != goal) & (start == goal)).any()
    neighbourhood = Neighbourhood(grid)
    assert not any(neighbourhood.is_simple(end.tolist(), cell) for cell in np.flatnonzero(end != goal))


def test_a_pixel_grows_to_the_ball_it_lies_in():
    goal = np.zeros((7, 8, 9), dtype=bool)
    goal[1:6, 1:6, 2:7] = True
    seed = np.zeros_like(goal)
    seed[3, 3, 4] = True
    grid = Grid(goal.shape, "T", "background")
    cells = [grid.embedded(mask, False) for mask in (seed, goal)]
    assert (grid.image(deform(grid, *cells, np.ones(grid.size))) == goal).all()
