"""The files of tables of priors: which cells and columns they may have; see `topoprior.priors.table`."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, NoReturn, TypeAlias

from topoprior.imaging.new_file import new_file
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table_rows import P, Place, in_words

_KEYS = ("file", "slice")
_FRAME = ("patient", "frame")  # these two name a file
_NUMBERS = (["prior"], ["b0"], ["b0", "b1"], ["b0", "b1", "b2"])

Rows: TypeAlias = Callable[[str, Mapping[str, str]], P]
"""The prior of a row, from where it is, in words, and its cells by their columns."""


def read_rows(path: str | Path, reader: Callable[[str, list[str]], Rows[P]]) -> dict[str, Any]:
    """The attributes of a table of priors of some kind.

    Args:
        path: The CSV file.
        reader: Takes the first line's place in words, and all columns; what it gives makes a prior of each row. Raises
            ``ValueError`` if these are no columns of such a table.

    Raises:
        FileNotFoundError, ValueError: As `topoprior.priors.table.read_prior_table`.
    """
    path = Path(path)
    lines = _lines(path)
    number, header = next(lines, (1, []))
    columns = [name.strip() for name in header]
    naming = [name for name in ("file", *_FRAME) if name in columns]
    keys = tuple(name for name in _KEYS if name in columns or (name == "file" and naming))
    clear = naming in ([], ["file"], list(_FRAME)) and len(set(columns)) == len(columns)
    if not keys or not clear or not besides_keys(columns):
        refuse_columns(f"{path}, line {number}", columns)
    prior_of = reader(f"{path}, line {number}", columns)
    rows: dict[Place, tuple[int, P]] = {}
    for number, cells in lines:
        where = f"{path}, line {number}"
        if len(cells) != len(columns):
            raise ValueError(
                f"{where}: expected {len(columns)} values ({','.join(columns)}), got {len(cells)}: {','.join(cells)!r} "
                "(a prior with commas goes in quotes)"
            )
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        key = (_file(where, row) if "file" in keys else None, _slice(where, row) if "slice" in keys else None)
        if key in rows:
            raise ValueError(f"{where}: a second row for {in_words(*key)}, the first is line {rows[key][0]}")
        rows[key] = (number, prior_of(where, row))
    if not rows:
        raise ValueError(f"{path} has no row with a prior")
    return {"path": path, "columns": keys, "rows": rows}


def prior_columns(path: str | Path) -> list[str]:
    """The columns of a table besides file and slice.

    Raises:
        FileNotFoundError, ValueError: If there is no such file, or it is no table.
    """
    _, header = next(_lines(Path(path)), (1, []))
    return besides_keys([name.strip() for name in header])


def besides_keys(columns: list[str]) -> list[str]:
    """The columns that are neither file nor slice."""
    return [name for name in columns if name not in (*_KEYS, *_FRAME)]


def are_numbers(columns: list[str]) -> bool:
    """Whether these columns are those of a table for one class."""
    return sorted(columns) in _NUMBERS


def parsed(where: str, text: str) -> BettiPrior:
    """The prior in a cell.

    Raises:
        ValueError: If it is none; the message begins with ``where``.
    """
    try:
        return BettiPrior.parse(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def cell(prior: BettiPrior) -> str:
    """The prior as `parsed` reads it.

    Raises:
        ValueError: If it has weights, for which a table has no place.
    """
    if set(prior.weights) != {1.0}:
        raise ValueError(f"a table of priors has no place for weights, got {prior!r}")
    return str(prior)


def write_rows(
    path: str | Path, columns: list[str], rows: Mapping[tuple[str, int | None], list[str]], *, overwrite: bool
) -> None:
    """Write a table with these columns besides file and slice.

    Arguments and errors are those of `topoprior.priors.table.write_prior_table`.
    """
    kinds = {index is None for _, index in rows}
    if len(kinds) != 1:
        got = "both" if kinds else "none"
        raise ValueError(f"a table of priors needs rows, all of slices or all of files, got {got}")
    keys = ["file"] if kinds == {True} else ["file", "slice"]
    with new_file(Path(path), overwrite=overwrite) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow([*keys, *columns])
        for (file, index), cells in rows.items():
            table.writerow([file, *([] if index is None else [index]), *cells])


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is not empty; a byte order mark, as spreadsheets write it, is skipped."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error


def refuse_columns(where: str, columns: list[str]) -> NoReturn:
    """Raise ``ValueError``, with what they must be."""
    raise ValueError(
        f"{where}: the columns must be file, slice or both, and then prior, or b0, b1 and b2 as far as there are "
        "dimensions, or one column for each class or union of several (patient and frame may stand for file), "
        f"got {','.join(columns)!r}"
    )


def _file(where: str, row: Mapping[str, str]) -> str:
    if "file" not in row:
        patient, frame = (row[name] for name in _FRAME)
        if not patient or not (frame.isascii() and frame.isdigit()):
            raise ValueError(f"{where}: patient and frame must be a name and a number, got {patient!r} and {frame!r}")
        return f"{patient}_frame{int(frame):02d}.nii.gz"
    if not row["file"]:
        raise ValueError(f"{where}: the file must be named, got nothing")
    return PurePath(row["file"]).as_posix()


def _slice(where: str, row: Mapping[str, str]) -> int:
    if not (row["slice"].isascii() and row["slice"].isdigit()):
        raise ValueError(f"{where}: the slice must be a whole number from 0, got {row['slice']!r}")
    return int(row["slice"])
