"""What ``topoprior audit`` found, as tables, text and JSON."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from topoprior.cli.label_counts import case_name
from topoprior.cli.stated_priors import BACKGROUND, check_reachable, resolved
from topoprior.evaluation.connectivity import Setting, prior_for
from topoprior.evaluation.intervals import share_interval
from topoprior.priors.audit import Audit, Breaker, Broken, Numbers, Proposal, Share, Union
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.priors.class_table import ClassPriorTable
from topoprior.topology.filtration import Boundary

Priors = ClassPriors | Mapping[str, ClassPriors]
"""Of all cases, or for each case."""

_MOST_ROWS = 5  # of a histogram on the screen; JSON, CSV and the report have all
_FEATURES = {2: ("component", "loop"), 3: ("component", "tunnel", "cavity")}


@dataclass(frozen=True, eq=False)
class AuditFindings:
    """The audits of some labels under the four settings, and the priors that they are held against.

    Attributes:
        audits: All four.
        setting: For which priors are proposed and judged.
        share: Of the labels that a proposal covers.
        given: Priors to judge, written for the setting; None: the proposed ones are judged.
        files: Each case's file and slice (None if files are not cut).
    """

    audits: Mapping[Setting, Audit]
    setting: Setting
    share: float
    given: Priors | None
    files: Mapping[str, tuple[str, int | None]]

    @property
    def audit(self) -> Audit:
        """That of the setting."""
        return self.audits[self.setting]

    @property
    def unions(self) -> list[Union]:
        """Those that occur."""
        return [union for union, cases in self.audit.numbers.items() if cases]

    @cached_property
    def proposals(self) -> dict[Union, Proposal]:
        """For each union that occurs."""
        return self.audit.proposals(coverage=self.share)

    @cached_property
    def proposed(self) -> ClassPriors:
        """The same as priors."""
        return ClassPriors({union: each.prior for union, each in self.proposals.items()}, classes=self.audit.classes)

    @cached_property
    def breakers(self) -> list[Breaker]:
        """The cases that break the given priors, or the proposed ones if none are given."""
        return self.audit.breakers(self.proposed if self.given is None else self.given)

    def shares(self, priors: Priors, union: Union | None = None) -> dict[Setting, Share]:
        """Under each setting, the share of labels with all of these priors, or with that of one union."""
        return {
            setting: audit.coverage(_shifted(priors, setting.boundary, self.setting.boundary), union)
            for setting, audit in self.audits.items()
        }

    def histogram_rows(self) -> list[dict[str, Any]]:
        """All counts, a row for each setting, union and Betti numbers."""
        return [
            {
                "class": audit.name(union),
                "construction": setting.construction,
                "boundary": setting.boundary,
                **{f"b{k}": number for k, number in enumerate(numbers)},
                "count": count,
                "cases": len(audit.numbers[union]),
            }
            for union in self.unions
            for setting, audit in self.audits.items()
            for numbers, count in audit.histogram(union).items()
        ]

    def histogram_table(self) -> list[dict[str, object]]:
        """The most frequent Betti numbers of each union, T beside V; foreground outside only where it matters."""
        rows: list[dict[str, object]] = []
        for union in self.unions:
            rows += self._block(union, "background")
            if self.frame_matters(union):
                rows += self._block(union, "foreground")
        return rows

    @lru_cache  # noqa: B019  # as long as the findings
    def frame_matters(self, union: Union) -> bool:
        """Whether something of a union reaches the frame, so that more than one component is added by the outside."""
        return any(
            {case: (numbers[0] + 1, *numbers[1:]) for case, numbers in self._of(construction, "background", union)}
            != dict(self._of(construction, "foreground", union))
            for construction in ("T", "V")
        )

    def counts(self, union: Union, boundary: Boundary) -> dict[Numbers, dict[str, int]]:
        """Betti numbers to how often they occur under T and V, the most frequent first."""
        by_construction: dict[str, dict[Numbers, int]] = {
            setting.construction: audit.histogram(union)
            for setting, audit in self.audits.items()
            if setting.boundary == boundary
        }
        every = dict.fromkeys(numbers for found in by_construction.values() for numbers in found)
        table = {
            numbers: {construction: found.get(numbers, 0) for construction, found in by_construction.items()}
            for numbers in every
        }
        return dict(sorted(table.items(), key=lambda entry: -sum(entry[1].values())))

    def lacking(self) -> dict[str, int]:
        """Class to how many labels are without it, where there are some."""
        audit = self.audit
        without = {name: len(audit.cases) - len(audit.numbers[k,]) for k, name in enumerate(audit.classes[1:], start=1)}
        return {name: count for name, count in without.items() if count}

    def prior_table(self) -> list[dict[str, object]]:
        """How many labels have the proposed and the given priors, under each setting."""
        rows = [self._prior_row("proposed", self.proposed, union) for union in self.unions]
        rows += [self._prior_row("proposed", self.proposed, None)] * (len(self.unions) > 1)
        if isinstance(self.given, ClassPriors):
            unions = [union for union in self.given.unions if self.audit.numbers.get(union)]
            rows += [self._prior_row("given", self.given, union) for union in unions]
            rows += [self._prior_row("given", self.given, None)] * (len(unions) > 1)
        elif self.given is not None:
            rows.append(self._prior_row("given", self.given, None))
        return rows

    def breaker_table(self) -> list[dict[str, object]]:
        """A row for each prior that a case breaks."""
        return [
            {"case": self.short(each.case), "class": self.audit.name(broken.union)}
            | {"Betti numbers": text(broken.numbers), "wanted": str(broken.prior), "off by": broken.error}
            for each in self.breakers
            for broken in each.broken
        ]

    def arguments(self) -> str:
        """The proposal as the option ``--prior`` takes it."""
        if len(self.unions) == 1:
            return f"--prior {self.proposals[self.unions[0]].prior}"
        return "--prior " + " ".join(f"{self.audit.name(union)}={each.prior}" for union, each in self.proposals.items())

    def code(self) -> str:
        """The proposal in Python."""
        if len(self.audit.classes) == 2:
            return repr(self.proposals[self.unions[0]].prior)
        entries = (
            f"{_key([self.audit.classes[each] for each in union])}: {repr(each.prior).removeprefix('BettiPrior')}"
            for union, each in self.proposals.items()
        )
        classes = ", ".join(f'"{name}"' for name in self.audit.classes)
        return f"ClassPriors({{{', '.join(entries)}}}, classes=({classes}))"

    def follows(self) -> tuple[str, ...]:
        """What the proposal says of how the classes lie to each other."""
        return self.proposed.check(**self.setting._asdict()).follows if len(self.unions) > 1 else ()

    def contradictions(self) -> tuple[str, ...]:
        """Why no label map can have the proposed priors, where that can be proved."""
        return self.proposed.check(**self.setting._asdict()).contradictions

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            **self.setting._asdict(),
            "coverage": self.share,
            "classes": list(self.audit.classes),
            "cases": len(self.audit.cases),
            "histograms": self.histogram_rows(),
            "priors": self._shares(),
            "proposed": {self.audit.name(union): str(each.prior) for union, each in self.proposals.items()},
            "judged": "proposed" if self.given is None else "given",
            "breakers": [
                {
                    "case": each.case,
                    "broken": [
                        {"class": self.audit.name(broken.union), "betti": list(broken.numbers)}
                        | {"wanted": str(broken.prior), "error": broken.error, "alike": broken.alike}
                        for broken in each.broken
                    ],
                }
                for each in self.breakers
            ],
        }

    def numbers_as_priors(self, union: Union) -> dict[tuple[str, int | None], BettiPrior]:
        """The Betti numbers of each file or slice, for a table of priors."""
        return {
            (self.short(file), index): BettiPrior(*self.audit.numbers_of(case, union))
            for case, (file, index) in self.files.items()
        }

    def numbers_as_class_priors(self) -> dict[tuple[str, int | None], ClassPriors]:
        """The same of all classes and unions together."""
        return {
            (self.short(file), index): ClassPriors(
                {union: BettiPrior(*self.audit.numbers_of(case, union)) for union in self.unions},
                classes=self.audit.classes,
            )
            for case, (file, index) in self.files.items()
        }

    def short(self, name: str) -> str:
        """The name of a case or file without the folders that all files have in common."""
        return name.removeprefix(self._common)

    @cached_property
    def _common(self) -> str:
        common = os.path.commonpath({os.path.dirname(file) for file, _ in self.files.values()})  # noqa: PTH120
        return f"{common.rstrip(os.sep)}{os.sep}" if common else ""

    def words(self, broken: Broken) -> str:
        """What a case has in place of what is wanted: ``MYO: 2 components instead of 1, no loop instead of 1``."""
        return f"{self.audit.name(broken.union)}: {difference(broken)}"

    def _shares(self) -> list[dict[str, object]]:
        judged: list[tuple[str, Priors]] = [("proposed", self.proposed)]
        judged += [] if self.given is None else [("given", self.given)]
        rows: list[dict[str, object]] = []
        for source, priors in judged:
            unions = [*priors.unions, None] if isinstance(priors, ClassPriors) else [None]
            for union in unions:
                shares = self.shares(priors, union)
                row: dict[str, object] = {"source": source, "class": "all" if union is None else self.audit.name(union)}
                row["prior"] = str(priors[union]) if isinstance(priors, ClassPriors) and union is not None else None
                row["cases"] = shares[self.setting].total
                row |= {f"{setting.construction}_{setting.boundary}": share.held for setting, share in shares.items()}
                row["interval"] = None if row["cases"] == 0 else list(interval(shares[self.setting]))
                rows.append(row)
        return rows

    def _prior_row(self, source: str, priors: Priors, union: Union | None) -> dict[str, object]:
        shares = self.shares(priors, union)
        one = priors[union] if isinstance(priors, ClassPriors) and union is not None else None
        framed = any(map(self.frame_matters, self.unions))
        return {
            "prior": source,
            "class": "all together" if union is None else self.audit.name(union),
            "wanted": "of each label" if not isinstance(priors, ClassPriors) else "" if one is None else str(one),
            "labels": shares[self.setting].total,
            **{
                _column(each): percent(shares[each])
                for each in shares
                if framed or each.boundary == self.setting.boundary
            },
            "95 % interval": interval_text(shares[self.setting]),
        }

    def _block(self, union: Union, boundary: Boundary) -> list[dict[str, object]]:
        table, total = self.counts(union, boundary), len(self.audit.numbers[union])
        shown = list(table.items())[:_MOST_ROWS]
        rest = list(table.values())[_MOST_ROWS:]
        lines: list[tuple[str, Mapping[str, int]]] = [(text(numbers), each) for numbers, each in shown]
        if rest:
            lines.append((f"{len(rest)} others", {name: sum(each[name] for each in rest) for name in ("T", "V")}))
        return [
            {"class": self.audit.name(union), "outside": boundary, "Betti numbers": name}
            | {"T": each["T"], "T, %": percent(Share(each["T"], total))}
            | {"V": each["V"], "V, %": percent(Share(each["V"], total))}
            for name, each in lines
        ]

    def _of(self, construction: str, boundary: str, union: Union) -> list[tuple[str, Numbers]]:
        [audit] = (audit for setting, audit in self.audits.items() if setting == (construction, boundary))
        return list(audit.numbers[union].items())


def text(numbers: Numbers) -> str:
    """Betti numbers as in a prior.

    Examples:
        >>> text((1, 1))
        '1,1'
    """
    return ",".join(map(str, numbers))


def percent(share: Share) -> str:
    """A share in percent, without the sign; 100.0 and 0.0 only where it is that exactly.

    Examples:
        >>> percent(Share(9999, 10000)), percent(Share(1, 1)), percent(Share(0, 0))
        ('99.9', '100.0', '-')
    """
    if not share.total:
        return "-"
    if 0 < share.held < share.total:
        return f"{min(max(100 * share.value, 0.1), 99.9):.1f}"
    return f"{100 * share.value:.1f}"


def interval(share: Share) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of cases, as if they were independent: slices of one volume are not.

    Examples:
        >>> [round(end, 3) for end in interval(Share(19, 20))]
        [0.764, 0.991]
    """
    return share_interval([1] * share.held + [0] * (share.total - share.held))


def interval_text(share: Share) -> str:
    """The same in percent.

    Examples:
        >>> interval_text(Share(19, 20)), interval_text(Share(0, 0))
        ('76.4 to 99.1', '-')
    """
    return "{:.1f} to {:.1f}".format(*(100 * end for end in interval(share))) if share.total else "-"


def difference(broken: Broken) -> str:
    """What a label has in place of what is wanted.

    Examples:
        >>> difference(Broken((1,), (2, 0), BettiPrior(1, (1, 2)), 2, 1))
        '2 components instead of 1, no loop instead of 1 to 2'
    """
    words = _FEATURES.get(len(broken.numbers), ("component",))
    parts = []
    for name, number, low, high in zip(words, broken.numbers, broken.prior.lower, broken.prior.upper, strict=True):
        if number < low or (high is not None and number > high):
            plural = {"cavity": "cavities"}.get(name, f"{name}s")
            has = f"{number or 'no'} {name if number <= 1 else plural}"
            wanted = f"{low} or more" if high is None else str(low or "none") if low == high else f"{low} to {high}"
            parts.append(f"{has} instead of {wanted}")
    return ", ".join(parts)


def judged_priors(
    given: Mapping[str | None, BettiPrior], names: Sequence[str], *, axes: int | None, boundary: Boundary
) -> ClassPriors | None:
    """What ``--prior`` says for classes with these names; None if nothing was given.

    Args:
        given: From `topoprior.cli.stated_priors.given_priors`.
        names: Of the classes.
        axes: Of the labels, if known by now.
        boundary: What lies outside.

    Raises:
        ValueError: If there is no such class, or no label could have a prior, or every label has it.
    """
    if not given:
        return None
    priors = resolved(given, (BACKGROUND, *names))
    check_reachable("--prior", priors, axes, boundary)
    return priors


def priors_of_cases(
    table: ClassPriorTable, places: Mapping[str, tuple[str, int | None]], *, axes: int, boundary: Boundary
) -> dict[str, ClassPriors]:
    """What ``--priors`` says of each case.

    Args:
        table: The file.
        places: Name of each case to its file and slice.
        axes: Of the labels.
        boundary: What lies outside.

    Raises:
        ValueError: If a case has no prior or one that cannot be.
    """
    found = {}
    checked = set()
    for case, (file, index) in places.items():
        priors = table.prior(file, slice_index=index)
        if priors not in checked:
            check_reachable(table.place(file, slice_index=index), priors, axes, boundary)
            checked.add(priors)
        found[case] = priors
    return found


def places_of(counts: Mapping[str, int], *, cut: bool) -> dict[str, tuple[str, int | None]]:
    """Name of each case to its file and slice; counts are the slices of each file, 1 if files are not cut."""
    return {
        case_name(file, index if cut else None): (file, index if cut else None)
        for file, count in counts.items()
        for index in range(count)
    }


def _shifted(priors: Priors, boundary: Boundary, written_for: Boundary) -> Priors:
    """The same priors where the outside counts, or no longer counts, as one more component."""
    if boundary == written_for:
        return priors
    if isinstance(priors, ClassPriors):
        return ClassPriors(
            {
                union: prior_for(prior, boundary, written_for=written_for)  # type: ignore[misc]  # one for one
                for union, prior in zip(priors.unions, priors.priors, strict=True)
            },
            classes=priors.classes,
        )
    made = {one: _shifted(one, boundary, written_for) for one in dict.fromkeys(priors.values())}
    return {case: made[one] for case, one in priors.items()}  # type: ignore[misc]  # one for one


def _column(setting: Setting) -> str:
    return f"{setting.construction}, %" if setting.boundary == "background" else f"{setting.construction}, frame, %"


def _key(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"
