"""Does the verdict hang on the convention? The same masks under every construction and boundary setting.

"Topologically correct" means nothing until it is said which pixels touch and what lies outside the image. A diagonal
line of pixels is one component under T and many under V; a ring cut by the frame has a loop if the outside is
foreground. So a method can be the best of all under one convention and not under another, without a pixel changing.

**The prior speaks of the object.** Where the outside is foreground it is one component more, whatever the object is.
The report therefore moves the prior's number of components by one between the two boundary settings: a mask that does
not touch the frame then gets the same verdict under both, and what the report shows is the frame's doing alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from topoprior.evaluation.aggregate import mean
from topoprior.evaluation.metrics import topological_success
from topoprior.evaluation.result_table import IDENTITY, Row, Value, numbers
from topoprior.evaluation.score import named
from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.betti import as_binary
from topoprior.topology.filtration import Boundary, Construction, check_options

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Images

    Masks: TypeAlias = Images | Mapping[str, Images]


class Setting(NamedTuple):
    """One of the four conventions; ``column`` is where a result table keeps its verdict."""

    construction: Construction
    boundary: Boundary

    @property
    def column(self) -> str:
        """For example ``success_T_background``."""
        return f"success_{self.construction}_{self.boundary}"

    def __str__(self) -> str:
        return f"{self.construction}, outside {self.boundary}"


SETTINGS = tuple(Setting(c, b) for c in ("T", "V") for b in ("background", "foreground"))


class RankingFlip(NamedTuple):
    """Two methods of which each is the better one somewhere."""

    first: str
    second: str
    first_better: Setting
    second_better: Setting


@dataclass(frozen=True)
class ConnectivityReport:
    """What each setting says of each method.

    Attributes:
        shares: For each method and setting, the share of masks with the right topology; NaN if there is none.
        flips: For each method the rows, by what they are about, whose verdict differs between settings, each with the
            settings under which it is right.
        ranking_flips: Every two methods of which each has the larger share under some setting; with the first settings
            that show it.
    """

    shares: dict[str, dict[Setting, float]]
    flips: dict[str, dict[tuple[Value, ...], list[Setting]]]
    ranking_flips: list[RankingFlip]

    def as_rows(self) -> list[Row]:
        """The shares as a table: a row for each setting, a column for each method."""
        return [
            {"construction": setting.construction, "boundary": setting.boundary}
            | {method: None if math.isnan(of[setting]) else of[setting] for method, of in self.shares.items()}
            for setting in SETTINGS
        ]


def connectivity_report(
    masks: Masks,
    prior: PriorLike,
    *,
    boundary: Boundary = "background",
    cases: Sequence[str] | None = None,
    classes: Sequence[int | str] | None = None,
) -> ConnectivityReport:
    """How many masks are topologically correct under each construction and boundary setting.

    Args:
        masks: Boolean or 0/1 valued, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes; or such masks of
            several methods by name, of the same cases.
        prior: One prior for all, one per image of the batch, or one per image and channel.
        boundary: The setting that the prior was written for; for the other its number of components moves by one.
        cases: Name of each image of the batch; by default 0, 1, ...
        classes: Number or name of each channel; by default 1, 2, ...

    Returns:
        The shares, the cases that flip, and for several methods whether their order does.

    Raises:
        TypeError: If masks are neither tensors nor arrays.
        ValueError: If masks hold other values than 0 and 1, or masks, prior and names do not fit each other.

    Examples:
        One component is wanted. Two pixels that meet at a corner are one under T and two under V. Two dots are two, but
        one of them lies at the frame and belongs to the outside if that is foreground:

        >>> import torch
        >>> corner = torch.tensor([[[[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]]])
        >>> dots = torch.tensor([[[[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]]])
        >>> report = connectivity_report({"corner": corner, "dots": dots}, BettiPrior(1, 0))
        >>> for row in report.as_rows():
        ...     print(*row.values())
        T background 1.0 0.0
        T foreground 1.0 1.0
        V background 0.0 0.0
        V foreground 0.0 1.0
        >>> [flip] = report.ranking_flips
        >>> print(flip.first, "|", flip.first_better, "|", flip.second, "|", flip.second_better)
        corner | T, outside background | dots | V, outside foreground
    """
    named_masks = masks if isinstance(masks, Mapping) else {"masks": masks}
    tables = {}
    for name, of_method in named_masks.items():
        names = [str(index) for index in range(len(of_method))] if cases is None else cases
        tables[name] = verdicts(of_method, prior, cases=names, classes=classes, boundary=boundary)
    return report_of_tables(tables)


def verdicts(
    mask: Images,
    prior: PriorLike,
    *,
    cases: Sequence[str],
    classes: Sequence[int | str] | None = None,
    boundary: Boundary = "background",
) -> list[Row]:
    """Case, class and the four verdicts (1: right, 0: not) of each mask, as rows for `report_of_tables`.

    Args:
        mask: Boolean or 0/1 valued, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        prior: As for `connectivity_report`.
        cases: Name of each image of the batch.
        classes: Number or name of each channel; by default 1, 2, ...
        boundary: The setting that the prior was written for.

    Raises:
        TypeError: As `connectivity_report`.
        ValueError: As `connectivity_report`.
    """
    binary = as_binary(mask, name="mask")
    check_options("T", boundary)
    right = {
        setting: topological_success(
            binary, prior_for(prior, setting.boundary, written_for=boundary), **setting._asdict()
        )
        for setting in SETTINGS
    }
    rows: list[Row] = []
    for place, (case, label) in named(binary, cases, classes).items():
        row: Row = {"case": case, "class": label}
        rows.append(row | {setting.column: int(right[setting][place]) for setting in SETTINGS})
    return rows


def report_of_tables(tables: Mapping[str, Sequence[Row]]) -> ConnectivityReport:
    """The report of result tables that have the four columns of verdicts, by name of their method.

    Raises:
        ValueError: If there is no table or no row, a column is absent, or a verdict is no number.
    """
    if not tables or not all(tables.values()):
        raise ValueError("a connectivity report needs at least one method with at least one mask, got none")
    shares, flips = {}, {}
    for method, rows in tables.items():
        columns = {setting: numbers(rows, setting.column) for setting in SETTINGS}
        shares[method] = {s: mean([value for value in column if value is not None]) for s, column in columns.items()}
        flips[method] = {
            tuple(row[name] for name in IDENTITY if name in row): [s for s in SETTINGS if columns[s][index]]
            for index, row in enumerate(rows)
            if len({column[index] for column in columns.values()}) > 1
        }
    return ConnectivityReport(shares, flips, _ranking_flips(shares))


def prior_for(prior: PriorLike, boundary: Boundary, *, written_for: Boundary) -> PriorLike:
    """The same prior where the outside counts, or no longer counts, as one more component.

    Raises:
        TypeError: If it is neither a prior nor a sequence of priors.
        ValueError: If it wants no component where the outside is one.

    Examples:
        >>> prior_for(BettiPrior(1, 1), "foreground", written_for="background")
        BettiPrior(2, 1)
        >>> prior_for(BettiPrior((1, 3), None), "background", written_for="foreground")
        BettiPrior((0, 2), None)
    """
    if boundary == written_for:
        return prior
    if not isinstance(prior, BettiPrior):
        entries: object = prior
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            raise TypeError(f"prior must be a BettiPrior or a sequence of them, got {type(prior).__name__}: {prior!r}")
        return cast("PriorLike", [prior_for(entry, boundary, written_for=written_for) for entry in entries])
    step = 1 if boundary == "foreground" else -1
    low, high = prior.lower[0], prior.upper[0]
    if high is not None and high + step < 0:
        raise ValueError(f"prior must allow one component, the outside, where it is foreground, got {prior!r}")
    # A lower end of 0 stays: "don't care" is no number of components.
    components = (max(low + step, 0) if low or high is not None else 0, None if high is None else high + step)
    others = zip(prior.lower[1:], prior.upper[1:], strict=True)
    return BettiPrior(components, *others, weights=prior.weights)


def _ranking_flips(shares: Mapping[str, Mapping[Setting, float]]) -> list[RankingFlip]:
    found = []
    for first, second in itertools.combinations(shares, 2):
        first_better = [setting for setting in SETTINGS if shares[first][setting] > shares[second][setting]]
        second_better = [setting for setting in SETTINGS if shares[first][setting] < shares[second][setting]]
        if first_better and second_better:
            found.append(RankingFlip(first, second, first_better[0], second_better[0]))
    return found
