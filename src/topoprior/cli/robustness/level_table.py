"""What ``topoprior robustness`` tells of its trials, level by level."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topoprior.cli.output.failures import failures_told
from topoprior.cli.output.printed import print_csv, print_json, print_table
from topoprior.evaluation.result_table import Row
from topoprior.experiments.robustness import UNITS, Kind, summarise
from topoprior.imaging.new_file import new_file
from topoprior.jobs import Failure
from topoprior.viewing.convergence import convergence


def tell(
    rows: Sequence[Row],
    settings: dict[str, Any],
    failures: Sequence[Failure],
    *,
    corruption: Kind,
    figure: Path | None,
    json: bool,
    csv: bool,
) -> None:
    """Print the levels, as a table or a document, and draw the figure."""
    levels = summarise(rows)
    if figure is not None:
        with new_file(figure, overwrite=True) as file:  # that it may be was checked before the work
            convergence(levels, label=UNITS[corruption]).savefig(file, dpi=110)
    if json:
        print_json({"settings": settings, "levels": levels, "trials": rows, **failures_told(failures)})
    elif csv:
        print_csv([{**level, "steps": level["steps"] and level["steps"][1]} for level in levels])
    else:
        print_table([_as_text(level, UNITS[corruption]) for level in levels])


def _as_text(level: dict[str, Any], unit: str) -> dict[str, object]:
    """A level as the table shows it."""
    shares = {
        name: "-" if level[name] is None else f"{100 * level[name]:.0f} %" for name in ("right_before", "repaired")
    }
    interval = f"{100 * level['right_after_low']:.0f} to {100 * level['right_after_high']:.0f} %"
    return {
        unit: f"{level['level']:g}",
        "cases": level["cases"],
        "right before": shares["right_before"],
        "after": f"{100 * level['right_after']:.0f} %",
        "95 % interval": interval,
        "repaired": shares["repaired"],
        "Dice before": f"{level['dice_before']:.3f}",
        "Dice after": f"{level['dice_after']:.3f}",
        "steps": None if level["steps"] is None else f"{level['steps'][1]:g}",
    }
