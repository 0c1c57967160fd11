"""Layouts have the Betti numbers they were made for, and what the bounds refuse no mask has."""

import itertools

import pytest

from oracles.all_masks import all_masks
from oracles.capacity import most_holes
from oracles.flood_fill import betti_numbers
from topoprior.refinement.editing.capacity import exceeds_bounds, is_decided
from topoprior.refinement.editing.layouts import layout

CONVENTIONS = list(itertools.product("TV", ("background", "foreground")))


@pytest.mark.parametrize(("construction", "boundary"), CONVENTIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (3, 3), (5, 4), (9, 7), (4, 13)])
def test_a_layout_has_the_numbers_it_was_made_for(shape, construction, boundary):
    made = 0
    for betti in itertools.product((0, 1, 2, 5, 7), range(3)):
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


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("shape", [(1, 7), (3, 3), (2, 5)])
def test_the_count_row_by_row_is_that_of_all_masks(shape, construction):
    """Of the oracle: components and holes with background outside, and dually with foreground outside."""
    possible = set(map(tuple, all_masks(shape, construction, "background")[1].tolist()))
    most = most_holes(shape, construction)
    assert possible == {(b, holes) for b, top in enumerate(most) for holes in range(top + 1)}
    other = "V" if construction == "T" else "T"
    complement = set(map(tuple, all_masks(shape, other, "foreground")[1].tolist()))
    assert complement == {(holes + 1, max(b - 1, 0)) for b, holes in possible}


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("shape", [(2, 24), (3, 7), (4, 4), (4, 6), (9, 4), (5, 5), (8, 5)])
def test_where_decided_there_is_a_layout_for_all_that_fits(shape, construction):
    assert is_decided(shape)
    most = most_holes(shape, construction)
    for b, holes in enumerate(most):
        assert betti_numbers(layout(shape, construction, "background", (b, holes)), construction) == (b, holes)
        assert layout(shape, construction, "background", (b, holes + 1)) is None
        assert not exceeds_bounds(shape, construction, "background", (b, holes))
    assert exceeds_bounds(shape, construction, "background", (len(most), 0))


@pytest.mark.parametrize(("shape", "construction"), [((8, 6), "T"), ((8, 6), "V")])
def test_larger_images_are_filled_to_the_last_hole_or_but_one(shape, construction):
    """Also what `is_decided` leaves open: not all of these are reached."""
    assert not is_decided(shape)
    short = 0
    for b, holes in enumerate(most_holes(shape, construction)):
        assert not exceeds_bounds(shape, construction, "background", (b, holes))
        if layout(shape, construction, "background", (b, holes)) is None:
            assert layout(shape, construction, "background", (b, holes - 1)) is not None
            short += 1
    assert short <= 1


@pytest.mark.parametrize(
    ("construction", "shape", "components", "holes"),
    [("T", (7, 9), 20, 18), ("V", (7, 8), 28, 9), ("T", (8, 6), 12, 12), ("V", (31, 40), 620, 285)],
)
def test_either_bound_is_reached(construction, shape, components, holes):
    for betti, more in (((components, 0), (components + 1, 0)), ((1, holes), (1, holes + 1))):
        assert betti_numbers(layout(shape, construction, "background", betti), construction) == betti
        assert exceeds_bounds(shape, construction, "background", more)
        assert layout(shape, construction, "background", more) is None


@pytest.mark.parametrize(("construction", "room"), [("T", (4, 2)), ("V", (2, 4))])
@pytest.mark.parametrize("shape", [(16, 16), (33, 17)])
def test_both_together_as_the_documentation_says(shape, construction, room):
    pixels = shape[0] * shape[1]
    for share in (0.2, 0.5, 0.8):
        holes = int(share * 0.75 * pixels / room[1])
        components = int((0.75 * pixels - room[1] * holes) / room[0])
        assert layout(shape, construction, "background", (components, holes)) is not None
        assert exceeds_bounds(shape, construction, "background", (2 * components, 2 * holes))


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
    for betti in itertools.product((0, 1, 3), (0, 1, 2, 9), (0, 1, 3)):
        if boundary == "foreground" and not betti[0]:
            continue
        mask = layout(shape, construction, boundary, betti)
        if mask is not None:
            made += 1
            assert mask.shape == shape
            assert betti_numbers(mask, construction, boundary) == betti
    assert made >= (9 if boundary == "background" else 5)


@pytest.mark.parametrize(("construction", "tunnels"), [("T", 125), ("V", 45)])
def test_crowded_volumes(construction, tunnels):
    """Five plates of nine by nine, and a block of four by four by two cavities with a plate on top."""
    shape = (9, 9, 9)
    assert betti_numbers(layout(shape, construction, "background", (1, tunnels, 0)), construction) == (1, tunnels, 0)
    betti = (4, tunnels // 10, 32)
    assert betti_numbers(layout(shape, construction, "background", betti), construction) == betti
    assert layout(shape, construction, "background", (1, 0, 65)) is None
    assert layout((2, 9, 9), construction, "background", (1, 0, 1)) is None
