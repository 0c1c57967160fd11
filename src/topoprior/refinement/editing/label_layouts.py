"""Label maps in which class priors hold: boxes side by side or apart, rings, shells around all that is there.

Drawn class by class, in every order and every combination of ways; which of the drawings have the wanted Betti numbers
is counted. The first that is right is then drawn in several sizes, turned, mirrored and moved to where it costs least.

    the short-axis heart,    M M M .
    LV, MYO, RV:             M L M R
                             M M M .
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.priors.unions import union_masks
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.editing.grid import Array
    from topoprior.refinement.editing.label_canvas import LabelCanvas
    from topoprior.topology.filtration import Boundary, Construction

MOST_PLANS = 3000
WAYS = ("box", "shell", "box apart", "ring", "ring apart", "none")
SIZES = (1, 2, 4, 7, 12, 20)
WALLS = (1, 2, 4)
PLACES = 7  # to try along each axis
MOST_STARTS = 3

Plan = tuple[tuple[str, int], ...]


def starts(canvas: LabelCanvas) -> list[Array]:
    """Right label maps in the shape of the image, the cheapest first; none if no plan is right or fits."""
    plan = right_plan(canvas.priors, canvas.grid.construction, canvas.grid.boundary)
    if plan is None:
        return []
    ranked: list[tuple[float, int, Array]] = []
    for size, wall in itertools.product(SIZES, WALLS):
        placed = _placed(canvas, draw(plan, canvas.probability.ndim - 1, size, wall))
        if placed is not None and not canvas.error_of(placed):
            ranked.append((canvas.cost(placed), len(ranked), placed))
    return [labels for _, _, labels in sorted(ranked, key=lambda entry: entry[:2])[:MOST_STARTS]]


@lru_cache(maxsize=64)
def right_plan(priors: ClassPriors, construction: Construction, boundary: Boundary) -> Plan | None:
    """A way to draw the classes that gives the wanted numbers; None if none was found."""
    plans = list(itertools.islice(_plans(len(priors.classes)), MOST_PLANS))
    drawings = [draw(plan, priors.dimensions, 1, 1) for plan in plans]
    shape = np.max([drawing.shape for drawing in drawings], 0)
    labels = np.zeros((len(plans), *shape), dtype=np.int64)
    for canvas, drawing in zip(labels, drawings, strict=True):
        canvas[tuple(map(slice, drawing.shape))] = drawing
    masks = union_masks(torch.from_numpy(labels), priors.unions, len(priors.classes))
    betti = betti_numbers(masks, construction=construction, boundary=boundary)
    right = priors.is_satisfied_by(betti).all(1).nonzero()
    return plans[int(right[0])] if len(right) else None


def _plans(classes: int) -> Iterator[Plan]:
    """All orders and ways, classes without a component last."""
    for ways in itertools.product(WAYS, repeat=classes - 1):
        for order in itertools.permutations(range(1, classes)):
            yield tuple((way, k) for way, k in zip(ways, order, strict=True) if way != "none")


def draw(plan: Plan, axes: int, size: int, wall: int) -> Array:
    """The labels of a plan, 0 where there is nothing.

    Args:
        plan: For each class in the order of drawing: "box" and "ring" touch what is there, "apart" leaves a gap, a
            "shell" lies around everything and fills what is between.
        axes: Number of axes.
        size: Side of boxes and of the inside of rings.
        wall: Thickness of shells, rings and gaps.
    """
    boxes: list[tuple[Array, Array, int]] = []  # from, to, class; later ones lie above
    low, high = np.zeros((2, axes), dtype=int)
    for way, k in plan:
        if way == "shell":
            low, high = low - wall, high + wall
            boxes.insert(0, (low, high, k))
            continue
        ring = way.startswith("ring")
        side = size + 2 * wall if ring else size
        start = (low + high - side) // 2
        start[-1] = high[-1] + (wall if way.endswith("apart") and boxes else 0)
        boxes.append((start, start + side, k))
        if ring:
            boxes.append((start + wall, start + wall + size, 0))
        low, high = np.minimum(low, start), np.maximum(high, start + side)
    labels = np.zeros(high - low, dtype=np.int64)
    for start, end, k in boxes:
        labels[tuple(map(slice, start - low, end - low))] = k
    return labels


def _placed(canvas: LabelCanvas, drawing: Array) -> Array | None:
    """The drawing where it costs least in the image, in all directions; None if it does not fit."""
    shape, gain = canvas.grid.shape, canvas.probability - canvas.probability[0]
    best, where = -np.inf, None
    for turned in _turned(drawing):
        room = [a - b for a, b in zip(shape, turned.shape, strict=True)]
        if min(room) < 0:
            continue
        for corner in itertools.product(*(sorted(set(np.linspace(0, a, PLACES, dtype=int).tolist())) for a in room)):
            window = tuple(slice(a, a + b) for a, b in zip(corner, turned.shape, strict=True))
            fit = float(np.take_along_axis(gain[(slice(None), *window)], turned[None], 0).sum())
            if fit > best:
                best, where = fit, (window, turned)
    if where is None:
        return None
    labels = np.zeros(shape, dtype=np.int64)
    labels[where[0]] = where[1]
    return labels


def _turned(drawing: Array) -> list[Array]:
    """The drawing with its axes exchanged and mirrored, each picture once."""
    found: dict[tuple[tuple[int, ...], bytes], Array] = {}
    for axes in itertools.permutations(range(drawing.ndim)):
        for flips in itertools.product((1, -1), repeat=drawing.ndim):
            turned = drawing.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]
            found.setdefault((turned.shape, turned.tobytes()), turned)
    return list(found.values())
