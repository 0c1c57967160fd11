"""Betti numbers of all classes of a label map and of their unions, under every convention, absent classes left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from topoprior.evaluation.connectivity import SETTINGS
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from topoprior.evaluation.connectivity import Setting
    from topoprior.priors.audit import Numbers, Union


def label_topology(
    labels: NDArray[np.integer], unions: Iterable[Union]
) -> dict[Union, dict[int, dict[Setting, Numbers]]]:
    """The Betti numbers of unions of classes in the label maps that hold all their classes.

    Args:
        labels: Indices of classes, shape ``(cases, *spatial)`` with 1 to 3 spatial axes.
        unions: Which classes to take together; single classes are unions of one.

    Returns:
        For each union: index of the case to its Betti numbers under each of the four settings.

    Examples:
        A ring around a dot, and a dot alone:

        >>> labels = np.array([[[1, 1, 1], [1, 2, 1], [1, 1, 0]], [[0, 0, 0], [0, 2, 0], [0, 0, 0]]])
        >>> found = label_topology(labels, [(1,), (1, 2)])
        >>> for setting, numbers in found[1,][0].items():
        ...     print(f"{setting}: {numbers}")
        T, outside background: (1, 1)
        T, outside foreground: (1, 1)
        V, outside background: (1, 0)
        V, outside foreground: (1, 0)
        >>> list(found[1, 2])
        [0]
    """
    labels = np.asarray(labels)
    axes = tuple(range(1, labels.ndim))
    present: dict[int, NDArray[np.bool_]] = {}
    found: dict[Union, dict[int, dict[Setting, Numbers]]] = {}
    for union in unions:
        for each in union:
            if each not in present:
                present[each] = (labels == each).any(axis=axes)
        cases = np.flatnonzero(np.logical_and.reduce([present[each] for each in union]))
        found[union] = {int(case): {} for case in cases}
        if not len(cases):
            continue
        masks = np.isin(labels[cases], union)[:, None]
        for setting in SETTINGS:
            for case, numbers in zip(cases, betti_numbers(masks, **setting._asdict())[:, 0].tolist(), strict=True):
                found[union][int(case)][setting] = tuple(numbers)
    return found
