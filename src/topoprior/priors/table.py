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

from collections.abc import Mapping
from pathlib import Path

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table_file import (
    Rows,
    are_numbers,
    besides_keys,
    cell,
    parsed,
    read_rows,
    refuse_columns,
    write_rows,
)
from topoprior.priors.table_rows import AbstractPriorTable


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


def write_prior_table(
    path: str | Path, rows: Mapping[tuple[str, int | None], BettiPrior], *, overwrite: bool = False
) -> None:
    """Write a table of priors for files, or for slices of files.

    Args:
        path: Where to; appears whole or not at all.
        rows: File and slice (None in all rows if images are taken whole) to prior; at least one.
        overwrite: Replace a file that exists.

    Raises:
        ValueError: If there is no row, some name a slice and some do not, or a prior has weights.
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
    write_rows(path, ["prior"], {key: [cell(prior)] for key, prior in rows.items()}, overwrite=overwrite)


def _row_of_numbers(where: str, columns: list[str]) -> Rows[BettiPrior]:
    ordered = sorted(besides_keys(columns))
    if not are_numbers(ordered):
        refuse_columns(where, columns)

    def prior(where: str, row: Mapping[str, str]) -> BettiPrior:
        numbers = ",".join(row[name] for name in ordered)
        if not all(row[name] for name in ordered):
            raise ValueError(f"{where}: {','.join(ordered)} must be filled in (* is any number), got {numbers!r}")
        return parsed(where, numbers)

    return prior
