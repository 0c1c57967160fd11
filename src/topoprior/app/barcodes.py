"""The barcode as HTML: the axis runs from 1 to 0, and each bar tells what the prior makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.app.wish import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topoprior.app.exploration import Bar, Exploration

_MOST_DRAWN = 12  # of each dimension
_TICKS = (1.0, 0.75, 0.5, 0.25, 0.0)


def barcode(found: Exploration, *, level: float | None = None) -> str:
    """The longest bars of both dimensions, with a line at a level.

    A bar that is wanted is filled; one that is allowed has an outline; one that is too many is hatched in orange. A
    wanted bar that does not exist has a dashed row of its own.
    """
    groups = "".join(_group(dimension, found) for dimension in range(len(found.bars)))
    ticks = "".join(f'<span style="left:{_percent(1 - tick)}">{tick:g}</span>' for tick in _TICKS)
    line = "" if level is None else f'<i class="level" style="left:{_percent(1 - level)}"></i>'
    return f'<div class="barcode"><div class="bars">{line}{groups}</div><div class="ticks">{ticks}</div></div>'


def _group(dimension: int, found: Exploration) -> str:
    bars, missing = found.bars[dimension], found.missing[dimension]
    rows = "".join(_row(bar) for bar in bars[:_MOST_DRAWN])
    rows += '<div class="row"><b class="missing"></b></div>' * min(missing, _MOST_DRAWN)
    more = len(bars) - _MOST_DRAWN
    note = f'<p class="more">{_shorter(bars[_MOST_DRAWN:])}</p>' if more > 0 else ""
    return f'<div class="group d{dimension}"><p class="kind">{WORDS[dimension]}s</p>{rows}{note}</div>'


def _row(bar: Bar) -> str:
    place = f"left:{_percent(1 - bar.birth)};width:{_percent(bar.birth - bar.death)}"
    told = f"from {bar.birth:.3f} to {bar.death:.3f}, {bar.birth - bar.death:.3f} long: {bar.role}"
    return f'<div class="row"><b class="{bar.role}" style="{place}" title="{told}"></b></div>'


def _shorter(bars: Sequence[Bar]) -> str:
    longest = bars[0].birth - bars[0].death
    roles = {bar.role for bar in bars}
    what = f", all {_ROLES[roles.pop()]}" if len(roles) == 1 else ""
    more = "1 shorter bar" if len(bars) == 1 else f"{len(bars)} shorter bars"
    return f"and {more}, at most {longest:.3f} long{what}"


_ROLES = {"wanted": "wanted", "allowed": "allowed", "surplus": "too many"}


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
