"""A result table told in numbers and in words: means, conventions of connectivity, comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

from topoprior.evaluation.aggregate import Summary, grouped, summarise
from topoprior.evaluation.connectivity import SETTINGS, report_of_tables
from topoprior.evaluation.result_table import Row, Value
from topoprior.evaluation.statistics import Comparison
from topoprior.viewing.report import scores

Line = dict[str, str]

_SMALL = 0.001
_DIFFERS = "judged otherwise"


def summaries(rows: Sequence[Row]) -> list[Row]:
    """For each class and measure the mean with its 95 % interval, median, and what is left out, the topology first."""
    columns = scores.measures(rows)
    found = summarise(rows, columns=columns)
    if any(row["target_success"] is not None for row in rows):
        found += summarise(rows, columns=["target_success"], shares=["target_success"])
    order = ["topological_success", "target_success", *columns]
    classes = list(dict.fromkeys(row["class"] for row in rows))
    found.sort(key=lambda each: (classes.index(each.group["class"]), order.index(each.column)))
    return [_row(each) for each in found]


def _row(summary: Summary) -> Row:
    row = summary.as_row()
    remark = f"{summary.infinite} infinite" if summary.infinite else None
    return (
        {"class": row["class"], "measure": summary.column}
        | {name: row[name] for name in ("mean", "low", "high", "median", "values", "infinite")}
        | {"remark": remark}
    )


def summary_lines(summary: Sequence[Row], *, dimensions: int, unit: str) -> list[Line]:
    """The same in words."""
    several = len({row["class"] for row in summary}) > 1
    lines = []
    for row in summary:
        name = str(row["measure"])
        line = {"class": str(row["class"])} if several else {}
        line["score"] = scores.label(name, dimensions=dimensions, unit=unit)
        line["mean"] = scores.text(name, row["mean"])
        line["95 % interval"] = scores.interval(name, row["low"], row["high"])
        line["median"] = "" if name in scores.SHARES else scores.text(name, row["median"])
        line["cases"] = str(row["values"])
        line["remark"] = str(row["remark"] or "")
        lines.append(line)
    return _filled(lines)


def _filled(lines: list[Line]) -> list[Line]:
    """Without the columns that are empty in all lines."""
    empty = {name for name in lines[0] if not any(line[name] for line in lines)}
    return [{name: cell for name, cell in line.items() if name not in empty} for line in lines]


def connectivity(rows: Sequence[Row], other: Sequence[Row] | None = None, *, names: tuple[str, str]) -> list[Row]:
    """The share of masks with the right topology under each convention, for each class.

    Args:
        rows: The result table.
        other: Of another method; its shares are told too, if it has them.
        names: Of the two methods.
    """
    found = []
    for label, methods in _by_class(rows, other, names).items():
        members = methods[names[0]]
        if members[0]["target_success"] is not None:
            targets = [{s.column: row[f"target_{s.column}"] for s in SETTINGS} for row in members]
            methods = methods | {"labels": targets}
        for setting, line in zip(SETTINGS, report_of_tables(methods).as_rows(), strict=True):
            differs = sum(row[setting.column] != row["topological_success"] for row in members)
            found.append({"class": label} | line | {_DIFFERS: differs})
    return found


def _by_class(
    rows: Sequence[Row], other: Sequence[Row] | None, names: tuple[str, str]
) -> dict[Value, dict[str, Sequence[Row]]]:
    """The rows of each class by method; of the other one only if they have verdicts under every convention."""
    found: dict[Value, dict[str, Sequence[Row]]] = {}
    for ((_, label),), members in grouped(rows, ("class",)).items():
        found[label] = {names[0]: members}
        theirs = [row for row in other or [] if row.get("class") == label]
        if theirs and all(setting.column in row for row in theirs for setting in SETTINGS):
            found[label][names[1]] = theirs
    return found


def connectivity_lines(found: Sequence[Row]) -> list[Line]:
    """The same in words."""
    several = len({row["class"] for row in found}) > 1
    lines = []
    for row in found:
        line = {"class": str(row["class"])} if several else {}
        line |= {"pixels touch": {"T": "at corners (T)", "V": "at faces (V)"}[str(row["construction"])]}
        line |= {"outside": str(row["boundary"])}
        for name, value in row.items():
            if name not in ("class", "construction", "boundary", _DIFFERS):
                line[f"{name} right"] = scores.text("topological_success", value)
        line[_DIFFERS] = str(row[_DIFFERS])
        lines.append(line)
    return lines


def flips(rows: Sequence[Row], other: Sequence[Row], *, names: tuple[str, str]) -> list[str]:
    """Whether the convention decides which of two methods is better, in a sentence for each class."""
    sentences = []
    by_class = _by_class(rows, other, names)
    for label, methods in by_class.items():
        of_class = f" for the class {label}" if len(by_class) > 1 else ""
        if len(methods) < 2:
            sentences.append(f"{names[1]} has no verdicts under other conventions.")
            continue
        report = report_of_tables(methods)
        if report.ranking_flips:
            flip = report.ranking_flips[0]
            sentences.append(
                f"The ranking flips with the convention{of_class}: {flip.first} is better under {flip.first_better}; "
                f"{flip.second} under {flip.second_better}."
            )
            continue
        sums = [sum(shares.values()) for shares in report.shares.values()]
        if sums[0] == sums[1]:
            sentences.append(f"Under every convention both methods are right equally often{of_class}.")
        else:
            sentences.append(f"Under no convention is {names[sums[0] > sums[1]]} the better one{of_class}.")
    return sentences


def comparison_lines(found: Sequence[Comparison], *, dimensions: int, unit: str) -> list[Line]:
    """The comparisons in words."""
    several = len({str(each.group.get("class")) for each in found}) > 1
    lines = []
    for each in sorted(found, key=lambda each: str(each.group.get("class"))) if several else found:
        name = each.column
        line = {"class": str(each.group.get("class"))} if several else {}
        line["score"] = scores.label(name, dimensions=dimensions, unit=unit)
        row: Mapping[str, Any] = each.as_row()
        line[each.first] = scores.text(name, row["first_mean"])
        line[each.second] = scores.text(name, row["second_mean"])
        line["difference"] = scores.text(name, row["difference"])
        line["95 % interval"] = scores.interval(name, row["low"], row["high"])
        line["p"] = _p(each.p)
        line["p, Holm"] = _p(each.p_holm)
        line["test"] = each.test
        line["pairs"] = str(each.pairs)
        lines.append(line)
    return _filled(lines)


def _p(value: float) -> str:
    return f"< {_SMALL}" if value < _SMALL else f"{value:.3f}"
