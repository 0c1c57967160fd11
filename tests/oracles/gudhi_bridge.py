"""GUDHI's cubical complexes with our conventions: super-level sets, C-order indices, both constructions, both
boundaries.

Arrays are given to GUDHI as arrays: its ``dimensions=`` route reads Fortran order. The indices that it returns are in
Fortran order too.
"""

import gudhi
import numpy as np

from oracles.row import Row

OUTSIDE_VALUE = 2.0


def rows(image, construction="T", boundary="background"):
    """All bars of non-zero length and the essential one, sorted `Row`s; GUDHI breaks ties in its own way."""
    pad = int(boundary == "foreground")
    padded = np.pad(image.astype(np.float64), pad, constant_values=OUTSIDE_VALUE)
    index = np.pad(np.arange(image.size).reshape(image.shape), pad, constant_values=-1)
    if construction == "T":
        complex_ = gudhi.CubicalComplex(top_dimensional_cells=-padded)
    else:
        complex_ = gudhi.CubicalComplex(vertices=-padded)
    complex_.compute_persistence(min_persistence=0)
    regular, essential = (
        complex_.cofaces_of_persistence_pairs() if construction == "T" else complex_.vertices_of_persistence_pairs()
    )
    values, indices = padded.ravel(order="F"), index.ravel(order="F")
    found = []
    for dimension, pairs in enumerate(regular):
        for birth, death in np.reshape(pairs, (-1, 2)):
            # The rim itself is a sphere of dimension d - 1 in the padded box. In our sphere it is filled from outside.
            is_rim = pad and dimension == image.ndim - 1 and indices[birth] < 0
            if values[birth] != values[death] and not is_rim:
                found.append(
                    Row(dimension, float(values[birth]), float(values[death]), int(indices[birth]), int(indices[death]))
                )
    (birth,) = essential[0]
    birth_value = 1.0 if indices[birth] < 0 else float(values[birth])
    return sorted([*found, Row(0, birth_value, 0.0, int(indices[birth]), -1)])
