"""A result table: rows as dictionaries in Python, CSV as a file.

A row holds the names of what it is about (`IDENTITY`, as far as they are there), and numbers. None, an empty cell, is a
value that there is not; infinity is a value like any other, written ``inf``. Columns of your own may be added.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value: TypeAlias = "str | int | float | None"
Row: TypeAlias = "dict[str, Value]"

IDENTITY = ("repeat", "seed", "case", "class")
_MEASURES = ("dice", "hausdorff95", "average_surface_distance", "cl_dice", "topological_success")


def measure_columns(rows: Sequence[Row]) -> list[str]:
    """The columns of a table that say how good a prediction is, unless they are empty in all rows.

    Examples:
        >>> measure_columns([{"case": "a", "dice": 0.9, "cl_dice": None, "betti_0": 2, "betti_error_0": 1}])
        ['dice', 'betti_error_0']
    """
    known = [name for name in rows[0] if name in _MEASURES or name.startswith("betti_error_")]
    return [name for name in known if any(row[name] is not None for row in rows)]


def numbers(rows: Iterable[Row], column: str) -> list[float | None]:
    """The values of a column.

    Raises:
        ValueError: If a row has no such column, or text or NaN in it.
    """
    values: list[float | None] = []
    for row in rows:
        if column not in row:
            raise ValueError(f"there is no column {column!r}, only {', '.join(row)}")
        value = row[column]
        if isinstance(value, str) or (value is not None and math.isnan(value)):
            raise ValueError(f"column {column!r} must hold numbers, got {value!r} for case {row.get('case')!r}")
        values.append(None if value is None else float(value))
    return values


def write_scores(path: str | Path, rows: Iterable[Row], *, overwrite: bool = False) -> None:
    """Write a result table as CSV, whole or not at all; None becomes an empty cell, infinity ``inf``.

    Raises:
        ValueError: If there is no row, or if the rows have different columns.
        OSError: If the file exists and ``overwrite`` is False, or cannot be written.
    """
    rows = list(rows)
    if not rows:
        raise ValueError("a result table must have at least one row, got none")
    columns = list(rows[0])
    for row in rows:
        if list(row) != columns:
            raise ValueError(
                f"all rows must have the columns {','.join(columns)}, got {','.join(row)} for {row.get('case')!r}"
            )
    with new_file(Path(path), overwrite=overwrite) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(columns)
        table.writerows([row[name] for name in columns] for row in rows)


def read_scores(path: str | Path) -> list[Row]:
    """Read a result table; an empty cell or ``nan`` is None, numbers become numbers, and ``case`` stays text.

    Text that looks like a number with leading zeros (``007``) stays text, because it is a name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table has no column ``case``, a column twice, no row, or a row of the wrong length, or is no
            UTF-8 text. The message names file and line.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> write_scores(path, [{"case": "007", "class": 1, "hausdorff95": math.inf, "cl_dice": None}])
        >>> print(path.read_text())
        case,class,hausdorff95,cl_dice
        007,1,inf,
        <BLANKLINE>
        >>> read_scores(path)
        [{'case': '007', 'class': 1, 'hausdorff95': inf, 'cl_dice': None}]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            if "case" not in columns or len(set(columns)) != len(columns):
                raise ValueError(f"{path}: the columns must differ and include case, got {','.join(columns)!r}")
            rows = [_row(f"{path}, line {reader.line_num}", columns, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise ValueError(f"{path} has no row")
    return rows


def _row(where: str, columns: list[str], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        raise ValueError(f"{where}: expected {len(columns)} values ({','.join(columns)}), got {len(cells)}")
    return {name: cell if name == "case" else _value(cell.strip()) for name, cell in zip(columns, cells, strict=True)}


def _value(cell: str) -> Value:
    if cell == "":
        return None
    digits = cell.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in ".eE":
        return cell
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return cell
    return None if math.isnan(number) else number
