"""A label map before and after a refinement: its classes in colours, what was wrong, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.viewing.agreement import draw_ring, stretched
from topoprior.viewing.faults import topological_faults
from topoprior.viewing.labels import colour_of
from topoprior.viewing.mended import mended_places
from topoprior.viewing.overlays import busiest_plane, show_grey, slice_of, tint
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.priors.class_priors import ClassPriors
    from topoprior.topology.filtration import Boundary, Construction

_SEE_THROUGH = 0.55


def class_before_after(
    picture: NDArray[Any],
    before: NDArray[Any],
    after: NDArray[Any],
    priors: ClassPriors,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
    plane: int | None = None,
) -> Figure:
    """Three pictures: the classes before and after, and the changed pixels in the colour of their new class.

    Rings surround components and holes too many of classes and unions whose prior does not hold, before and after;
    where there are none, dashed rings surround what the smallest edit found would change.

    Args:
        picture: The image, shape ``(height, width)`` or ``(depth, height, width)``.
        before: Class of each pixel before, same shape; class 0 is background.
        after: The same after.
        priors: What was wanted, with the names of the classes.
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.
        plane: For a volume, the index along its first axis of the plane to show; by default the one that changed most.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ.
        ImportError: If matplotlib or scipy is missing.
    """
    for name, labels in (("before", before), ("after", after)):
        if labels.shape != picture.shape:
            raise ValueError(f"{name} must have the shape {picture.shape} of the image, got {labels.shape}")
    if plane is None and picture.ndim == 3:
        changed = before != after
        plane = busiest_plane(changed & False, changed if changed.any() else after > 0)
    options: Any = {"construction": construction, "boundary": boundary}
    figure = new_figure(10.0, 3.9)
    axes = figure.subplots(1, 3)
    grey = stretched(slice_of(picture, plane))
    for ax, name, labels in zip(axes, ("before", "after"), (before, after), strict=False):
        show_grey(grey, ax).set_title(name, fontsize=10)
        _tint_classes(ax, slice_of(labels, plane), priors)
        ax.autoscale(False)  # rings may reach over the edge
        for union, prior in zip(priors.unions, priors.priors, strict=True):
            mask = np.isin(labels, union)
            places = topological_faults(mask, mask, prior, **options) or mended_places(mask, prior, **options)
            for fault in places:
                draw_ring(ax, slice_of(fault.region, plane), fault, 1.0)
    show_grey(grey / 2, axes[2]).set_title("changed pixels, by new class", fontsize=10)
    now = slice_of(after, plane)
    different = slice_of(before, plane) != now
    for number in np.unique(now[different]):
        tint(axes[2], different & (now == number), "white" if number == 0 else colour_of(int(number)))
    _legend(figure, priors)
    return figure


def _tint_classes(ax: Axes, labels: NDArray[Any], priors: ClassPriors) -> None:
    for number in range(1, len(priors.classes)):
        tint(ax, labels == number, colour_of(number), opacity=_SEE_THROUGH)


def _legend(figure: Figure, priors: ClassPriors) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor="white", edgecolor="grey", label=priors.classes[0])]
    handles += [Patch(color=colour_of(number), label=name) for number, name in enumerate(priors.classes) if number]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
