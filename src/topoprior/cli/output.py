"""What the commands print: tables and JSON on standard output, progress on standard error."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior.jobs import Failure

_FAILURES_SHOWN = 20


class FilesFailed(Exception):  # noqa: N818  # not one error, but what is left to say after the work
    """Some files could not be done. The others are, and are told before this ends the command.

    Args:
        failures: At least one.
        total: How many there were.
        things: What they are, if not files.
    """

    def __init__(self, failures: "Sequence[Failure]", *, total: int, things: str = "files") -> None:
        self.failures, self.total, self.things = failures, total, things
        super().__init__(self._text())

    def _text(self) -> str:
        count, first = len(self.failures), self.failures[0]
        if self.total == 1:
            return f"error: {first.error}"
        if count > 1 and all(failure.error == first.error for failure in self.failures):
            return f"error: {count} of {self.total} {self.things} failed, all of them with: {first.error}"
        shown = [f"  {failure}" for failure in self.failures[:_FAILURES_SHOWN]]
        more = [f"  and {count - _FAILURES_SHOWN} more"] if count > _FAILURES_SHOWN else []
        return "\n".join([f"error: {count} of {self.total} {self.things} failed", *shown, *more])


def check_one_form(*, json: bool, csv: bool) -> None:
    """Refuse two forms of output at once.

    Raises:
        ValueError: If both are asked for.
    """
    if json and csv:
        raise ValueError("say --json or --csv, one of the two")


def failures_told(failures: "Sequence[Failure]") -> dict[str, list[dict[str, str]]]:
    """What a JSON document says of files that failed: nothing if none did."""
    return {"failures": [{"file": failure.name, "error": failure.error} for failure in failures]} if failures else {}


def check_all_done(failures: "Sequence[Failure]", *, total: int) -> None:
    """End the command if files failed.

    Raises:
        FilesFailed: If there are failures.
    """
    if failures:
        raise FilesFailed(failures, total=total)


def print_json(document: object) -> None:
    """Print one JSON document; NaN and infinities, which JSON does not know, are an error."""
    print(json.dumps(document, indent=2, allow_nan=False))


def print_csv(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as comma-separated values under their names; what a row lacks is empty."""
    writer = csv.DictWriter(sys.stdout, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as aligned columns under their names; numbers are set right, what a row lacks is a dash."""
    names = _columns(rows)
    cells = [names, *(["-" if row.get(name) is None else str(row[name]) for name in names] for row in rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [all(map(_is_number, column[1:])) for column in columns]
    for line in cells:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        print("  ".join(aligned).rstrip())


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars, if standard error is a terminal; call what it gives with stage, done and total."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield report


@contextmanager
def progress(stage: str, total: int) -> Iterator[Callable[[], None]]:
    """One such bar; call what it gives after each of its parts."""
    done = count(1)
    with stages() as report:
        report(stage, 0, total)
        yield lambda: report(stage, next(done), total)


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def note(text: str) -> None:
    """Print a remark on standard error."""
    print(text, file=sys.stderr)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.lstrip("-").replace(".", "", 1).isdigit()
