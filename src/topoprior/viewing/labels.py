"""A label map that breaks a prior: its classes in colours, and which parts the topology has no room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.viewing.agreement import draw_ring, stretched, window_of, worst_planes
from topoprior.viewing.distributions import GROUPS
from topoprior.viewing.faults import topological_faults
from topoprior.viewing.mended import mended_places
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import OUTLINE, outline, show_grey, tint
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Collection

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction

_SIDE = 3.2  # of each plane, in inches
_BRIGHT, _DIM = 0.85, 0.4  # the classes that the prior is about, and the others
_ON_IMAGE = 0.5  # of that, where an image lies below


def colour_of(number: int) -> str:
    """The colour of a class, 1 or higher.

    Examples:
        >>> colour_of(1) != colour_of(2)
        True
    """
    return GROUPS[(number - 1) % len(GROUPS)]


def broken_label(
    labels: NDArray[Any],
    union: Collection[int],
    prior: BettiPrior,
    *,
    picture: NDArray[Any] | None = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
    view: View | None = None,
) -> Figure:
    """The classes of a label map in colours, a union of them outlined, with rings round what it has too many of.

    The picture is cut to what the label takes up. Rings, in the colour of the dimension, surround the smallest
    components and holes too many. Where there are none, as with a loop that is missing or a tunnel too many, dashed
    rings surround what the smallest edit found would change. Of a volume up to three planes are shown, those with such
    places first.

    Args:
        labels: Class of each pixel, 0 for none, shape ``(height, width)`` or ``(planes, height, width)``.
        union: The classes that the prior is about; the others are dim.
        prior: What is wanted of them.
        picture: The image, same shape, drawn below; None: black.
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.
        view: How a plane lies on the screen.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ, or there are not 2 or 3 axes.
        ImportError: If matplotlib or scipy is missing.
    """
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3):
        raise ValueError(f"labels must have shape (height, width) or (planes, height, width), got {labels.shape}")
    if picture is not None and picture.shape != labels.shape:
        raise ValueError(f"picture must have the shape {labels.shape} of the labels, got {picture.shape}")
    mask = np.isin(labels, list(union))
    options: Any = {"construction": construction, "boundary": boundary}
    faults = topological_faults(mask, mask, prior, **options) or mended_places(mask, prior, **options)
    stack = (slice(None) if labels.ndim == 3 else None, ...)  # of planes; an image is a stack of one
    planes = worst_planes(mask[stack], mask[stack], places=[fault.region[stack] for fault in faults])
    window = window_of(labels[stack] > 0, planes)
    view = view or View()

    figure = new_figure(_SIDE * len(planes), _SIDE)
    for ax, plane in zip(np.atleast_1d(figure.subplots(1, len(planes))).ravel(), planes, strict=True):
        cut = (plane, *window)
        shown = view(labels[stack][cut])
        below = np.zeros(shown.shape) if picture is None else stretched(view(picture[stack][cut]))
        show_grey(below, ax)
        for number in np.unique(shown[shown > 0]):
            strength = (_BRIGHT if number in union else _DIM) * (1 if picture is None else _ON_IMAGE)
            tint(ax, shown == number, colour_of(int(number)), opacity=strength)
        ax.set_aspect(view.aspect)
        outline(ax, view(mask[stack][cut]), OUTLINE, linewidth=1.0)
        ax.autoscale(False)  # rings may reach over the edge
        for fault in faults:
            draw_ring(ax, view(fault.region[stack][cut]), fault, view.aspect)
        if labels.ndim == 3:
            ax.set_title(f"plane {plane}", fontsize=9)
    return figure
