"""The convergence analysis as a figure: right topology, overlap and steps against the level of corruption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BEFORE, _AFTER = ("#7a8694", "o"), ("#1e5fb4", "s")


def convergence(levels: Sequence[Mapping[str, Any]], *, label: str) -> Figure:
    """Three panels over the levels of corruption: what refinement is given, what it makes of it, and in how many steps.

    Args:
        levels: What `topoprior.experiments.robustness.summarise` gives, at least one.
        label: What a level counts, with its unit.

    Returns:
        The figure. Left: share of masks with the right topology, before and after, with 95 % intervals. Middle: mean
        Dice. Right: median steps of the cases wrong before, with their quartiles; a level without such cases has none.

    Raises:
        ValueError: If there is no level.
        ImportError: If matplotlib is missing.

    Examples:
        >>> share = {"right_before_low": 0.3, "right_before_high": 0.7, "right_after_low": 0.8, "right_after_high": 1}
        >>> level = {"level": 0, "right_before": 0.5, "right_after": 1, "dice_before": 0.8, "dice_after": 0.9}
        >>> figure = convergence([level | share | {"steps": [4, 5, 9]}], label="lines removed")
        >>> [axes.get_title() for axes in figure.axes]
        ['right topology', 'overlap with the label', 'work']
    """
    if not levels:
        raise ValueError("a figure needs at least one level, got none")
    figure = new_figure(9.6, 3.1)
    right, overlap, work = figure.subplots(1, 3)
    places = [row["level"] for row in levels]
    for when, (colour, marker) in (("before", _BEFORE), ("after", _AFTER)):
        style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5, "label": f"{when} refinement"}
        right.plot(places, [100 * row[f"right_{when}"] for row in levels], **style)
        ends = [[100 * row[f"right_{when}_{end}"] for row in levels] for end in ("low", "high")]
        right.fill_between(places, *ends, color=colour, alpha=0.15, linewidth=0)
        overlap.plot(places, [row[f"dice_{when}"] for row in levels], **style)
    tried = [row for row in levels if row["steps"] is not None]
    quartiles = [[row["steps"][which] for row in tried] for which in range(3)]
    there = [row["level"] for row in tried]
    work.fill_between(there, quartiles[0], quartiles[2], color=_AFTER[0], alpha=0.15, linewidth=0)
    work.plot(there, quartiles[1], color=_AFTER[0], marker=_AFTER[1], markersize=4.5)
    right.set(ylim=(-3, 103), ylabel="cases / %")
    overlap.set(ylim=(0, 1.02), ylabel="mean Dice")
    work.set(ylim=(0, None), ylabel="steps, if wrong before")
    titles = ("right topology", "overlap with the label", "work")
    for axes, title in zip((right, overlap, work), titles, strict=True):
        _finish(axes, label, title)
    overlap.legend(loc="lower left", fontsize=8, frameon=False)
    return figure


def _finish(axes: Axes, label: str, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
