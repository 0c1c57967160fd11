"""What ``topoprior evaluate`` found: what is printed and reported of a result table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topoprior.cli.evaluate.score_lines import (
    Line,
    comparison_lines,
    connectivity,
    connectivity_lines,
    flips,
    summaries,
    summary_lines,
)
from topoprior.cli.evaluate.scorer import Scorer
from topoprior.evaluation.result_table import Row, Value
from topoprior.evaluation.statistics import Comparison, compare
from topoprior.priors.table import PriorTable
from topoprior.viewing.report import scores

if TYPE_CHECKING:
    from topoprior.viewing.report import Evaluation


@dataclass(frozen=True, eq=False)
class Findings:
    """All that is told of a result table.

    Attributes:
        rows: The table.
        name: Of the method.
        unit: Of the distances.
        summary: Means and intervals, for each class and measure.
        connectivity: Shares of right topology by each convention, for each class.
        comparison: Paired tests against another method; empty without one.
        other_name: Of the other method.
        flips: Whether the convention decides which method is better, in sentences.
        clustered: Whether the pairs of the comparison are images whose slices were averaged.
    """

    rows: Sequence[Row]
    name: str
    unit: str
    summary: Sequence[Row]
    connectivity: Sequence[Row]
    comparison: Sequence[Comparison]
    other_name: str
    flips: Sequence[str]
    clustered: bool

    @classmethod
    def of(
        cls, rows: Sequence[Row], *, name: str, unit: str, other: Sequence[Row] | None, other_name: str
    ) -> "Findings":
        """The findings from the rows of one method, and of another one if there is one.

        Raises:
            ValueError: If the two tables are not about the same cases and classes.
        """
        comparison: list[Comparison] = []
        sliced = any(row["case"] != row["file"] for row in rows)
        names = (name, other_name if other_name != name else f"{other_name} (other)")
        if other is not None:
            sliced = sliced and "file" in other[0]
            other = [row | {"class": _as_ours(row.get("class"), rows)} for row in other]
            # The slices of one image are not independent: its pairs are images, over whose slices values are averaged.
            pair_by = ("file",) if sliced else ("case",)
            comparison = compare(rows, other, columns=_shared(rows, other), names=names, pair_by=pair_by)
        shares = connectivity(rows, other, names=names)
        turned = flips(rows, other, names=names) if other is not None else []
        return cls(rows, name, unit, summaries(rows), shares, comparison, names[1], turned, sliced)

    @property
    def dimensions(self) -> int:
        """Number of spatial axes."""
        return scores.dimensions(self.rows)

    def tables(self) -> list[list[Line]]:
        """The tables to print."""
        told = [
            summary_lines(self.summary, dimensions=self.dimensions, unit=self.unit),
            connectivity_lines(self.connectivity),
        ]
        if self.comparison:
            told.append(comparison_lines(self.comparison, dimensions=self.dimensions, unit=self.unit))
        return told

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it, infinity as text."""
        tables = {"summary": self.summary, "connectivity": self.connectivity, "results": self.rows}
        if self.comparison:
            tables["comparison"] = [each.as_row() for each in self.comparison]
        return {
            name: [{key: _plain(value) for key, value in row.items()} for row in rows] for name, rows in tables.items()
        }

    def evaluation(self, scorer: Scorer, *, files: int, failures: Sequence[str]) -> "Evaluation":
        """The same for the report."""
        from topoprior.viewing.report import Evaluation

        sliced = scorer.slices is not None
        reading = f"Difference: {self.name} minus {self.other_name}, with its 95 % bootstrap interval. Pairs are "
        reading += (
            "images, over whose slices values are averaged: slices of one image are not independent. "
            if self.clustered
            else "cases. "
        )
        reading += "p is two-sided; Holm: corrected for all tests of the table."
        return Evaluation(
            self.rows,
            self.summary,
            unit=self.unit,
            things="slices" if sliced else "images",
            wanted=_wanted(scorer, sliced=sliced),
            failures=failures,
            files=files,
            convention=f"{scorer.construction}, with the outside as {scorer.boundary}",
            connectivity=connectivity_lines(self.connectivity),
            flips=self.flips,
            comparison=comparison_lines(self.comparison, dimensions=self.dimensions, unit=self.unit)
            if self.comparison
            else (),
            comparison_reading=reading,
            other=self.other_name,
            configuration={name: value for name, value in scorer.as_dict().items() if value is not None},
        )


def _wanted(scorer: Scorer, *, sliced: bool) -> str:
    """What the numbers mean, in sentences."""
    if scorer.priors is None:
        text = "Right topology: the Betti numbers (components, loops, cavities) of the label."
    elif isinstance(scorer.priors, PriorTable):
        text = f"Right topology: the Betti numbers that {scorer.priors.path.name} wants."
    else:
        wanted = dict.fromkeys(map(str, scorer.priors))
        each = [f"{prior} for {name}" for prior, name in zip(scorer.priors, scorer.names, strict=True)]
        text = f"Right topology: the Betti numbers {', '.join(wanted if len(wanted) == 1 else each)}."
    text += " Infinite distances (to an empty mask) are left out of the means."
    if sliced:
        text += " The intervals take slices for independent; those of one image are not, so they are too narrow."
    return text


def _shared(rows: Sequence[Row], other: Sequence[Row]) -> list[str]:
    """The measures that both tables have."""
    theirs = scores.measures(other)
    return [name for name in scores.measures(rows) if name in theirs]


def _plain(value: Value) -> Value:
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _as_ours(name: Value, rows: Sequence[Row]) -> Value:
    """The class as our rows write it: a CSV file does not tell the number 2 from the text."""
    return next((row["class"] for row in rows if str(row["class"]) == str(name)), name)
