"""From a result table to a few numbers: mean with its interval, median, spread, and what the mean leaves out.

**Infinite values** (distances to an empty mask) have no mean. They are counted in `Summary.infinite`; mean, interval
and standard deviation are over the finite values; the median is over all, since the order is all it needs. **Missing
values** are counted in `Summary.missing`. So ``values + missing`` is the number of rows, always.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.evaluation.intervals import bootstrap_interval, share_interval, standard_error
from topoprior.evaluation.result_table import Row, Value, measure_columns, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARES = ("topological_success",)


@dataclass(frozen=True)
class Summary:
    """One column of a result table, over the rows of one group. NaN stands for what cannot be computed.

    Attributes:
        group: What the rows have in common, for example ``{"class": 1}``.
        column: The column.
        values: Number of values, infinite ones among them.
        missing: Number of rows without a value.
        infinite: Number of infinite values.
        mean: Of the finite values.
        low: Lower end of the confidence interval of the mean; NaN for fewer than two values, but not for a share.
        high: Its upper end.
        median: Of all values.
        standard_deviation: Of the finite values, with n - 1; NaN for fewer than two.
        standard_error: Of the mean over repeats, from the means of the repeats; NaN without a column ``repeat`` (or
            ``seed``) of at least two.
    """

    group: dict[str, Value]
    column: str
    values: int
    missing: int
    infinite: int
    mean: float
    low: float
    high: float
    median: float
    standard_deviation: float
    standard_error: float

    def as_row(self) -> Row:
        """As a row of a table, group first, with None for NaN."""
        return as_row(self)


def summarise(
    rows: Iterable[Row],
    *,
    by: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    shares: Sequence[str] = SHARES,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> list[Summary]:
    """Mean, interval, median and spread of the columns of a result table.

    Args:
        rows: The table, as `score` makes it and `read_scores` reads it.
        by: Columns whose values make the groups; by default ``class``, if there is one. ``()`` takes all rows together.
        columns: What to summarise; by default all measures that are not empty.
        shares: Columns of zeros and ones.
        confidence: Of the intervals.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        One summary for each group and column, groups in the order in which they first occur.

    Raises:
        ValueError: If there is no row or column to summarise, or a value is no number, or a share is not 0 or 1.
        ImportError: If SciPy is not installed.

    Examples:
        >>> rows = [{"case": case, "hausdorff95": mm} for case, mm in [("a", 2.0), ("b", 4.0), ("c", math.inf)]]
        >>> [summary] = summarise(rows)
        >>> summary.values, summary.infinite, summary.mean, summary.median
        (3, 1, 3.0, 4.0)
    """
    rows = list(rows)
    columns = checked_columns(rows, columns)
    summaries = []
    for key, members in grouped(rows, default_groups(rows) if by is None else tuple(by)).items():
        for column in columns:
            values = numbers(members, column)
            present = np.array([value for value in values if value is not None])
            finite = present[np.isfinite(present)]
            if column in shares:
                low, high = share_interval(present, confidence=confidence)
            else:
                low, high = bootstrap_interval(finite, confidence=confidence, resamples=resamples, seed=seed)
            summaries.append(
                Summary(
                    dict(key),
                    column,
                    values=len(present),
                    missing=len(values) - len(present),
                    infinite=len(present) - len(finite),
                    mean=mean(finite),
                    low=low,
                    high=high,
                    median=float(np.median(present)) if len(present) else math.nan,
                    standard_deviation=float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan,
                    standard_error=standard_error(repeat_means(members, values)),
                )
            )
    return summaries


def repeat_means(rows: Sequence[Row], values: Sequence[float | None]) -> list[float]:
    """The mean of the finite values of each repeat; empty if the rows tell of no repeats."""
    column = next((name for name in ("repeat", "seed") if rows and name in rows[0]), None)
    if column is None:
        return []
    repeats: dict[Value, list[float]] = {}
    for row, value in zip(rows, values, strict=True):
        if value is not None and math.isfinite(value):
            repeats.setdefault(row[column], []).append(value)
    return [mean(members) for members in repeats.values()]


def grouped(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple[tuple[str, Value], ...], list[Row]]:
    """Rows that agree in all columns ``by``, in the order of their first.

    Raises:
        ValueError: If a row lacks such a column.
    """
    groups: dict[tuple[tuple[str, Value], ...], list[Row]] = {}
    for row in rows:
        absent = [name for name in by if name not in row]
        if absent:
            raise ValueError(f"there is no column {absent[0]!r}, only {', '.join(row)}")
        groups.setdefault(tuple((name, row[name]) for name in by), []).append(row)
    return groups


def default_groups(rows: Sequence[Row]) -> tuple[str, ...]:
    """By class, if the table has one."""
    return ("class",) if "class" in rows[0] else ()


def checked_columns(rows: Sequence[Row], columns: Sequence[str] | None) -> list[str]:
    """The columns to work on, as asked or by default.

    Raises:
        ValueError: If there is no row or no column.
    """
    if not rows:
        raise ValueError("a result table must have at least one row, got none")
    if isinstance(columns, str):
        raise ValueError(f"columns must be a sequence of names, got {columns!r}")
    chosen = measure_columns(rows) if columns is None else list(columns)
    if not chosen:
        raise ValueError(f"there is no measure with a value among the columns {', '.join(rows[0])}: give columns")
    return chosen


def mean(values: Sequence[float] | np.ndarray[Any, Any]) -> float:
    """NaN if there is none."""
    return float(np.mean(values)) if len(values) else math.nan


def as_row(record: Any) -> Row:
    """A dataclass with a field ``group`` as a row, group first, with None for NaN."""
    fields = asdict(record)
    row: Row = fields.pop("group") | fields
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
