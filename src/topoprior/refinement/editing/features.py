"""Edits that make a component, hole, cavity or tunnel that is missing, where the map has the clearest trace of it.

In this order:

1. the longest bar that is not in the mask, if it is clear (`CLEAR_BAR`): raise its peak, open its dip, or draw the
   curve that closes its loop or cuts its neck;
2. pockets: parts of a region that are wide inside and narrow at their mouth, such as the inside of a broken ring even
   where the gap has probability 0. Growing the other colour everywhere at the price of the map closes the mouth before
   it fills the pocket; how long the pocket lasts is a bar again. Best first: most would be lost by filling the new
   feature, less what the curve costs (in 3-D see `topoprior.refinement.editing.volume_pockets`);
3. the other bars, the longest first;
4. the smallest feature at the place where it costs least, among equals deep inside the other colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.refinement.editing.grid import regions
from topoprior.refinement.editing.levels import MOST_BARS, bars, basin, level
from topoprior.refinement.editing.paths import distance_to_other_colour, separating_curve
from topoprior.refinement.editing.volume_pockets import closed_pockets
from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array
    from topoprior.refinement.editing.levels import Bar

CLEAR_BAR = 0.1
MOST_POCKETS = 3
MOST_PLACES = 40
DEEP = 8


def features(canvas: Canvas, dimension: int) -> Iterator[Array]:
    """Masks to try, each with one feature of this dimension more, if nothing unforeseen happens."""
    low = canvas.threshold
    traces = [bar for bar in bars(canvas, dimension) if not bar.birth >= low > bar.death][:MOST_BARS]
    colours = [colour for colour, k in canvas.dimensions_of_regions.items() if k == dimension]
    clear = [bar for bar in traces[:1] if bar.length >= CLEAR_BAR]
    for bar in clear:
        yield from _from_bar(canvas, bar, colours)
    for colour in colours:
        if len(canvas.grid.shape) == 2:
            yield from _from_pockets(canvas, colour)
        elif len(canvas.grid.shape) == 3:
            yield from closed_pockets(canvas, colour)
    for bar in traces[len(clear) :]:
        yield from _from_bar(canvas, bar, colours)
    for colour in colours if len(canvas.grid.shape) > 1 else (True, False):
        yield from _smallest(canvas, colour)


def _from_bar(canvas: Canvas, bar: Bar, colours: list[bool]) -> Iterator[Array]:
    """What makes the feature of a bar appear: everything up to its birth, or everything down to its death is undone."""
    unborn = bar.birth < canvas.threshold
    if len(canvas.grid.shape) == 2:
        colour = colours[0]
        # A component is where its birth pixel is, a hole where its death pixel is.
        place = bar.birth_cell if colour else bar.death_cell
        if unborn == colour:
            yield canvas.with_cells(np.array([place]), colour)
        else:
            # On a plateau that pixel may lie at its edge, where a tiny curve goes around it: take the deepest one.
            own = basin(canvas, bar, colour)
            far, _ = distance_to_other_colour(canvas.grid, canvas.mask, colour, canvas.toll)
            yield from _around(canvas, colour, [int(own[far[own].argmax()])])
    cell = bar.birth_cell if unborn else bar.death_cell
    if canvas.mask[cell] != unborn:
        yield canvas.with_cells(level(canvas, cell), unborn)


def _from_pockets(canvas: Canvas, colour: bool) -> Iterator[Array]:
    """Curves that close the pockets of regions of this colour."""
    grid = canvas.grid
    far = grid.image(distance_to_other_colour(grid, canvas.mask, colour, canvas.toll)[0])
    if not np.isfinite(far).all() or not far.any():
        return
    found = persistence(
        torch.from_numpy(far / far.max())[None, None],
        construction=grid.adjacency_of(colour),
        boundary="foreground" if grid.outside_colour == colour else "background",
        dimensions=(0,),
    )
    merged = (found.deaths > 0) & (found.death_index >= 0)
    yield from _around(canvas, colour, grid.pixels[found.birth_index[merged][:MOST_POCKETS].numpy()].tolist())


def _around(canvas: Canvas, colour: bool, middles: list[int]) -> Iterator[Array]:
    """The mask with a curve around each of these cells, through what there is of the other colour; the best first."""
    grid, found = canvas.grid, canvas.regions()
    far, origin = distance_to_other_colour(grid, canvas.mask, colour, canvas.toll)
    tried: list[tuple[float, int, Array]] = []
    for middle in middles:
        region = found.label[middle]
        if origin[middle] < 0:
            continue
        is_outside = region == found.outside
        other = int(grid.outside[0] if is_outside else np.where(found.label == region, far, -1).argmax())
        start = int(origin[middle])
        path = separating_curve(grid, canvas.mask, not colour, canvas.toll, start=start, around=middle, other=other)
        if path is None or not path.cells:
            continue
        cells = np.array(path.cells)
        mask: Array | None = canvas.with_cells(cells, not colour)
        if mask is not None and not canvas.is_nearer(mask):
            mask = canvas.without_pockets(mask, cells, not colour)
        if mask is not None:
            after = regions(grid, mask)
            support = canvas.weights(mask, after)[after.label[[middle, other]]].min()
            tried.append((path.cost - support, len(tried), mask))
    yield from (mask for _, _, mask in sorted(tried, key=lambda entry: entry[:2]))


def _smallest(canvas: Canvas, colour: bool) -> Iterator[Array]:
    """One pixel of this colour with the other colour all around it, where it costs least."""
    grid, mask = canvas.grid, canvas.mask
    toll, pixels = canvas.toll, grid.pixels
    cost = np.where(mask[pixels] == colour, 0.0, toll[pixels])
    for offset in grid.touching[colour]:
        there = pixels + offset
        cost += np.where(mask[there] == colour, toll[there], 0.0)
    for place in np.lexsort((-_depth(canvas, not colour)[pixels], cost.round(9)))[:MOST_PLACES]:
        if np.isfinite(cost[place]):
            edited = canvas.with_cells(pixels[place] + np.array(grid.touching[colour]), not colour)
            edited[pixels[place]] = colour
            yield edited


def _depth(canvas: Canvas, colour: bool) -> Array:
    """How many steps into this colour and the image each cell lies, up to `DEEP`."""
    left = canvas.grid.inside & (canvas.mask == colour)
    depth: Array = left.astype(int)
    for _ in range(DEEP - 1):
        left = np.logical_and.reduce([left, *(np.roll(left, offset) for offset in canvas.grid.faces)])
        depth += left
    return depth
