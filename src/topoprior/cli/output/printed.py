"""What the commands print: tables, JSON and CSV on standard output, remarks on standard error."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence


def check_one_form(*, json: bool, csv: bool) -> None:
    """Refuse two forms of output at once.

    Raises:
        ValueError: If both are asked for.
    """
    if json and csv:
        raise ValueError("say --json or --csv, one of the two")


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


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def note(text: str) -> None:
    """Print a remark on standard error."""
    print(text, file=sys.stderr)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.lstrip("-").replace(".", "", 1).isdigit()
