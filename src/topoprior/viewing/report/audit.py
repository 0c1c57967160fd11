"""The page about labels: which topology they have, which prior fits, and pictures of those that break it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.viewing.labels import colour_of
from topoprior.viewing.report.html import Page, data_address

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

_DPI = 100
_PROBLEMS = (ValueError, TypeError, OSError)


@dataclass(frozen=True)
class Bar:
    """One line of a histogram.

    Attributes:
        numbers: The Betti numbers.
        counts: How many labels have them, for each column of the histogram.
        fits: Whether the proposed prior allows them; None where it is not about this histogram.
    """

    numbers: str
    counts: tuple[int, ...]
    fits: bool | None = None


@dataclass(frozen=True)
class Histogram:
    """The Betti numbers of one class or union.

    Attributes:
        name: Of the class or union.
        remark: Such as what lies outside.
        columns: What the counts are under: ``("T", "V")``.
        total: How many labels there are.
        bars: The most frequent first.
    """

    name: str
    remark: str
    columns: tuple[str, ...]
    total: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Mark:
    """One label that breaks priors.

    Attributes:
        case: Its name.
        lines: What it has in place of what is wanted, in words, the worst first.
        error: Components, loops and cavities missing or too many, of all its priors.
        key: What draws it: the argument of ``picture``.
    """

    case: str
    lines: tuple[str, ...]
    error: int
    key: Any = None


@dataclass(frozen=True, eq=False)
class LabelAudit:
    """What the page tells, besides its pictures.

    Attributes:
        introduction: What was looked at, in a sentence.
        things: What a label is: ``"images"`` or ``"slices"``.
        framed: Whether what lies outside the images matters.
        classes: Names, the first is class 1.
        cases: How many labels there are.
        axes: Of each.
        proposed: Rows of a table, ready to print.
        given: The same of the priors that were given; none leaves it out.
        share: Of the labels that a proposal covers, in words.
        convention: Construction and boundary in words.
        arguments: The proposal for the command line.
        code: The proposal in Python.
        follows: Sentences that it says.
        contradictions: Why no label can have all of it.
        histograms: Of each class and union.
        judged: Which priors the breakers break, in words.
        breakers: The worst first.
        failures: What could not be read, one line each.
        files: How many files there were, with those that failed.
        configuration: Names and values to print.
    """

    introduction: str
    things: str
    framed: bool
    classes: Sequence[str]
    cases: int
    axes: int
    proposed: Sequence[Mapping[str, str]]
    given: Sequence[Mapping[str, str]]
    share: str
    convention: str
    arguments: str
    code: str
    follows: Sequence[str]
    contradictions: Sequence[str]
    histograms: Sequence[Histogram]
    judged: str
    breakers: Sequence[Mark]
    failures: Sequence[str] = ()
    files: int = 0
    configuration: Mapping[str, object] = field(default_factory=dict)


def write_audit(
    path: str | os.PathLike[str],
    audit: LabelAudit,
    *,
    title: str,
    picture: Callable[[Any], Figure] | None = None,
    max_pictures: int = 24,
    overwrite: bool = False,
) -> Path:
    """Write one HTML file about the topology of labels: it needs no other file and makes no request.

    Args:
        path: Where to; appears whole or not at all.
        audit: What it tells.
        title: Of the page.
        picture: Draws a breaker from its ``key``; what it cannot draw (``ValueError``, ``TypeError``, ``OSError``) is
            said on the page. None: no pictures.
        max_pictures: How many breakers get pictures, worst first.
        overwrite: Replace an existing file.

    Returns:
        The path.

    Raises:
        OSError: If the file exists and ``overwrite`` is false, or it cannot be written.
        ImportError: If jinja2 or matplotlib is missing.
    """
    page = Page(Path(path), "audit.html.j2", overwrite=overwrite)
    pictured = audit.breakers[:max_pictures] if picture is not None else ()
    return page.write(
        title=title,
        introduction=audit.introduction,
        audit=audit,
        framed=audit.framed,
        colours=[(name, colour_of(number)) for number, name in enumerate(audit.classes, start=1)],
        pictured=[(mark, _panel(picture, mark)) for mark in pictured] if picture is not None else [],
        configuration=dict(audit.configuration),
    )


def _panel(picture: Callable[[Any], Figure], mark: Mark) -> dict[str, str]:
    """The picture of a breaker as an address, or why there is none."""
    try:
        return {"address": data_address(picture(mark.key), form="webp", dpi=_DPI), "problem": ""}
    except _PROBLEMS as error:
        return {"address": "", "problem": str(error)}
