"""What ``topoprior refine`` tells of its results: the rows of its table, remarks, and a page with pictures."""

from pathlib import Path
from typing import Any

from topoprior.cli.arguments.wanted import Wanted
from topoprior.cli.output.printed import note
from topoprior.cli.refine.refinement import Refined
from topoprior.jobs import Outcome
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.viewing.report import Case, ClassCase, write_report


def remark(
    results: list[dict[str, Any]],
    outcome: Outcome[Refined],
    wanted: Wanted[BettiPrior] | Wanted[ClassPriors],
    *,
    report: bool,
) -> None:
    """What is remarkable about a run that went well."""
    failed = sum(not row["succeeded"] for row in results)
    if failed:
        note(f"note: {failed} of {len(results)} did not reach their prior; the best mask seen is kept")
    if outcome.skipped:
        pictures = ", and are not in the report" if report else ""
        note(f"note: {len(outcome.skipped)} of {len(outcome.results)} files were done before{pictures}")
    try:
        wanted.check_slices({name: len(refined.rows) for name, refined in outcome.results.items()})
    except ValueError as error:  # which a single file is refused for; of several each may lack a slice
        note(f"note: {error}")


def write_page(
    path: Path,
    cases: list[Case | ClassCase],
    *,
    overwrite: bool,
    given: dict[str, Any],
    network: str | None,
    **shared: Any,
) -> None:
    """The report: a page with pictures of what changed."""
    what = "a network" if network else "probability maps"
    configuration = {name: "default" if value is None else value for name, value in given.items()} | shared
    write_report(
        path,
        cases,
        title=f"Refinement of {what}",
        configuration=configuration | ({"network": network} if network else {}),
        overwrite=overwrite,
        **shared,
    )


def as_text(row: dict[str, Any]) -> dict[str, object]:
    """A row as the table shows it."""
    shown: dict[str, object] = {name: row[name] for name in ("file", "slice") if name in row}
    if isinstance(row["betti_before"], dict):
        shown |= {f"wrong {when}": "; ".join(row[f"wrong_{when}"]) or "-" for when in ("before", "after")}
    else:
        shown["prior"] = row["prior"]
        shown |= {when: ",".join(map(str, row[f"betti_{when}"])) for when in ("before", "after")}
    right = "yes" if row["succeeded"] else "no"
    return {
        **shown,
        "right": right,
        "pixels": row["pixels_changed"],
        "steps": row["steps"],
        "stopped": row["stop_reason"],
    }
