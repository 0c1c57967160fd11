"""Every mask of a tiny image with its Betti numbers: which priors are possible, and at what cost."""

import functools

import numpy as np

from oracles.flood_fill import betti_numbers


@functools.cache
def all_masks(shape, construction, boundary):
    """All masks, shape (2^pixels, *shape), and their Betti numbers, shape (2^pixels, d)."""
    pixels = int(np.prod(shape))
    masks = ((np.arange(1 << pixels)[:, None] >> np.arange(pixels)) & 1 == 1).reshape(-1, *shape)
    return masks, np.array([betti_numbers(mask, construction, boundary) for mask in masks])


def least_cost(probability, lower, upper, construction, boundary, threshold=0.5):
    """Smallest sum of |probability - threshold| over the pixels to turn; None if no mask is in the range."""
    masks, betti = all_masks(probability.shape, construction, boundary)
    right = ((betti >= lower) & (betti <= upper)).all(1)
    if not right.any():
        return None
    turned = (masks[right] != (probability >= threshold)).reshape(right.sum(), -1)
    return float((turned * np.abs(probability - threshold).ravel()).sum(1).min())
