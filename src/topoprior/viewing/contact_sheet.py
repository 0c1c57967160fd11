"""All slices of a stack side by side, for a person to judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.viewing.agreement import stretched
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import TARGET, outline, show_grey
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS = 5
_SIDE = 2.2  # of a slice, in inches


def contact_sheet(
    slices: NDArray[Any],
    *,
    masks: NDArray[np.bool_] | None = None,
    notes: Sequence[str] | None = None,
    view: View | None = None,
) -> Figure:
    """The slices in rows, each under its number; the grey scale is that of the whole stack.

    Args:
        slices: Shape ``(slices, height, width)``.
        masks: Outlined, same shape.
        notes: One for each slice, beside its number.
        view: How a slice lies on the screen.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ, or there are not as many notes as slices.
        ImportError: If matplotlib is missing.
    """
    if slices.ndim != 3:
        raise ValueError(f"slices must have shape (slices, height, width), got {slices.shape}")
    if masks is not None and masks.shape != slices.shape:
        raise ValueError(f"masks must have the shape {slices.shape} of the slices, got {masks.shape}")
    if notes is not None and len(notes) != len(slices):
        raise ValueError(f"notes must be as many as the {len(slices)} slices, got {len(notes)}")
    view = view or View()
    columns = min(_COLUMNS, len(slices))
    rows = math.ceil(len(slices) / columns)
    sample = view(slices[0])
    height = _SIDE * sample.shape[0] * view.aspect / sample.shape[1]
    figure = new_figure(_SIDE * columns, (height + 0.28) * rows)
    grey = stretched(slices)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax in axes[len(slices) :]:
        ax.set_axis_off()
    for index, ax in enumerate(axes[: len(slices)]):
        show_grey(view(grey[index]), ax)
        if masks is not None:
            outline(ax, view(masks[index]), TARGET, linewidth=0.9)
        ax.set_aspect(view.aspect)
        note = f"   {notes[index]}" if notes is not None else ""
        ax.set_title(f"slice {index}{note}", fontsize=9)
    return figure
