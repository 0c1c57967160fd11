"""Edits of a label map: those of the mask of one union, with the classes that the turned pixels may take."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from topoprior.refinement.editing.features import features
from topoprior.refinement.editing.removals import removals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.refinement.editing.canvas import Canvas
    from topoprior.refinement.editing.grid import Array
    from topoprior.refinement.editing.label_canvas import LabelCanvas


class LabelEdit(NamedTuple):
    """Flat pixels of the image, the classes they take, and what that adds to the cost."""

    cost: float
    pixels: Array
    classes: Array


def label_edits(canvas: LabelCanvas, labels: Array, traces: int) -> list[LabelEdit]:
    """Edits worth a try for every entry that is wrong, the cheapest first.

    What is missing is made in so many places, those with the clearest ``traces`` of it.
    """
    betti = canvas.count(labels)
    wrong = ((betti < canvas.lower) | (betti > canvas.upper)).any(1)
    edits: dict[tuple[bytes, bytes], LabelEdit] = {}
    for entry in np.flatnonzero(wrong).tolist():
        union = canvas.union(entry, labels)
        for pixels, colour in _turns(union, traces):
            for edit in _with_classes(canvas, labels, pixels, canvas.members[entry] == colour):
                edits.setdefault((edit.pixels.tobytes(), edit.classes.tobytes()), edit)
    return sorted(edits.values(), key=lambda edit: edit.cost)


def _turns(union: Canvas, traces: int) -> Iterator[tuple[Array, bool]]:
    """Pixels that have to enter the union, or to leave it."""
    place = np.full(union.grid.size, -1)
    place[union.grid.pixels] = np.arange(len(union.grid.pixels))
    for _, cells, colour, _ in removals(union):
        turned = cells[union.mask[cells] != colour]
        yield np.sort(place[turned]), colour
    for dimension in range(len(union.grid.shape)):
        if union.surplus(dimension) < 0:
            for mask in islice(features(union, dimension), traces):
                for colour in (True, False):
                    # Where both colours change, such as in a smallest ring, each half is an edit of its own: together
                    # they are found in two steps.
                    turned = np.flatnonzero((mask != union.mask) & (mask == colour))
                    if len(turned):
                        yield place[turned], colour


def _with_classes(canvas: LabelCanvas, labels: Array, pixels: Array, allowed: Array) -> Iterator[LabelEdit]:
    """Each pixel takes the likeliest of the allowed classes, or all take the same."""
    if not len(pixels):
        return
    chances = canvas.probability.reshape(len(allowed), -1)[:, pixels]
    before = np.take_along_axis(chances, labels.reshape(-1)[pixels][None], 0).sum()
    classes = np.flatnonzero(allowed)
    choices = [np.full(len(pixels), k) for k in classes]
    if len(classes) > 1:
        choices.append(classes[chances[classes].argmax(0)])
    for choice in choices:
        yield LabelEdit(float(before - np.take_along_axis(chances, choice[None], 0).sum()), pixels, choice)
