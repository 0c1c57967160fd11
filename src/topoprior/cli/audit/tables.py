"""What ``topoprior audit`` prints: tables of Betti numbers, of priors and of the labels that break them; a proposal."""

from collections.abc import Mapping, Sequence

from topoprior.cli.audit.findings import AuditFindings
from topoprior.cli.audit.judged_priors import Priors
from topoprior.cli.audit.words import interval_text, percent, text
from topoprior.evaluation.connectivity import Setting
from topoprior.priors.audit import Share, Union
from topoprior.priors.class_priors import ClassPriors
from topoprior.topology.filtration import Boundary

_MOST_ROWS = 5  # of a histogram on the screen; JSON, CSV and the report have all


def histogram_table(findings: AuditFindings) -> list[dict[str, object]]:
    """The most frequent Betti numbers of each union, T beside V; foreground outside only where it matters."""
    rows: list[dict[str, object]] = []
    for union in findings.unions:
        rows += _block(findings, union, "background")
        if findings.frame_matters(union):
            rows += _block(findings, union, "foreground")
    return rows


def prior_table(findings: AuditFindings) -> list[dict[str, object]]:
    """How many labels have the proposed and the given priors, under each setting."""
    rows = [_prior_row(findings, "proposed", findings.proposed, union) for union in findings.unions]
    rows += [_prior_row(findings, "proposed", findings.proposed, None)] * (len(findings.unions) > 1)
    if isinstance(findings.given, ClassPriors):
        unions = [union for union in findings.given.unions if findings.audit.numbers.get(union)]
        rows += [_prior_row(findings, "given", findings.given, union) for union in unions]
        rows += [_prior_row(findings, "given", findings.given, None)] * (len(unions) > 1)
    elif findings.given is not None:
        rows.append(_prior_row(findings, "given", findings.given, None))
    return rows


def breaker_table(findings: AuditFindings) -> list[dict[str, object]]:
    """A row for each prior that a case breaks."""
    return [
        {"case": findings.short(each.case), "class": findings.audit.name(broken.union)}
        | {"Betti numbers": text(broken.numbers), "wanted": str(broken.prior), "off by": broken.error}
        for each in findings.breakers
        for broken in each.broken
    ]


def arguments(findings: AuditFindings) -> str:
    """The proposal as the option ``--prior`` takes it."""
    if len(findings.unions) == 1:
        return f"--prior {findings.proposals[findings.unions[0]].prior}"
    return "--prior " + " ".join(
        f"{findings.audit.name(union)}={each.prior}" for union, each in findings.proposals.items()
    )


def code(findings: AuditFindings) -> str:
    """The proposal in Python."""
    if len(findings.audit.classes) == 2:
        return repr(findings.proposals[findings.unions[0]].prior)
    entries = (
        f"{_key([findings.audit.classes[each] for each in union])}: {repr(each.prior).removeprefix('BettiPrior')}"
        for union, each in findings.proposals.items()
    )
    classes = ", ".join(f'"{name}"' for name in findings.audit.classes)
    return f"ClassPriors({{{', '.join(entries)}}}, classes=({classes}))"


def _prior_row(findings: AuditFindings, source: str, priors: Priors, union: Union | None) -> dict[str, object]:
    shares = findings.shares(priors, union)
    one = priors[union] if isinstance(priors, ClassPriors) and union is not None else None
    framed = any(map(findings.frame_matters, findings.unions))
    return {
        "prior": source,
        "class": "all together" if union is None else findings.audit.name(union),
        "wanted": "of each label" if not isinstance(priors, ClassPriors) else "" if one is None else str(one),
        "labels": shares[findings.setting].total,
        **{
            _column(each): percent(shares[each])
            for each in shares
            if framed or each.boundary == findings.setting.boundary
        },
        "95 % interval": interval_text(shares[findings.setting]),
    }


def _block(findings: AuditFindings, union: Union, boundary: Boundary) -> list[dict[str, object]]:
    table, total = findings.counts(union, boundary), len(findings.audit.numbers[union])
    shown = list(table.items())[:_MOST_ROWS]
    rest = list(table.values())[_MOST_ROWS:]
    lines: list[tuple[str, Mapping[str, int]]] = [(text(numbers), each) for numbers, each in shown]
    if rest:
        lines.append((f"{len(rest)} others", {name: sum(each[name] for each in rest) for name in ("T", "V")}))
    return [
        {"class": findings.audit.name(union), "outside": boundary, "Betti numbers": name}
        | {"T": each["T"], "T, %": percent(Share(each["T"], total))}
        | {"V": each["V"], "V, %": percent(Share(each["V"], total))}
        for name, each in lines
    ]


def _column(setting: Setting) -> str:
    return f"{setting.construction}, %" if setting.boundary == "background" else f"{setting.construction}, frame, %"


def _key(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"
