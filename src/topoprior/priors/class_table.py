"""Priors of several classes from a CSV table: a column for each class or union that has one.

.. code-block:: text

    file,slice,RV,MYO,LV,MYO+LV
    patient001.nii.gz,0,"1,0","1,1","1,0","1,0"
    patient001.nii.gz,1,"0,0","1,0-1","1,0",

Files and slices are as in `topoprior.priors.table`. An empty cell says nothing of its class or union; ``0,0`` says that
the class is absent.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import Classes, ClassPriors
from topoprior.priors.table_file import Rows, are_numbers, besides_keys, cell, parsed, read_rows, write_rows
from topoprior.priors.table_rows import AbstractPriorTable


class ClassPriorTable(AbstractPriorTable[ClassPriors]):
    """Priors of several classes."""


def read_class_prior_table(path: str | Path, classes: Sequence[str]) -> ClassPriorTable:
    r"""Read a table of class priors; with one class besides background, one as `read_prior_table` reads it will do.

    Args:
        path: The CSV file.
        classes: Names of all channels, background first.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As `topoprior.priors.table.read_prior_table`; or if a column names a class that does not exist, or a
            row asks for nothing.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "priors.csv"
        >>> _ = path.write_text('slice,wall,wall+lumen\n0,"1,1","1,0"\n1,"1,0-1",\n')
        >>> table = read_class_prior_table(path, ("BG", "wall", "lumen"))
        >>> for index in (0, 1):
        ...     print(table.prior("stack.nii.gz", slice_index=index))
        wall 1,1; wall+lumen 1,0
        wall 1,0-1
    """

    def reader(where: str, columns: list[str]) -> Rows[ClassPriors]:
        ordered = sorted(besides_keys(columns))
        if are_numbers(ordered) and len(classes) == 2:
            return lambda where, row: ClassPriors(
                {1: parsed(where, ",".join(row[name] for name in ordered))}, classes=classes
            )
        unions: dict[str, Classes] = {
            name: tuple(part.strip() for part in name.split("+")) for name in besides_keys(columns)
        }
        try:
            ClassPriors({union: BettiPrior(1) for union in unions.values()}, classes=classes)
        except ValueError as error:
            raise ValueError(f"{where}: each column besides file and slice is a class or union: {error}") from error
        return lambda where, row: _row(where, row, unions, classes)

    return ClassPriorTable(**read_rows(path, reader))


def write_class_prior_table(
    path: str | Path, rows: Mapping[tuple[str, int | None], ClassPriors], *, overwrite: bool = False
) -> None:
    """Write a table of class priors; arguments and errors as `topoprior.priors.table.write_prior_table`."""
    names = list(dict.fromkeys(name for priors in rows.values() for name in priors.names))
    cells = {key: dict(zip(priors.names, map(cell, priors.priors), strict=True)) for key, priors in rows.items()}
    write_rows(
        path, names, {key: [row.get(name, "") for name in names] for key, row in cells.items()}, overwrite=overwrite
    )


def _row(where: str, row: Mapping[str, str], unions: Mapping[str, Classes], classes: Sequence[str]) -> ClassPriors:
    entries = {union: parsed(f"{where}, column {name}", row[name]) for name, union in unions.items() if row[name]}
    try:
        return ClassPriors(entries, classes=classes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
