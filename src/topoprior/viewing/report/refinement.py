"""The page about a run of refinements: cases in, one HTML file out, with every picture inside it."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from topoprior.viewing.report.class_case import ClassCase
from topoprior.viewing.report.html import Page, data_address

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from topoprior.topology.filtration import Boundary, Construction
    from topoprior.viewing.report.case import Case


def write_report(
    path: str | os.PathLike[str],
    cases: Sequence[Case | ClassCase],
    *,
    title: str,
    introduction: str = "",
    configuration: Mapping[str, object] | None = None,
    threshold: float = 0.5,
    construction: Construction = "T",
    boundary: Boundary = "background",
    max_pictures: int = 6,
    overwrite: bool = False,
) -> Path:
    """Write one HTML file that tells what a run of refinements did: it needs no other file and makes no request.

    It holds a summary, the worst cases with pictures (outlines, critical pixels, barcodes), a table of all cases, and
    the configuration and environment.

    Args:
        path: Where to; appears whole or not at all.
        cases: All images of the run, at least one; in any order.
        title: Of the page.
        introduction: A paragraph of plain text below the title.
        configuration: Names and values to print, so that the run can be repeated.
        threshold: The masks are the pixels with at least this probability.
        construction: Of the barcodes.
        boundary: Of the barcodes.
        max_pictures: How many cases get pictures, worst first; the page says how many do not.
        overwrite: Replace an existing file.

    Returns:
        The path.

    Raises:
        ValueError: If there is no case.
        OSError: If the file exists and ``overwrite`` is false, or it cannot be written.
        ImportError: If jinja2 or matplotlib is missing.
    """
    if not cases:
        raise ValueError("a report needs at least one case, got none")
    page = Page(Path(path), "refinement.html.j2", overwrite=overwrite)
    ordered = sorted(cases, key=lambda case: case.badness)
    options: dict[str, Any] = {"threshold": threshold, "construction": construction, "boundary": boundary}
    return page.write(
        title=title,
        introduction=introduction,
        summary=summarise(cases),
        pictured=[(case, data_address(case.panel(**options))) for case in ordered[:max_pictures]],
        classes=any(isinstance(case, ClassCase) for case in cases),
        cases=ordered,
        configuration=dict(configuration or {}),
    )


def summarise(cases: Sequence[Case | ClassCase]) -> dict[str, Any]:
    """The numbers over all cases; Dice over those with a target, None if there is none."""
    overlaps = [(case.dice_before, case.dice_after) for case in cases]
    known = [(before, after) for before, after in overlaps if before is not None and after is not None]
    refined = [case for case in cases if case.steps > 0]
    return {
        "images": len(cases),
        "right_before": sum(case.error_before == 0 for case in cases),
        "right_after": sum(case.error_after == 0 for case in cases),
        "dice_before": fmean(before for before, _ in known) if known else None,
        "dice_after": fmean(after for _, after in known) if known else None,
        "refined": len(refined),
        "median_pixels_changed": median(case.pixels_changed for case in refined) if refined else 0,
        "seconds": sum(case.seconds for case in cases),
    }
