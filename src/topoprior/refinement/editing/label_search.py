"""From softmax maps to a label map in which all class priors hold, by elementary edits.

Every edit is tried, the Betti numbers of all entries are counted anew, and it is kept only if their distance to the
priors has become smaller: first those that bring most for their cost. Where no single edit helps, pairs are tried.
Where no pair helps either, or so much is wrong that edits gain nothing, a label map that is known to be right is
deformed towards the map. Where none is known, the search goes on from the nearest one: it makes the edit that harms
least, never comes back to a label map where it has been, and so gets out of dead ends. At last it starts from a single
class everywhere, and what it finds is deformed towards the map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from topoprior.refinement.editing.label_deformation import deform_labels
from topoprior.refinement.editing.label_edits import label_edits
from topoprior.refinement.editing.label_layouts import starts

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array
    from topoprior.refinement.editing.label_canvas import LabelCanvas
    from topoprior.refinement.editing.label_edits import LabelEdit

    Tried: TypeAlias = tuple[int, float, LabelEdit]  # the error that it leaves, what it adds to the cost

CROWDED = 30  # errors beyond which single edits take long and gain nothing over a layout
DEAR = 0.0005  # mean probability lost per pixel beyond which a layout may be cheaper
MOST_TRACES = 5
MOST_EDITS = 300
MOST_SECOND = 60
MOST_MOVES = 60
MOST_WORK = 40_000  # moves times pixels: a move takes as long as the image is large
MOST_WAYS = 120
MOST_EMPTY = 2
WANDERING_TRACES = 3
BREADTH = 4
LEAST = 1e-6


def search_labels(canvas: LabelCanvas) -> None:
    """Edit until all priors hold or nothing helps any more, then take back what was not needed."""
    if not canvas.error:
        return
    crowded = canvas.error > CROWDED
    ends = _from_layouts(canvas) if crowded else []
    if not ends:
        while canvas.error and _round(canvas, ends):
            pass
        ends = [deform_labels(canvas, labels) for labels in (canvas.labels, *ends)]
        if canvas.error or min(map(canvas.cost, ends)) > DEAR * canvas.labels.size:
            ends += _from_layouts(canvas)
    best = min(ends, key=lambda labels: (canvas.error_of(labels), canvas.cost(labels)))
    if (best != canvas.labels).any():
        canvas.keep(best)
    if canvas.error:
        empty = [np.full_like(canvas.labels, k) for k in range(canvas.members.shape[1])]
        ways = (_wander(canvas, start) for start in (canvas.labels, *empty[:MOST_EMPTY]))
        found = next((labels for labels in ways if labels is not None), None)
        if found is not None:
            canvas.keep(deform_labels(canvas, found))


def _from_layouts(canvas: LabelCanvas) -> list[Array]:
    return [deform_labels(canvas, start) for start in starts(canvas)]


def _round(canvas: LabelCanvas, complete: list[Array]) -> bool:
    """Keep the edits that help; if none does, a pair of edits; whether anything was kept.

    What is missing is made where the map has the clearest trace of it, elsewhere only if that does not help. The
    cheapest edit that makes all right at once, although another was preferred, joins the ``complete`` ones.
    """
    start, labels = canvas.error, canvas.labels
    tried: list[Tried] = []
    for traces in (1, MOST_TRACES):
        tried = _tried(canvas, labels, traces, MOST_EDITS)
        better = sorted((entry for entry in tried if entry[0] < start), key=lambda entry: _worth(canvas, entry))
        if better:
            break
    whole = min((entry for entry in better if not entry[0]), key=lambda entry: entry[1], default=None)
    if whole is not None:
        complete.append(canvas.with_pixels(labels, whole[2].pixels, whole[2].classes))
    for error, _, edit in better:
        edited = canvas.with_pixels(canvas.labels, edit.pixels, edit.classes)
        # What does not bring what it would have brought alone has to be weighed afresh, in the next round.
        if canvas.error - canvas.error_of(edited) < start - error:
            break
        canvas.keep(edited)
    return bool(better) or _pair(canvas, tried)


def _tried(canvas: LabelCanvas, labels: Array, traces: int, most: int) -> list[Tried]:
    """The cheapest edits with the error that each leaves."""
    return [
        (canvas.error_of(canvas.with_pixels(labels, edit.pixels, edit.classes)), edit.cost, edit)
        for edit in label_edits(canvas, labels, traces)[:most]
    ]


def _worth(canvas: LabelCanvas, entry: Tried) -> float:
    error, cost, _ = entry
    return max(cost, LEAST) / (canvas.error - error)


def _pair(canvas: LabelCanvas, tried: list[Tried]) -> bool:
    """The cheapest pair of edits that helps although the first alone does not."""
    best: tuple[float, Array] | None = None
    for _, cost, first in sorted(tried, key=lambda entry: entry[:2])[:BREADTH]:
        between = canvas.with_pixels(canvas.labels, first.pixels, first.classes)
        for error, more, second in _tried(canvas, between, 1, MOST_SECOND):
            if error < canvas.error:
                worth = max(cost + more, LEAST) / (canvas.error - error)
                if best is None or worth < best[0]:
                    best = worth, canvas.with_pixels(between, second.pixels, second.classes)
    if best is not None:
        canvas.keep(best[1])
    return best is not None


def _wander(canvas: LabelCanvas, labels: Array) -> Array | None:
    """A label map in which all priors hold, by edits of which some make it worse; None if it is not found."""
    if not canvas.error_of(labels):
        return labels
    seen = {labels.tobytes()}
    for _ in range(min(MOST_MOVES, MOST_WORK // labels.size)):
        moves: list[tuple[int, float, int, Array]] = []
        for edit in label_edits(canvas, labels, WANDERING_TRACES)[:MOST_WAYS]:
            edited = canvas.with_pixels(labels, edit.pixels, edit.classes)
            if edited.tobytes() not in seen:
                moves.append((canvas.error_of(edited), edit.cost, len(moves), edited))
        if not moves:
            return None
        error, _, _, labels = min(moves, key=lambda move: move[:3])
        if not error:
            return labels
        seen.add(labels.tobytes())
    return None
