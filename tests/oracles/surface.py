"""Surface distances by looking at every pair of pixels."""

import itertools
import math

import numpy as np


def surface(mask):
    """Pixels of the mask with a face neighbour that is not in the mask."""
    inside = {tuple(int(i) for i in place) for place in np.argwhere(mask)}
    steps = [step for step in itertools.product((-1, 0, 1), repeat=mask.ndim) if sum(map(abs, step)) == 1]
    return [p for p in inside if any(tuple(i + j for i, j in zip(p, s, strict=True)) not in inside for s in steps)]


def distances(ours, theirs, spacing):
    """From each surface pixel of ``ours`` to the nearest one of ``theirs``."""
    others = surface(theirs)
    return [
        min(math.sqrt(sum(((i - j) * mm) ** 2 for i, j, mm in zip(p, q, spacing, strict=True))) for q in others)
        for p in surface(ours)
    ]
