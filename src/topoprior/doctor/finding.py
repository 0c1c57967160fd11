"""One thing that is wrong, or worth knowing: what it is, the numbers that show it, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A finding.

    Attributes:
        severity: ``"error"``: the loss is wrong or cannot move; ``"warning"``: it moves badly, or not where you mean;
            ``"note"``: nothing is wrong.
        name: One short name for each kind of finding, for programs.
        what: What is so.
        advice: What to do about it.
        measured: The numbers that show it; plain values that JSON knows.

    Examples:
        >>> print(Finding("error", "logits", "the values lie from -3 to 4.", "Give sigmoid=True.", {"low": -3.0}))
        error: logits: the values lie from -3 to 4. Give sigmoid=True.
    """

    severity: Severity
    name: str
    what: str
    advice: str
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def is_problem(self) -> bool:
        """Whether it is more than a note."""
        return self.severity != "note"

    def __str__(self) -> str:
        return f"{self.severity}: {self.name}: {self.what} {self.advice}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Errors, warnings, notes; of each kind in the order in which they were found."""
    return sorted(findings, key=lambda each: ("error", "warning", "note").index(each.severity))
