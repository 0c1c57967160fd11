"""What the commands print: tables and JSON on standard output, progress on standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count


def print_json(document: object) -> None:
    """Print one JSON document; NaN and infinities, which JSON does not know, are an error."""
    print(json.dumps(document, indent=2, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as aligned columns under their names; numbers are set right, what a row lacks is a dash."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([str(row.get(name, "-")) for name in names] for row in rows)]
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


def note(text: str) -> None:
    """Print a remark on standard error."""
    print(text, file=sys.stderr)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.lstrip("-").replace(".", "", 1).isdigit()
