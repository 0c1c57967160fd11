"""What ``topoprior audit`` found, as its report tells it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topoprior.cli.audit import tables
from topoprior.cli.audit.findings import AuditFindings
from topoprior.cli.audit.label_counter import LabelCounter
from topoprior.cli.audit.words import text
from topoprior.evaluation.connectivity import Setting
from topoprior.priors.audit import Numbers, Union
from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.filtration import Boundary
from topoprior.viewing.report import Bar, Histogram, LabelAudit, Mark

if TYPE_CHECKING:
    from topoprior.jobs import Failure

_MOST_BARS = 8  # the others share one


def audit_page(
    findings: AuditFindings, counter: LabelCounter, *, files: Sequence[Path], failures: Sequence["Failure"]
) -> LabelAudit:
    """The page, without pictures.

    Args:
        findings: What was found.
        counter: How the files were read.
        files: All of them.
        failures: Those that could not be read.
    """
    things = "images" if counter.slices is None else "slices"
    classes = findings.audit.classes[1:]
    rows = [{name: str(value) for name, value in row.items()} for row in tables.prior_table(findings)]
    return LabelAudit(
        introduction=_introduction(findings, counter, things, len(files) - len(failures)),
        things=things,
        framed=any(map(findings.frame_matters, findings.unions)),
        classes=classes,
        cases=len(findings.audit.cases),
        axes=findings.audit.dimensions,
        proposed=_table(rows, "proposed"),
        given=_table(rows, "given"),
        share=f"{100 * findings.share:g} %",
        convention=_words(findings.setting),
        arguments=tables.arguments(findings),
        code=tables.code(findings),
        follows=findings.follows(),
        contradictions=findings.contradictions(),
        histograms=[each for union in findings.unions for each in _histograms(findings, union)],
        judged="the proposed prior" if findings.given is None else "the given prior",
        breakers=[
            Mark(
                findings.short(breaker.case),
                tuple(findings.words(broken) for broken in breaker.broken),
                sum(broken.error for broken in breaker.broken),
                breaker,
            )
            for breaker in findings.breakers
        ],
        failures=[str(failure) for failure in failures],
        files=len(files),
        configuration={
            "classes": ", ".join(classes),
            "slices": "no" if counter.slices is None else f"along axis {counter.slices}",
            "threshold": "none" if counter.threshold is None else counter.threshold,
            "construction": findings.setting.construction,
            "boundary": findings.setting.boundary,
            "coverage": findings.share,
        },
    )


def _introduction(findings: AuditFindings, counter: LabelCounter, things: str, files: int) -> str:
    count = len(findings.audit.cases)
    of_files = f"{count} {things}" if counter.slices is None else f"{count} slices of {files} files"
    lacking = [f"{absent} without {name}" for name, absent in findings.lacking().items()]
    absent = f", {', '.join(lacking)}" if 0 < len(lacking) <= 6 else ""
    return f"{of_files}{absent}. Which topology do they have, which prior fits them, and which of them break it?"


def _table(rows: Sequence[dict[str, str]], kind: str) -> list[dict[str, str]]:
    named = {"class": "class", "wanted": "prior"}
    return [
        {named.get(name, name): value for name, value in row.items() if name != "prior"}
        for row in rows
        if row["prior"] == kind
    ]


def _histograms(findings: AuditFindings, union: Union) -> list[Histogram]:
    """That of the chosen boundary first; the other one only where the frame matters."""
    chosen = findings.setting.boundary
    shown = [_histogram(findings, union, chosen)]
    if findings.frame_matters(union):
        shown.append(_histogram(findings, union, "foreground" if chosen == "background" else "background"))
    return shown


def _histogram(findings: AuditFindings, union: Union, boundary: Boundary) -> Histogram:
    prior = findings.proposals[union].prior if boundary == findings.setting.boundary else None
    lines = [
        Bar(text(numbers), tuple(counts.values()), None if prior is None else _fits(numbers, prior))
        for numbers, counts in findings.counts(union, boundary).items()
    ]
    rest = lines[_MOST_BARS:]
    if rest:
        sums = tuple(map(sum, zip(*(bar.counts for bar in rest), strict=True)))
        lines = [*lines[:_MOST_BARS], Bar(f"{len(rest)} others", sums)]
    remark = "" if boundary == "background" and not findings.frame_matters(union) else f", outside {boundary}"
    total = len(findings.audit.numbers[union])
    return Histogram(findings.audit.name(union), remark, ("T", "V"), total, tuple(lines))


def _fits(numbers: Numbers, prior: BettiPrior) -> bool:
    return all(
        low <= number and (high is None or number <= high)
        for number, low, high in zip(numbers, prior.lower, prior.upper, strict=True)
    )


def _words(setting: Setting) -> str:
    touch = "at corners too (T)" if setting.construction == "T" else "at faces only (V)"
    return f"pixels that touch {touch}, outside {setting.boundary}"
