"""The page about an evaluation: scores in, one HTML file out, worst cases first, with every picture inside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.evaluation.result_table import numbers
from topoprior.viewing.distributions import counted, strip
from topoprior.viewing.overlays import ADDED, OUTLINE, REMOVED, TARGET
from topoprior.viewing.report import scores
from topoprior.viewing.report.html import Page, data_address
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

    from topoprior.evaluation.result_table import Row

_DPI = 100
_EMPTY = {"pixels": "prediction", "target_pixels": "label"}
_PROBLEMS = (ValueError, TypeError, OSError)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the page tells, besides its pictures.

    Attributes:
        rows: The result table, with the columns of :func:`topoprior.evaluation.score.score`; at least one row.
        summary: For each class and measure a row with ``class``, ``measure``, ``mean``, ``low``, ``high`` and perhaps a
            ``remark``.
        unit: Of the distances: ``"mm"`` or ``"pixels"``.
        things: What the rows are about: ``"images"`` or ``"slices"``.
        wanted: In a sentence, what the topology was compared with.
        failures: What could not be scored, one line each.
        files: How many files there were, with those that failed.
        convention: Construction and boundary in words.
        connectivity: Rows of a table, ready to print; none leaves it out.
        flips: Sentences below it.
        comparison: Rows of a table, ready to print; none leaves it out.
        comparison_reading: How to read it.
        other: With what was compared.
    """

    rows: Sequence[Row]
    summary: Sequence[Row]
    unit: str = "mm"
    things: str = "images"
    wanted: str = ""
    failures: Sequence[str] = ()
    files: int = 0
    convention: str = ""
    connectivity: Sequence[Mapping[str, str]] = ()
    flips: Sequence[str] = ()
    comparison: Sequence[Mapping[str, str]] = ()
    comparison_reading: str = ""
    other: str = ""
    configuration: Mapping[str, object] = field(default_factory=dict)


def write_evaluation(
    path: str | os.PathLike[str],
    evaluation: Evaluation,
    *,
    title: str,
    introduction: str = "",
    picture: Callable[[Row], Figure] | None = None,
    max_pictures: int = 20,
    overwrite: bool = False,
) -> Path:
    """Write one HTML file that shows how good predictions are: it needs no other file and makes no request.

    It holds means with their intervals, the distributions, what other conventions of connectivity would say, a paired
    comparison if there is one, the worst cases with pictures, and a table of all cases that can be sorted.

    Args:
        path: Where to; appears whole or not at all.
        evaluation: What it tells.
        title: Of the page.
        introduction: A paragraph of plain text below the title.
        picture: Draws a row's case; what it cannot draw (``ValueError``, ``TypeError``, ``OSError``) is said on the
            page. None: no pictures.
        max_pictures: How many rows get pictures, worst first.
        overwrite: Replace an existing file.

    Returns:
        The path.

    Raises:
        ValueError: If there is no row.
        OSError: If the file exists and ``overwrite`` is false, or it cannot be written.
        ImportError: If jinja2 or matplotlib is missing.
    """
    if not evaluation.rows:
        raise ValueError("a report needs at least one case, got none")
    page = Page(Path(path), "evaluation.html.j2", overwrite=overwrite)
    ordered = sorted(evaluation.rows, key=scores.badness)
    pictured = ordered[:max_pictures] if picture is not None else []
    shown = [_shown(row, number, evaluation, pictured=number < len(pictured)) for number, row in enumerate(ordered)]
    classes = _classes(evaluation.rows)
    return page.write(
        title=title,
        introduction=introduction,
        cases=len({row["case"] for row in evaluation.rows}),
        classes=classes,
        things=evaluation.things,
        files=evaluation.files,
        failures=evaluation.failures,
        reading=evaluation.wanted,
        summary=_summary(evaluation, classes),
        distributions=data_address(_distributions(evaluation, classes), form="webp", dpi=150),
        connectivity=list(evaluation.connectivity),
        flips=list(evaluation.flips),
        convention=evaluation.convention,
        comparison=list(evaluation.comparison),
        comparison_reading=evaluation.comparison_reading,
        other=evaluation.other,
        pictured=[(head, _panel(picture, row)) for head, row in zip(shown, pictured, strict=False)] if picture else [],
        colours={"prediction": OUTLINE, "target": TARGET, "added": ADDED, "removed": REMOVED},
        columns=[cell["column"] for cell in shown[0]["cells"]],
        rows=shown,
        configuration=dict(evaluation.configuration),
    )


def _classes(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["class"]) for row in rows))


def _summary(evaluation: Evaluation, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Measures down, classes across."""
    axes = scores.dimensions(evaluation.rows)
    found = {(row["measure"], str(row["class"])): row for row in evaluation.summary}
    return [
        {
            "label": scores.label(str(name), dimensions=axes, unit=evaluation.unit),
            "cells": [_mean(str(name), found.get((name, each))) for each in classes],
        }
        for name in dict.fromkeys(row["measure"] for row in evaluation.summary)
    ]


def _mean(name: str, row: Row | None) -> dict[str, str] | None:
    if row is None:
        return None
    bounds = scores.interval(name, row["low"], row["high"])
    return {
        "mean": scores.text(name, row["mean"]),
        "interval": f"({bounds})" if bounds else "",
        "remark": str(row.get("remark") or ""),
    }


def _distributions(evaluation: Evaluation, classes: Sequence[str]) -> Figure:
    """The Betti errors counted, the other measures case by case."""
    names = [name for name in scores.measures(evaluation.rows) if name != "topological_success"]
    axes = scores.dimensions(evaluation.rows)
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = new_figure(11.0, lines * (2.4 + 0.2 * len(classes)))
    for place, name in enumerate(names, start=1):
        groups: dict[str, list[Any]] = {each: [] for each in classes}
        for row, value in zip(evaluation.rows, numbers(evaluation.rows, name), strict=True):
            if value is not None:
                groups[str(row["class"])].append(value)
        draw = counted if name.startswith("betti_error") else strip
        ax = figure.add_subplot(lines, columns, place)
        draw(groups, label=scores.label(name, dimensions=axes, unit=evaluation.unit), ax=ax)
        if len(classes) == 1 and draw is strip:
            ax.set_yticks([])
        if len(classes) > 1 and draw is counted:
            ax.legend(title="class", frameon=False, fontsize=7, title_fontsize=7)
    return figure


def _shown(row: Row, number: int, evaluation: Evaluation, *, pictured: bool) -> dict[str, Any]:
    """A row in words: its line in the table of all, and the heading of its picture."""
    several = len(_classes(evaluation.rows)) > 1
    errors = [int(row[name] or 0) for name in scores.errors([row]) if row[name] is not None]
    cells = [_cell("case", row["case"])]
    cells += [_cell("class", row["class"])] * several
    cells += [_cell("wanted", row.get("wanted"))] * ("wanted" in row)
    cells.append(_cell("Betti numbers", scores.betti(row), bad=any(errors)))
    cells += [_cell("Betti error", sum(errors), sum(errors), bad=any(errors))] * bool(errors)
    for name in scores.measures([row]):
        if name != "topological_success" and not name.startswith("betti_error"):
            cells.append(
                _cell(scores.abbreviation(name, unit=evaluation.unit), scores.text(name, row[name]), row[name])
            )
    return {
        "number": number,
        "name": f"{row['case']}, class {row['class']}" if several else row["case"],
        "pictured": pictured,
        "cells": cells,
        "remarks": _remarks(row),
    }


def _remarks(row: Row) -> list[str]:
    """What a reader should know before judging a case."""
    remarks = [f"the {what} is empty" for name, what in _EMPTY.items() if row.get(name) == 0]
    if row.get("target_success") == 0 and row.get("target_pixels"):
        remarks.append(f"the label itself has the Betti numbers {scores.betti(row, 'target_betti_')}")
    return remarks


def _cell(column: str, text: object, value: object = None, *, bad: bool = False) -> dict[str, Any]:
    """What is shown, by what it is sorted if not by that, and whether it is wrong."""
    return {"column": column, "text": text, "value": value, "bad": bad}


def _panel(picture: Callable[[Row], Figure], row: Row) -> dict[str, str]:
    """The picture of a row as an address, or why there is none."""
    try:
        return {"address": data_address(picture(row), form="webp", dpi=_DPI), "problem": ""}
    except _PROBLEMS as error:
        return {"address": "", "problem": str(error)}
