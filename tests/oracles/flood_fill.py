"""Betti numbers of a mask without homology: flood fill of foreground and background, and the Euler number by counting
cells.

Components are counted by `scipy.ndimage.label`, holes or cavities as components of the background (Alexander
duality), and what is left in 3-D, the tunnels, follows from the Euler number.
"""

import itertools

import numpy as np
from scipy import ndimage


def betti_numbers(mask, construction="T", boundary="background"):
    """Tuple of the d Betti numbers of a boolean array."""
    axes = mask.ndim
    outside = boundary == "foreground"
    corners, sides = ndimage.generate_binary_structure(axes, axes), ndimage.generate_binary_structure(axes, 1)
    foreground, background = (corners, sides) if construction == "T" else (sides, corners)
    padded = np.pad(mask, 1, constant_values=outside)
    components = count_components(padded, foreground, joined=outside)
    if axes == 1:
        return (components,)
    # On the sphere (the outside is one point) the complement has one component more than there are holes.
    holes = max(count_components(~padded, background, joined=not outside) - 1, 0)
    if axes == 2:
        return (components, holes)
    whole_sphere = int(outside and mask.all())
    return (components, components + holes - whole_sphere - euler_number(mask, construction, outside), holes)


def count_components(mask, structure, *, joined):
    """Number of components; if ``joined``, all that touch the rim of the array (and one always does) are one."""
    labels, number = ndimage.label(mask, structure)
    if not joined:
        return number
    is_rim = np.ones(mask.shape, dtype=bool)
    is_rim[(slice(1, -1),) * mask.ndim] = False
    return number - len(set(labels[is_rim & mask])) + 1


def euler_number(mask, construction, outside):
    """Alternating count of cells; the outside is one point, into which the cells at the rim are collapsed."""
    rim = np.pad(np.zeros(mask.shape, dtype=bool), 1, constant_values=True)
    filled = np.pad(mask, 1, constant_values=outside)
    total = int(outside)
    for thin in itertools.product((False, True), repeat=mask.ndim):
        cells = present_cells(filled, thin, construction)
        if outside:
            cells = cells & ~present_cells(rim, thin, construction)
        flat_axes = sum(thin)
        total += (-1) ** (mask.ndim - flat_axes if construction == "T" else flat_axes) * int(cells.sum())
    return total


def present_cells(pixels, doubled, construction):
    """Cells shared by two pixels along each doubled axis: T, in the closure of either pixel; V, spanned by both."""
    for axis in np.flatnonzero(doubled):
        before, after = (np.take(pixels, range(start, pixels.shape[axis] - 1 + start), axis) for start in (0, 1))
        pixels = before | after if construction == "T" else before & after
    return pixels
