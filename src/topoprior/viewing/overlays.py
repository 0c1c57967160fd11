"""Bars shown where they live: on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.topology.diagram import persistence
from topoprior.viewing.bars import barcode
from topoprior.viewing.style import COLOURS, MARKERS, axes_or_new, betti_text, check_max_bars, kind, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.topology.diagram import PersistenceDiagrams
    from topoprior.topology.filtration import Boundary, Construction, Images

OUTLINE, TARGET = "#ffd400", "#00c8ff"
ADDED, REMOVED = "#2e9bff", "#ff8c1a"


def critical_pixels(
    picture: Images,
    diagrams: PersistenceDiagrams,
    *,
    image: int = 0,
    max_bars: int = 8,
    plane: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The pixels that set the longest bars, on a grey picture: births filled, deaths hollow, a line between the two.

    These are the pixels that a gradient step moves. A death at 0, or the outside of the image, has no pixel.

    Args:
        picture: What to show below, shape ``(height, width)`` or ``(depth, height, width)``: the spatial shape of the
            images in ``diagrams``. Often the probability map itself.
        diagrams: From :func:`topoprior.persistence`.
        image: Which image of the batch, ``batch_index * channels + channel_index``.
        max_bars: Bars drawn per dimension, the longest ones; the legend says how many there are in all.
        plane: For a volume, the index along its first axis of the plane to show; pixels elsewhere are left out.
        ax: Where to draw; by default on a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If the shapes differ, or ``image``, ``max_bars`` or ``plane`` is out of range.
        ImportError: If matplotlib is missing.
    """
    check_max_bars(max_bars)
    grey = as_array(picture)
    if grey.shape != diagrams.shape[2:]:
        raise ValueError(f"picture must have the shape {diagrams.shape[2:]} of the images, got {grey.shape}")
    groups = [diagrams.select(image=image, dimension=k) for k in range(diagrams.spatial_axes)]
    shown = slice_of(grey, plane)
    ax = show_grey(shown, axes_or_new(ax, 4.2, 4.6))
    for k, group in enumerate(groups):
        birth, death = (
            _places(index[:max_bars].cpu().numpy(), grey.shape, plane)
            for index in (group.birth_index, group.death_index)
        )
        both = ~np.isnan(birth + death).any(axis=0)
        ax.plot(*np.stack([birth[:, both], death[:, both]])[:, ::-1].swapaxes(0, 1), color=COLOURS[k], linewidth=1.0)
        count = f"{len(group)}" if len(group) <= max_bars else f"longest {max_bars} of {len(group)}"
        edge: dict[str, Any] = {"marker": MARKERS[k], "s": 34, "linewidths": 1.2}
        ax.scatter(*birth[::-1], color=COLOURS[k], edgecolors="white", label=f"{kind(diagrams, k)} ({count})", **edge)
        ax.scatter(*death[::-1], facecolors="none", edgecolors=COLOURS[k], **edge)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.01), frameon=False, fontsize=7, title_fontsize=7,
        title="filled: birth, hollow: death", borderpad=0.1, handletextpad=0.2,
    )  # fmt: skip
    return ax


def before_after(
    picture: Images,
    before: Images,
    after: Images,
    *,
    target: Images | None = None,
    threshold: float = 0.5,
    construction: Construction = "T",
    boundary: Boundary = "background",
    plane: int | None = None,
) -> Figure:
    """Two rows, before and after: the image with the mask's outline, the map with its critical pixels, the barcode.

    In the second row, the pixels that the mask gained are blue and those that it lost are orange.

    Args:
        picture: The image that was segmented, shape ``(height, width)`` or ``(depth, height, width)``.
        before: Its probability map before, same shape, values in [0, 1].
        after: The map after.
        target: The true mask, if known; outlined too.
        threshold: The masks are the pixels with at least this probability; in (0, 1].
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.
        plane: For a volume, the index along its first axis of the plane to show; by default the one whose mask changes
            most, or holds most. The barcodes are those of the whole volume.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ or an argument is out of range.
        ImportError: If matplotlib is missing.
    """
    grey, maps = as_array(picture), [as_array(before), as_array(after)]
    truth = None if target is None else as_array(target) > 0.5
    for name, array in (("before", maps[0]), ("after", maps[1]), ("target", truth)):
        if array is not None and array.shape != grey.shape:
            raise ValueError(f"{name} must have the shape {grey.shape} of the image, got {array.shape}")
    masks = [map_ >= threshold for map_ in maps]
    if plane is None and grey.ndim == 3:
        plane = busiest_plane(*masks)
    options: Any = {"construction": construction, "boundary": boundary}
    figure = new_figure(10.0, 7.0)
    for row, name in enumerate(("before", "after")):
        left, middle, right = (figure.add_subplot(2, 3, 3 * row + column) for column in (1, 2, 3))
        diagrams = persistence(maps[row][None, None], **options)
        show_grey(slice_of(grey, plane), left)
        if name == "after":
            tint(left, slice_of(masks[1] & ~masks[0], plane), ADDED)
            tint(left, slice_of(masks[0] & ~masks[1], plane), REMOVED)
        if truth is not None:
            outline(left, slice_of(truth, plane), TARGET, linewidth=0.8)
        outline(left, slice_of(masks[row], plane), OUTLINE)
        numbers = diagrams.betti_numbers(threshold)[0, 0].numpy()
        left.set_title(f"{name}: Betti numbers {betti_text(numbers)}", fontsize=10)
        critical_pixels(maps[row], diagrams, max_bars=5, plane=plane, ax=middle).set_title("probability", fontsize=9)
        barcode(diagrams, threshold=threshold, max_bars=12, ax=right).set_title("")
    _outline_legend(figure.axes[3], truth is not None)
    return figure


def as_array(images: Images) -> NDArray[Any]:
    """Tensor or array, of any device, as an array."""
    if isinstance(images, torch.Tensor):
        images = images.detach().cpu()
        return (images.float() if images.dtype == torch.bfloat16 else images).numpy()
    return np.asarray(images)


def slice_of(array: NDArray[Any], plane: int | None) -> NDArray[Any]:
    """The image itself, or the plane of a volume."""
    if array.ndim == 2 and plane is None:
        return array
    if array.ndim != 3 or plane is None or plane not in range(len(array)):
        raise ValueError(
            "an image must have shape (height, width), or (depth, height, width) with a plane in 0..depth - 1; "
            f"got shape {array.shape} and plane {plane}"
        )
    plane_of_volume: NDArray[Any] = array[plane]
    return plane_of_volume


def busiest_plane(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> int:
    """Where two masks of a volume differ most; where they hold most if they are equal."""
    difference = (before != after).sum(axis=(1, 2))
    return int(np.argmax(difference if difference.any() else after.sum(axis=(1, 2))))


def show_grey(picture: NDArray[Any], ax: Axes) -> Axes:
    """A grey image without ticks; values in [0, 1] are shown as they are, others stretched to their range."""
    inside = picture.min() >= 0 and picture.max() <= 1
    limits: dict[str, Any] = {"vmin": 0, "vmax": 1} if inside else {}
    ax.imshow(picture, cmap="gray", interpolation="nearest", **limits)
    ax.set(xticks=[], yticks=[])
    return ax


def outline(ax: Axes, mask: NDArray[np.bool_], colour: str, *, linewidth: float = 1.4) -> None:
    """The edges between the pixels of a mask and the rest, along the pixels' sides; the frame of the image counts."""
    from matplotlib.collections import LineCollection

    padded = np.pad(mask, 1)
    row, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    level = np.stack([np.stack([column, row], 1), np.stack([column + 1, row], 1)], 1)
    row, column = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    upright = np.stack([np.stack([column, row], 1), np.stack([column, row + 1], 1)], 1)
    segments = np.concatenate([level, upright]) - 0.5
    ax.add_collection(LineCollection(list(segments), colors=colour, linewidths=linewidth, capstyle="projecting"))


def tint(ax: Axes, mask: NDArray[np.bool_], colour: str, *, opacity: float = 0.85) -> None:
    """The pixels of a mask in one colour."""
    from matplotlib.colors import to_rgba

    ax.imshow(np.where(mask[..., None], to_rgba(colour, opacity), 0.0), interpolation="nearest")


def _outline_legend(ax: Axes, with_target: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines = [Line2D([], [], color=OUTLINE, label="mask")]
    if with_target:
        lines.append(Line2D([], [], color=TARGET, label="target"))
    patches = [Patch(color=ADDED, label="gained"), Patch(color=REMOVED, label="lost")]
    ax.legend(
        handles=[*lines, *patches], loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=4, frameon=False, fontsize=7
    )


def _places(index: NDArray[np.int64], shape: tuple[int, ...], plane: int | None) -> NDArray[np.float64]:
    """Row and column of flat indices, shape ``(2, bars)``; NaN where there is no pixel, or none in this plane."""
    places = np.stack(np.unravel_index(np.maximum(index, 0), shape)).astype(float)
    places[:, index < 0] = np.nan
    if plane is not None:
        places[:, places[0] != plane] = np.nan
    return places[-2:]
