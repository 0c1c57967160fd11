"""What ``topoprior audit`` found."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from topoprior.cli.audit.judged_priors import Priors, shifted
from topoprior.cli.audit.words import difference, interval
from topoprior.evaluation.connectivity import Setting
from topoprior.priors.audit import Audit, Breaker, Broken, Numbers, Proposal, Share, Union
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.topology.filtration import Boundary


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
            setting: audit.coverage(shifted(priors, setting.boundary, self.setting.boundary), union)
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

    def _of(self, construction: str, boundary: str, union: Union) -> list[tuple[str, Numbers]]:
        [audit] = (audit for setting, audit in self.audits.items() if setting == (construction, boundary))
        return list(audit.numbers[union].items())
