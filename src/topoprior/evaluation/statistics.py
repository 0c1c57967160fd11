"""Is one method better than another? Paired tests on two result tables.

Both tables score the same cases, so that each case is compared with itself.

===================  =============================  ============================================================
column               test                           why
===================  =============================  ============================================================
zeros and ones       exact McNemar                  only cases that one method alone gets right tell them apart
anything else        two-sided Wilcoxon signed      asks for no distribution; an infinite distance is the worst
                     rank                           of all, and two infinite ones are no difference
===================  =============================  ============================================================

Every further test is one more chance to be wrong, so p-values are corrected for their number after Holm, over all
tests of one call: ask for the columns that you care about, and for no others.

Tests take pairs for independent. Say what is independent with ``pair_by``: rows that agree there are averaged first.
By default that is the case, over its repeats; ``pair_by=["repeat"]`` compares the means of the repeats, as the paper
does, and ``pair_by=["patient"]``, given such a column, the means of the patients rather than their slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from topoprior.evaluation.aggregate import SHARES, as_row, checked_columns, default_groups, grouped, mean, repeat_means
from topoprior.evaluation.intervals import bootstrap_interval, check_share, standard_error
from topoprior.evaluation.paired_tests import differences, holm, mcnemar, wilcoxon
from topoprior.evaluation.result_table import IDENTITY, Row, Value, numbers, read_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Table: TypeAlias = "str | Path | Iterable[Row]"
RowPair: TypeAlias = "tuple[Row, Row]"
Key: TypeAlias = "tuple[Value, ...]"

__all__ = ["Comparison", "bootstrap_interval", "compare", "holm", "mcnemar", "standard_error", "wilcoxon"]

MCNEMAR, WILCOXON = "exact McNemar", "Wilcoxon signed rank"
_NAMED = 5  # rows in a message


@dataclass(frozen=True)
class Comparison:
    """Two methods, compared in one column over the pairs of one group. NaN stands for what cannot be computed.

    Attributes:
        group: What the pairs have in common, for example ``{"class": 1}``.
        column: The column.
        first: Name of the first table.
        second: Name of the second table.
        pairs: Number of pairs in the test.
        missing: Rows without a value on one side or both; they are in no other number.
        infinite: Pairs with an infinite value; they count in the test, but not in the means and the difference.
        first_mean: Mean of the first table.
        second_mean: Mean of the second table.
        difference: First mean minus second mean.
        low: Lower end of the difference's bootstrap confidence interval.
        high: Its upper end.
        first_larger: Pairs in which the first table has the larger value.
        second_larger: Pairs in which the second table has the larger value.
        first_standard_error: Standard error of the first mean over repeats; NaN without at least two.
        second_standard_error: The same of the second.
        test: ``"exact McNemar"`` or ``"Wilcoxon signed rank"``.
        statistic: The smaller number of pairs that one method alone gets right (McNemar), or the smaller rank sum.
        p: Two-sided p-value of this test alone; 1 if no pair differs.
        p_holm: The same, corrected for all tests of the call.
    """

    group: dict[str, Value]
    column: str
    first: str
    second: str
    pairs: int = 0
    missing: int = 0
    infinite: int = 0
    first_mean: float = math.nan
    second_mean: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    first_larger: int = 0
    second_larger: int = 0
    first_standard_error: float = math.nan
    second_standard_error: float = math.nan
    test: str = ""
    statistic: float = math.nan
    p: float = 1.0
    p_holm: float = 1.0

    def as_row(self) -> Row:
        """As a row of a table, group first, with None for NaN."""
        return as_row(self)


def compare(
    first: Table,
    second: Table,
    *,
    columns: Sequence[str] | None = None,
    by: Sequence[str] | None = None,
    pair_by: Sequence[str] = ("case",),
    shares: Sequence[str] = SHARES,
    names: tuple[str, str] | None = None,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> list[Comparison]:
    """Compare two methods case by case.

    Args:
        first: Result table of a method, as rows or as the path of a CSV file.
        second: Result table of another method on the same cases.
        columns: What to compare; by default all measures that both tables have. Each is a test to correct for.
        by: Columns whose values make the groups, which are tested apart; by default ``class``, if there is one.
        pair_by: Columns that say what a pair is. Rows of a group that agree in them are averaged.
        shares: Columns of zeros and ones, for McNemar's test, unless averaging makes other numbers of them.
        names: Of the methods; by default the names of the files, or ``"first"`` and ``"second"``.
        confidence: Of the interval of the difference.
        resamples: Of its bootstrap.
        seed: Of its bootstrap.

    Returns:
        One comparison for each group and column.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the tables do not hold the same cases, classes and repeats, a case occurs twice, a column is
            absent or holds no numbers, or a column that was asked for has no value in any pair.
        ImportError: If SciPy is not installed.

    Examples:
        Of six masks the second method gets one right that the first gets wrong, and loses none:

        >>> first = [{"case": case, "dice": 0.7, "topological_success": int(case < "d")} for case in "abcdef"]
        >>> second = [{"case": case, "dice": 0.8, "topological_success": int(case < "e")} for case in "abcdef"]
        >>> for result in compare(first, second):
        ...     print(result.column, result.test, round(result.difference, 2), result.p, result.p_holm)
        dice Wilcoxon signed rank -0.1 0.03125 0.0625
        topological_success exact McNemar -0.17 1.0 1.0
    """
    ours, theirs = _rows(first), _rows(second)
    labels = names or _names(first, second)
    chosen = checked_columns(ours, columns)
    partners = _partners(ours, theirs, labels)
    if columns is None:
        chosen = [name for name in chosen if name in theirs[0]]
    found = []
    for group, members in grouped(ours, default_groups(ours) if by is None else by).items():
        pairs = [[(row, partners[_key(row)]) for row in rows] for rows in grouped(members, pair_by).values()]
        for column in chosen:
            blank = Comparison(dict(group), column, *labels)
            result = _compared(blank, pairs, column in shares, confidence, resamples, seed)
            if result.pairs:
                found.append(result)
            elif columns is not None:
                raise ValueError(f"column {column!r} has no value in any pair of {dict(group) or 'the tables'}")
    return [replace(one, p_holm=p) for one, p in zip(found, holm(one.p for one in found), strict=True)]


def _compared(
    blank: Comparison, pairs: list[list[RowPair]], share: bool, confidence: float, resamples: int, seed: int
) -> Comparison:
    """``blank`` with all its numbers but the corrected p-value."""
    complete, missing = _complete(pairs, blank.column)
    if share:
        check_share(value for pair in complete for _, *both in pair for value in both)
    test = MCNEMAR if share and all(len(pair) == 1 for pair in pairs) else WILCOXON
    ours = np.array([mean([one for _, one, _ in pair]) for pair in complete])
    theirs = np.array([mean([other for _, _, other in pair]) for pair in complete])
    statistic, p = (mcnemar if test == MCNEMAR else wilcoxon)(ours, theirs)
    difference, finite = differences(ours, theirs), np.isfinite(ours) & np.isfinite(theirs)
    low, high = bootstrap_interval(difference[finite], confidence=confidence, resamples=resamples, seed=seed)
    rows = [row for pair in complete for row in pair]
    return replace(
        blank,
        pairs=len(complete),
        missing=missing,
        infinite=int((~finite).sum()),
        first_mean=mean(ours[finite]),
        second_mean=mean(theirs[finite]),
        difference=mean(difference[finite]),
        low=low,
        high=high,
        first_larger=int((difference > 0).sum()),
        second_larger=int((difference < 0).sum()),
        first_standard_error=standard_error(repeat_means([row for row, _, _ in rows], [one for _, one, _ in rows])),
        second_standard_error=standard_error(repeat_means([row for row, _, _ in rows], [one for _, _, one in rows])),
        test=test,
        statistic=statistic,
        p=p,
    )


def _complete(pairs: list[list[RowPair]], column: str) -> tuple[list[list[tuple[Row, float, float]]], int]:
    """Per pair the rows with a value on both sides, and how many rows have none."""
    complete, missing = [], 0
    for pair in pairs:
        ours, theirs = numbers((row for row, _ in pair), column), numbers((row for _, row in pair), column)
        rows = [
            (row, one, other)
            for (row, _), one, other in zip(pair, ours, theirs, strict=True)
            if one is not None and other is not None
        ]
        missing += len(pair) - len(rows)
        if rows:
            complete.append(rows)
    return complete, missing


def _partners(ours: list[Row], theirs: list[Row], labels: tuple[str, str]) -> dict[Key, Row]:
    """The rows of the second table by what they are about, once it is sure that the first is about the same.

    Raises:
        ValueError: If not. The message names what is absent or twice.
    """
    if not theirs:
        raise ValueError("a result table must have at least one row, got none")
    kinds = [[name for name in IDENTITY if name in rows[0]] for rows in (ours, theirs)]
    if "case" not in kinds[0] or kinds[0] != kinds[1]:
        raise ValueError(
            "both tables must have the column case, and both or neither the columns repeat, seed and class, "
            f"got {' and '.join(kinds[0])} in {labels[0]}, {' and '.join(kinds[1])} in {labels[1]}"
        )
    found: list[dict[Key, Row]] = [{}, {}]
    for rows, by_key, label in zip((ours, theirs), found, labels, strict=True):
        for row in rows:
            if _key(row) in by_key:
                raise ValueError(f"{label} has two rows for {_words(_key(row))}")
            by_key[_key(row)] = row
    absent = [key for key in found[1] if key not in found[0]], [key for key in found[0] if key not in found[1]]
    lacks = [f"{label} lacks {_some(keys)}" for label, keys in zip(labels, absent, strict=True) if keys]
    if lacks:
        raise ValueError(f"both tables must score the same {', '.join(kinds[0])}, but {' and '.join(lacks)}")
    return found[1]


def _key(row: Row) -> Key:
    return tuple(row[name] for name in IDENTITY if name in row)


def _words(key: Key) -> str:
    return ", ".join(map(str, key))


def _some(keys: list[Key]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return "; ".join(map(_words, keys[:_NAMED])) + more


def _rows(table: Table) -> list[Row]:
    return read_scores(table) if isinstance(table, str | Path) else list(table)


def _names(first: Table, second: Table) -> tuple[str, str]:
    """Of files their names, or their paths where the names are the same."""
    ours = Path(first).stem if isinstance(first, str | Path) else "first"
    theirs = Path(second).stem if isinstance(second, str | Path) else "second"
    return (ours, theirs) if ours != theirs else (str(first), str(second))
