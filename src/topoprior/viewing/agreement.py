"""A prediction beside its label: where they differ, and which parts the topology has no room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.topology.diagram import persistence
from topoprior.viewing.bars import barcode
from topoprior.viewing.faults import Fault, topological_faults
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import ADDED, OUTLINE, REMOVED, TARGET, as_array, outline, show_grey, tint
from topoprior.viewing.style import COLOURS, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction, Images

    Mask = NDArray[np.bool_]

_MOST_PLANES = 3
_MARGIN = 0.35  # of the larger side of what is shown; a heart fills a tenth of its slice
_SIDE = 3.6  # of each part of the figure, in inches
_LARGEST_RING = 0.4  # radius over the side of the picture: a ring round all of it points at nothing
_LABEL_GREY = 0.45  # without an image, the label is drawn instead


def agreement(
    picture: Images | None,
    prediction: Images,
    target: Images,
    *,
    prior: BettiPrior | None = None,
    probability: Images | None = None,
    threshold: float = 0.5,
    construction: Construction = "T",
    boundary: Boundary = "background",
    view: View | None = None,
) -> Figure:
    """The image, the image with both outlines and their differences, and the barcode if there are probabilities.

    The picture is cut to what the masks take up. Pixels that only the prediction has are blue, those that only the
    target has are orange. Where the topology is not as the prior wants, rings tell why, in the colour of the dimension:

    - solid: a component or a hole too many, the smallest ones, which
      :class:`~topoprior.baselines.components.Components` would remove or fill;
    - dashed: a difference to the target, such as a gap or a bridge, without which the topology would be nearer to what
      is wanted.

    Of a volume up to three planes are shown: those with such places, then those with the most differing pixels.

    Args:
        picture: The image, shape ``(height, width)`` or ``(planes, height, width)``; None draws the target instead.
        prediction: The mask to judge, same shape, boolean or 0/1 valued.
        target: The right mask, same shape.
        prior: What is wanted; None rings nothing.
        probability: From which the prediction was cut, same shape, in [0, 1].
        threshold: At which it was cut; the dashed line of the barcode.
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.
        view: How a plane lies on the screen.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ, or there are not 2 or 3 axes.
        ImportError: If matplotlib or scipy is missing.
    """
    ours, theirs = as_array(prediction) > 0, as_array(target) > 0
    grey, map_ = (None if array is None else as_array(array) for array in (picture, probability))
    for name, array in (("target", theirs), ("picture", grey), ("probability", map_)):
        if array is not None and array.shape != ours.shape:
            raise ValueError(f"{name} must have the shape {ours.shape} of the prediction, got {array.shape}")
    if ours.ndim not in (2, 3):
        raise ValueError(f"prediction must have shape (height, width) or (planes, height, width), got {ours.shape}")
    options: Any = {"construction": construction, "boundary": boundary}
    faults = [] if prior is None else topological_faults(ours, theirs, prior, **options)
    volume = ours.ndim == 3
    stack = (slice(None) if volume else None, ...)  # of planes; an image is a stack of one
    planes = worst_planes(ours[stack], theirs[stack], places=[fault.region[stack] for fault in faults])
    window = window_of(ours[stack] | theirs[stack], planes)
    view, alone = view or View(), int(not volume)
    columns = alone + len(planes) + (map_ is not None)

    figure = new_figure(_SIDE * columns, _SIDE)
    axes = np.atleast_1d(figure.subplots(1, columns)).ravel()
    for ax, plane in zip(axes[alone:], planes, strict=False):
        cut = (plane, *window)
        ours_cut, theirs_cut = view(ours[stack][cut]), view(theirs[stack][cut])
        background = _LABEL_GREY * theirs_cut if grey is None else stretched(view(grey[stack][cut]))
        if alone:
            show_grey(background, axes[0]).set_aspect(view.aspect)
        _draw(ax, background, ours_cut, theirs_cut, view.aspect)
        for fault in faults:
            draw_ring(ax, view(fault.region[stack][cut]), fault, view.aspect)
        if volume:
            ax.set_title(f"plane {plane}", fontsize=9)
    if map_ is not None:
        barcode(persistence(map_[None, None], **options), threshold=threshold, max_bars=12, ax=axes[-1])
    return figure


def worst_planes(prediction: Mask, target: Mask, *, places: Sequence[Mask] = ()) -> list[int]:
    """Up to three planes of a volume, along its first axis.

    First those that show most of the places that must be seen, then those with the most differing pixels; where all
    agree, the fullest one.

    Examples:
        >>> prediction, target = np.zeros((2, 4, 1, 1), dtype=bool)
        >>> prediction[[1, 3]] = True
        >>> worst_planes(prediction, target), worst_planes(prediction, prediction)
        ([1, 3], [1])
    """
    wrong = _area(prediction != target)
    if not wrong.any() and not places:
        return [int(np.argmax(_area(target)))]
    first = [int(np.argmax(_area(place))) for place in places]
    then = [int(plane) for plane in np.argsort(-wrong, kind="stable") if wrong[plane]]
    return sorted(list(dict.fromkeys(first + then))[:_MOST_PLANES])


def _area(volume: Mask) -> NDArray[np.int64]:
    """Pixels in each plane."""
    return np.asarray(volume.sum(axis=(1, 2)))


def window_of(masks: Mask, planes: list[int]) -> tuple[slice, slice]:
    """Rows and columns that hold what the masks take up in these planes, with a margin; all if they are empty."""
    taken = np.any(masks.take(planes, axis=0), axis=0)
    if not taken.any():
        return slice(None), slice(None)
    ends = [(int(used[0]), int(used[-1]) + 1) for used in (np.flatnonzero(taken.any(axis=axis)) for axis in (1, 0))]
    side = max(stop - start for start, stop in ends)
    half = round(side * (0.5 + _MARGIN)) + 3
    rows, columns = (
        slice(max((start + stop) // 2 - half, 0), min((start + stop) // 2 + half, size))
        for (start, stop), size in zip(ends, taken.shape, strict=True)
    )
    return rows, columns


def _draw(ax: Axes, grey: NDArray[Any], ours: Mask, theirs: Mask, aspect: float) -> None:
    show_grey(grey, ax)
    tint(ax, ours & ~theirs, ADDED, opacity=0.55)
    tint(ax, theirs & ~ours, REMOVED, opacity=0.55)
    ax.set_aspect(aspect)
    outline(ax, theirs, TARGET, linewidth=1.0)
    outline(ax, ours, OUTLINE, linewidth=1.2)
    ax.autoscale(False)  # rings may reach over the edge


def draw_ring(ax: Axes, region: Mask, fault: Fault, aspect: float) -> None:
    """A ring round what a plane shows of a fault, if anything."""
    from matplotlib.patches import Ellipse

    if not region.any():
        return
    (top, bottom), (left, right) = ((int(index.min()), int(index.max())) for index in np.nonzero(region))
    radius = max(0.5 * np.hypot(bottom - top + 1, right - left + 1), 0.04 * max(region.shape)) + 1.5
    if radius > _LARGEST_RING * max(region.shape):
        return
    shape: Any = {"width": 2 * radius, "height": 2 * radius / aspect, "fill": False}
    middle = ((left + right) / 2, (top + bottom) / 2)
    ax.add_patch(Ellipse(middle, **shape, edgecolor="white", linewidth=3.2))
    line: Any = (0, (3, 2)) if fault.mendable else "solid"
    ax.add_patch(Ellipse(middle, **shape, edgecolor=COLOURS[fault.dimension], linewidth=1.8, linestyle=line))


def stretched(grey: Any) -> NDArray[np.float64]:
    """Gray values from 0 to 1, without the darkest and the brightest percent of the window."""
    low, high = np.percentile(grey, (1, 99))
    return np.asarray(np.clip((grey - low) / max(high - low, 1e-12), 0, 1), dtype=float)
