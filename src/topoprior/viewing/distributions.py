"""How a score is spread over the cases: every case a point, or counts where the score is a small whole number."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from topoprior.viewing.style import axes_or_new

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

GROUPS = ("#1e5fb4", "#d1731c", "#2f8f5b", "#8d4bb5", "#b8323f", "#6d6d6d")
_GREY = "#7a8694"
_MOST_COUNTED = 6  # counts from here on share one bar


def strip(groups: Mapping[str, Sequence[float]], *, label: str, ax: Axes | None = None) -> Axes:
    """One row of points for each group, a point for each case, with the median and the quartiles below them.

    Infinite values (a surface distance to an empty mask) have no place on the axis: a remark says how many there are.

    Args:
        groups: Name of each group, such as a class, to its values; NaN is not allowed.
        label: What the values are, with the unit.
        ax: Where to draw; by default on a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no group, or a value is NaN.
        ImportError: If matplotlib is missing.

    Examples:
        >>> axes = strip({"1": [0.9, 0.8, 0.95]}, label="Dice")
        >>> axes.get_xlabel()
        'Dice'
    """
    values = {name: np.asarray(list(each), dtype=float) for name, each in _checked(groups).items()}
    if any(np.isnan(each).any() for each in values.values()):
        raise ValueError("values must be numbers, got nan")
    ax = axes_or_new(ax, 4.0, 1.2 + 0.6 * len(groups))
    for row, each in enumerate(values.values()):
        finite, colour = each[np.isfinite(each)], GROUPS[row % len(GROUPS)]
        if len(finite):
            ax.scatter(finite, row - 0.12 + _spread(finite), s=13, color=colour, alpha=0.55, linewidths=0)
            low, middle, high = np.percentile(finite, (25, 50, 75))
            ax.plot([low, high], [row + 0.3] * 2, color=colour, linewidth=3.0, solid_capstyle="butt")
            ax.plot(middle, row + 0.3, marker="o", markersize=5.5, color="white", markeredgecolor=colour)
        if len(finite) < len(each):
            text = f"{len(each) - len(finite)} infinite"
            ax.text(1.0, row - 0.38, text, transform=ax.get_yaxis_transform(), ha="right", fontsize=7, color=_GREY)
    ax.set(ylim=(len(groups) - 0.5, -0.5), yticks=range(len(groups)), yticklabels=list(values))
    return _finished(ax, label, grid="x")


def counted(groups: Mapping[str, Sequence[int]], *, label: str, ax: Axes | None = None) -> Axes:
    """How many cases have 0, 1, 2, ... ; from 6 on they share one bar.

    Args:
        groups: Name of each group to its values, whole numbers of at least 0.
        label: What is counted.
        ax: Where to draw; by default on a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no group, or a value is no whole number of at least 0.
        ImportError: If matplotlib is missing.

    Examples:
        >>> axes = counted({"1": [0, 0, 2]}, label="loops missing or too many")
        >>> [int(bar.get_height()) for bar in axes.patches]
        [2, 0, 1]
    """
    for value in (value for each in _checked(groups).values() for value in each):
        if value != int(value) or value < 0:
            raise ValueError(f"values must be whole numbers of at least 0, got {value}")
    numbers = {name: Counter(min(int(value), _MOST_COUNTED) for value in each) for name, each in groups.items()}
    ax = axes_or_new(ax, 4.0, 2.6)
    from matplotlib.ticker import MaxNLocator

    highest = max((max(count, default=0) for count in numbers.values()), default=0)
    places, width = np.arange(highest + 1), 0.8 / len(groups)
    for row, (name, count) in enumerate(numbers.items()):
        heights = [count[int(place)] for place in places]
        bars = ax.bar(
            places + (row - (len(groups) - 1) / 2) * width, heights, width, color=GROUPS[row % len(GROUPS)], label=name
        )
        if len(groups) <= 3:
            ax.bar_label(bars, [str(height or "") for height in heights], fontsize=7, color=_GREY)
    ax.set_xticks(places, [f"{place}{'+' if place == _MOST_COUNTED else ''}" for place in places])
    ax.margins(y=0.12)
    ax.set_xlim(-0.6, max(highest, 2) + 0.6)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("cases", fontsize=8)
    return _finished(ax, label, grid="y")


def _checked(groups: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
    if not groups:
        raise ValueError("there must be at least one group of values, got none")
    return groups


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights that keep points of nearly the same value apart: the same on every run."""
    bins = np.round((values - values.min()) / max(float(np.ptp(values)), 1e-12) * 40).astype(int)
    fullest = int(np.bincount(bins).max())
    place = np.empty(len(values))
    for number in np.unique(bins):
        (members,) = np.nonzero(bins == number)
        place[members] = np.arange(len(members)) - (len(members) - 1) / 2
    return place * min(0.07, 0.6 / fullest)


def _finished(ax: Axes, label: str, *, grid: Literal["x", "y"]) -> Axes:
    ax.set_xlabel(label, fontsize=8)
    ax.tick_params(labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["right", "top", "left"]].set_visible(False)
    ax.grid(axis=grid, color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax
