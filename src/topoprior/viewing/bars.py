"""Barcode and persistence diagram: the two drawings of bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.viewing.style import COLOURS, MARKERS, axes_or_new, betti_text, check_max_bars, kind, values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from topoprior.topology.diagram import PersistenceDiagrams

_LINE_OF_TEXT, _TALLEST_ROW = 12.0, 14.0  # points
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # keeps text readable across the threshold's line


def barcode(
    diagrams: PersistenceDiagrams,
    *,
    image: int = 0,
    threshold: float | None = None,
    max_bars: int = 25,
    ax: Axes | None = None,
) -> Axes:
    """The bars of one image as horizontal lines from birth to death, longest first, the axis running from 1 to 0.

    Args:
        diagrams: From :func:`topoprior.persistence`.
        image: Which image of the batch, ``batch_index * channels + channel_index``.
        threshold: In (0, 1]. Draws a dashed line there, and writes the Betti numbers: how many bars it crosses.
        max_bars: Bars drawn per dimension, the longest ones; a note below them says how many shorter ones there are.
        ax: Where to draw; by default on a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If ``image``, ``threshold`` or ``max_bars`` is out of range.
        ImportError: If matplotlib is missing.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), Figure 1. PMC9721526.

    Examples:
        >>> from topoprior import persistence
        >>> axes = barcode(persistence(np.array([[[0.9, 0.2, 0.7]]])), threshold=0.5)
        >>> axes.get_title()
        'Betti numbers at 0.5: (2)'
    """
    check_max_bars(max_bars)
    groups = [diagrams.select(image=image, dimension=k) for k in range(diagrams.spatial_axes)]
    title = "" if threshold is None else _betti_title(diagrams, image, threshold)
    ax = axes_or_new(ax, 5.0, 3.4)

    number_of_bars = sum(min(max_bars, len(group)) for group in groups)
    lines_of_text = len(groups) + sum(len(group) > max_bars for group in groups)
    height = ax.get_window_extent().height * 72.0 / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    left = max(height - lines_of_text * _LINE_OF_TEXT, 0.25 * height)
    point = max(number_of_bars / left, 1 / _TALLEST_ROW)  # in rows
    line, width = _LINE_OF_TEXT * point, float(np.clip(0.65 / point, 0.8, 5.0))

    row = 0.0
    for k, group in enumerate(groups):
        ax.text(0.995, row + 0.8 * line, kind(diagrams, k), color=COLOURS[k], fontsize=8, bbox=_BEHIND)
        births, deaths = (side[:max_bars] for side in values(group))
        rows = row + line + 0.5 + np.arange(len(births))
        ax.hlines(rows, births, deaths, colors=COLOURS[k], linewidth=width)
        row += line + len(births)
        if len(group) > max_bars:
            ax.text(
                0.995,
                row + 0.8 * line,
                f"+ {len(group) - max_bars} shorter bars",
                color="0.35",
                fontsize=7,
                bbox=_BEHIND,
            )
            row += line
    if threshold is not None:
        ax.axvline(threshold, color="0.25", linestyle="--", linewidth=1.0, zorder=0)
        ax.set_title(title, fontsize=9)
    ax.set(xlim=(1.0, 0.0), ylim=(max(row + 0.5, height * point), 0.0), yticks=[])
    ax.set_xlabel("threshold p", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["left", "right", "top"]].set_visible(False)
    return ax


def persistence_diagram(
    diagrams: PersistenceDiagrams, *, image: int = 0, threshold: float | None = None, ax: Axes | None = None
) -> Axes:
    """The bars of one image as points (birth, death); super-level sets, so all lie on or below the diagonal.

    Args:
        diagrams: From :func:`topoprior.persistence`.
        image: Which image of the batch, ``batch_index * channels + channel_index``.
        threshold: In (0, 1]. Shades where ``birth >= threshold > death``; the points there are counted by the Betti
            numbers in the title.
        ax: Where to draw; by default on a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If ``image`` or ``threshold`` is out of range.
        ImportError: If matplotlib is missing.
    """
    groups = [diagrams.select(image=image, dimension=k) for k in range(diagrams.spatial_axes)]
    title = "" if threshold is None else _betti_title(diagrams, image, threshold)
    ax = axes_or_new(ax, 4.0, 4.0)
    ax.axline((0.0, 0.0), slope=1.0, color="0.6", linewidth=0.8)
    if threshold is not None:
        ax.fill_between([threshold, 1.0], 0.0, threshold, color="0.92", zorder=0)
        ax.set_title(title, fontsize=9)
    for k, group in enumerate(groups):
        style: dict[str, Any] = {"color": COLOURS[k], "marker": MARKERS[k], "s": 22, "alpha": 0.75, "linewidths": 0.0}
        ax.scatter(*values(group), label=kind(diagrams, k), clip_on=False, zorder=3, **style)
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")
    ax.set_xlabel("birth", fontsize=8)
    ax.set_ylabel("death", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["right", "top"]].set_visible(False)
    ax.legend(loc="upper left", frameon=False, fontsize=8)
    return ax


def _betti_title(diagrams: PersistenceDiagrams, image: int, threshold: float) -> str:
    numbers = diagrams.betti_numbers(threshold).flatten(0, 1)[image].cpu().numpy()
    return f"Betti numbers at {threshold:g}: {betti_text(numbers)}"
