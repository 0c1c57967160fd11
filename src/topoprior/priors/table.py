"""Priors from a CSV table: one for each file, for each slice, or for each slice of each file.

The first line names the columns: ``file`` and ``slice`` (one of them or both), and the prior as one column ``prior``
(in quotes, since it holds commas: ``"1,1"``) or as one column for each Betti number (``b0,b1`` or ``b0,b1,b2``):

.. code-block:: text

    file,slice,prior                 slice,b0,b1
    patient001.nii.gz,0,"1,1"        0,1,1
    patient001.nii.gz,1,"1,0-2"      1,1,0-2

Slices count from 0. A file is named by its name alone or by as much of its path as tells it from others. Rows of files
that are not asked for are allowed: one table serves a whole data set. In place of ``file`` there may be ``patient`` and
``frame``, as in the ACDC challenge: ``patient001`` and ``1`` are the file ``patient001_frame01.nii.gz``. Tables to be
filled in are written by `topoprior.priors.slice_table`.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Generic, NoReturn, Self, TypeAlias, TypeVar

from topoprior.imaging.new_file import new_file
from topoprior.priors.betti_prior import BettiPrior

_KEYS = ("file", "slice")
_FRAME = ("patient", "frame")  # these two name a file
_NUMBERS = (["prior"], ["b0"], ["b0", "b1"], ["b0", "b1", "b2"])

P = TypeVar("P")
Place: TypeAlias = tuple[str | None, int | None]
"""File and slice of a row, each None if the table has no such column."""
Rows: TypeAlias = Callable[[str, Mapping[str, str]], P]
"""The prior of a row, from where it is, in words, and its cells by their columns."""


@dataclass(frozen=True)
class AbstractPriorTable(Generic[P]):
    """The rows of a table of priors of some kind, found by file and slice.

    Attributes:
        path: The CSV file.
        columns: Which of ``file`` and ``slice`` tell the rows apart.
        rows: File (None without that column) and slice (None without that column) to line number and prior.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[Place, tuple[int, P]] = field(repr=False)

    def prior(self, file: str | Path, *, slice_index: int | None = None) -> P:
        """The prior of an image, or of one slice of it.

        Args:
            file: The image's path. A row belongs to it if the row's file is the path or its end, by whole names.
            slice_index: The slice, from 0; None if the image is taken whole.

        Raises:
            ValueError: If no row or more than one row belongs to the image or slice, or if the table tells slices
                apart and ``slice_index`` is None.

        Examples:
            >>> table = PriorTable(Path("priors.csv"), ("slice",), {(None, 0): (2, BettiPrior(1, 1))})
            >>> table.prior("heart.nii.gz", slice_index=0)
            BettiPrior(1, 1)
            >>> table.prior("heart.nii.gz", slice_index=7)
            Traceback (most recent call last):
            ValueError: priors.csv has no row for slice 7
        """
        return self._row(file, slice_index)[1]

    def place(self, file: str | Path, *, slice_index: int | None = None) -> str:
        """Where that prior is written, as errors name it: ``priors.csv, line 3``.

        Raises:
            ValueError: As `prior`.
        """
        return f"{self.path}, line {self._row(file, slice_index)[0]}"

    def only(self, file: str | Path) -> Self:
        """The same table with no other rows than those that may belong to one image; small enough to be sent along.

        Examples:
            >>> rows = {(name, None): (line, BettiPrior(1, 1)) for line, name in enumerate(["a.png", "b.png"], start=2)}
            >>> PriorTable(Path("priors.csv"), ("file",), rows).only("images/b.png").rows
            {('b.png', None): (3, BettiPrior(1, 1))}
        """
        keys = (key for name in [*_ends(file), None] for key in self._keys_of.get(name, ()))
        return replace(self, rows={key: self.rows[key] for key in keys})

    @cached_property
    def _keys_of(self) -> dict[str | None, list[Place]]:
        """File of a row to its keys, so that thousands of files are looked up in a moment."""
        keys: dict[str | None, list[Place]] = {}
        for key in self.rows:
            keys.setdefault(key[0], []).append(key)
        return keys

    def check_slices(self, counts: Mapping[str | Path, int]) -> None:
        """Refuse rows for slices that the images do not have; rows of other images are left alone.

        Without a column ``file`` the rows serve all images, and a row is refused if none of them has its slice.

        Args:
            counts: Path of each image to its number of slices.

        Raises:
            ValueError: If there is such a row. The message names file, line and slice.
        """
        for (name, index), (line, _) in self.rows.items():
            slices = {file: count for file, count in counts.items() if name is None or name in _ends(file)}
            if index is None or not slices or index < max(slices.values()):
                continue
            file, count = max(slices.items(), key=lambda item: item[1])
            if name is None:
                fault = f"no image has slice {index}, the longest has slices 0 to {count - 1}"
            else:
                fault = f"{file} has no slice {index}, only 0 to {count - 1}"
            raise ValueError(f"{self.path}, line {line}: {fault}")

    def _row(self, file: str | Path, slice_index: int | None) -> tuple[int, P]:
        """Line number and prior."""
        if "slice" not in self.columns:
            slice_index = None
        elif slice_index is None:
            raise ValueError(f"{self.path} has a prior for each slice, so the image must be cut: give --slices AXIS")
        found = (self.rows.get((name, slice_index)) for name in (_ends(file) if "file" in self.columns else [None]))
        fitting = [row for row in found if row is not None]
        where = _place(str(file) if "file" in self.columns else None, slice_index)
        if not fitting:
            raise ValueError(f"{self.path} has no row for {where}")
        if len(fitting) > 1:
            lines = ", ".join(str(line) for line, _ in fitting)
            raise ValueError(f"{self.path} has several rows for {where}: lines {lines}; give more of the path there")
        return fitting[0]


class PriorTable(AbstractPriorTable[BettiPrior]):
    """Priors of one class."""


def read_prior_table(path: str | Path) -> PriorTable:
    """Read a table of priors; see the head of this file for its columns.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table is no UTF-8 text, or has an unknown, missing or repeated column, no row, a row of the
            wrong length, a cell that is no file, slice or prior, or two rows for the same file and slice. The message
            names file, line and value.
    """
    return PriorTable(**read_rows(path, _row_of_numbers))


def read_rows(path: str | Path, reader: Callable[[str, list[str]], Rows[P]]) -> dict[str, Any]:
    """The attributes of a table of priors of some kind.

    Args:
        path: The CSV file.
        reader: Takes the first line's place in words, and all columns; what it gives makes a prior of each row. Raises
            ``ValueError`` if these are no columns of such a table.

    Raises:
        FileNotFoundError, ValueError: As `read_prior_table`.
    """
    path = Path(path)
    lines = _lines(path)
    number, header = next(lines, (1, []))
    columns = [name.strip() for name in header]
    naming = [name for name in ("file", *_FRAME) if name in columns]
    keys = tuple(name for name in _KEYS if name in columns or (name == "file" and naming))
    clear = naming in ([], ["file"], list(_FRAME)) and len(set(columns)) == len(columns)
    if not keys or not clear or not besides_keys(columns):
        _refuse_columns(f"{path}, line {number}", columns)
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
            raise ValueError(f"{where}: a second row for {_place(*key)}, the first is line {rows[key][0]}")
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


def write_prior_table(
    path: str | Path, rows: Mapping[tuple[str, int | None], BettiPrior], *, overwrite: bool = False
) -> None:
    """Write a table of priors for files, or for slices of files.

    Args:
        path: Where to; appears whole or not at all.
        rows: File and slice (None in all rows if images are taken whole) to prior; at least one.
        overwrite: Replace a file that exists.

    Raises:
        ValueError: If there is no row, or some name a slice and some do not.
        OSError: If the file exists and ``overwrite`` is False, or it cannot be written.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "priors.csv"
        >>> write_prior_table(path, {("a.nii.gz", 0): BettiPrior(1, 1), ("a.nii.gz", 1): BettiPrior(1, (0, 2))})
        >>> print(path.read_text())
        file,slice,prior
        a.nii.gz,0,"1,1"
        a.nii.gz,1,"1,0-2"
        <BLANKLINE>
    """
    write_rows(path, ["prior"], {key: [str(prior)] for key, prior in rows.items()}, overwrite=overwrite)


def write_rows(
    path: str | Path, columns: list[str], rows: Mapping[tuple[str, int | None], list[str]], *, overwrite: bool
) -> None:
    """Write a table with these columns besides file and slice; arguments and errors as `write_prior_table`."""
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


def _row_of_numbers(where: str, columns: list[str]) -> Rows[BettiPrior]:
    ordered = sorted(besides_keys(columns))
    if not are_numbers(ordered):
        _refuse_columns(where, columns)

    def prior(where: str, row: Mapping[str, str]) -> BettiPrior:
        numbers = ",".join(row[name] for name in ordered)
        if not all(row[name] for name in ordered):
            raise ValueError(f"{where}: {','.join(ordered)} must be filled in (* is any number), got {numbers!r}")
        return parsed(where, numbers)

    return prior


def _refuse_columns(where: str, columns: list[str]) -> NoReturn:
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


def _ends(file: str | Path) -> list[str | None]:
    """By which names a row may mean this file: ``c.png``, ``b/c.png`` and ``a/b/c.png`` for ``a/b/c.png``."""
    parts = PurePath(file).parts
    return [PurePath(*parts[start:]).as_posix() for start in reversed(range(len(parts)))]


def _place(file: str | None, slice_index: int | None) -> str:
    """A file and slice in words: ``a.png, slice 3``."""
    words = [] if file is None else [file]
    return ", ".join(words if slice_index is None else [*words, f"slice {slice_index}"])
