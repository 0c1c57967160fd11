"""The columns of a result table in words, and their values as a reader wants them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from topoprior.evaluation.result_table import Row, Value

SHARES = ("topological_success", "target_success")
LARGER_IS_BETTER = ("topological_success", "dice", "cl_dice")


def measures(rows: Sequence[Row]) -> list[str]:
    """The columns that judge a prediction and hold a number in some row, the topology first.

    Examples:
        >>> measures([{"case": "a", "class": 1, "dice": 0.9, "topological_success": 1, "cl_dice": None, "betti_0": 1}])
        ['topological_success', 'dice']
    """
    order = ["topological_success", *errors(rows), "dice", "cl_dice", "hausdorff95", "average_surface_distance"]
    return [name for name in order if any(isinstance(row.get(name), int | float) for row in rows)]


def errors(rows: Iterable[Row]) -> list[str]:
    """The columns with Betti errors, dimension 0 first."""
    return sorted({name for row in rows for name in row if name.startswith("betti_error_")})


def label(name: str, *, dimensions: int, unit: str = "mm") -> str:
    """A column in words.

    Args:
        name: Of the column.
        dimensions: Number of spatial axes: what a feature of dimension 1 is called depends on it.
        unit: Of lengths.

    Examples:
        >>> label("betti_error_1", dimensions=2), label("hausdorff95", dimensions=2, unit="pixels")
        ('loops missing or too many', '95 % Hausdorff distance, pixels')
    """
    if name.startswith("betti_error_"):
        features = ("components", "tunnels" if dimensions == 3 else "loops", "cavities")
        return f"{features[int(name[-1])]} missing or too many"
    words = {
        "topological_success": "right topology",
        "target_success": "label has the wanted topology",
        "dice": "Dice",
        "cl_dice": "clDice",
        "hausdorff95": f"95 % Hausdorff distance, {unit}",
        "average_surface_distance": f"average surface distance, {unit}",
    }
    return words.get(name, name)


def abbreviation(name: str, *, unit: str = "mm") -> str:
    """The same for a narrow column.

    Examples:
        >>> abbreviation("hausdorff95"), abbreviation("cl_dice")
        ('HD95, mm', 'clDice')
    """
    short = {"hausdorff95": f"HD95, {unit}", "average_surface_distance": f"ASD, {unit}"}
    return short.get(name) or label(name, dimensions=0, unit=unit)


def dimensions(rows: Iterable[Row]) -> int:
    """Number of spatial axes, which is the number of Betti numbers."""
    return max(sum(name == f"betti_{k}" for name in row for k in range(3)) for row in rows)


def text(name: str, value: Value) -> str:
    """A value as a table shows it: shares in percent, overlaps with four digits, distances with two.

    Examples:
        >>> text("topological_success", 0.8), text("dice", 0.91234), text("hausdorff95", math.inf), text("dice", None)
        ('80.0 %', '0.9123', 'inf', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, str) or (isinstance(value, float) and math.isinf(value)):
        return str(value)
    if name in SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.4f}" if "dice" in name else f"{value:.2f}"


def interval(name: str, low: Value, high: Value) -> str:
    """An interval as a table shows it, the unit once: ``75.0 to 85.0 %``.

    Examples:
        >>> interval("topological_success", 0.75, 0.85), interval("dice", None, None)
        ('75.0 to 85.0 %', '')
    """
    if low is None or high is None:
        return ""
    return f"{text(name, low).removesuffix(' %')} to {text(name, high)}"


def betti(row: Mapping[str, Value], prefix: str = "betti_") -> str:
    """The Betti numbers of a row as in a prior.

    Examples:
        >>> betti({"betti_0": 2, "betti_1": 1})
        '2,1'
    """
    return ",".join(str(row[f"{prefix}{k}"]) for k in range(3) if f"{prefix}{k}" in row)


def badness(row: Row) -> tuple[float, float, float]:
    """Sorts rows from worst to best: what is wrong with the topology, then the overlap, then the distance.

    Examples:
        >>> rows = [{"case": "a", "dice": 0.9, "betti_error_0": 0}, {"case": "b", "dice": 0.95, "betti_error_0": 2}]
        >>> [row["case"] for row in sorted(rows, key=badness)]
        ['b', 'a']
    """
    wrong = sum(_number(row.get(name), 0) for name in errors([row]))
    return -wrong, _number(row.get("dice"), 1), -_number(row.get("hausdorff95"), 0)


def _number(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default
