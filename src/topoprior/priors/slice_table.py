"""A table of priors with a row for each slice, to be filled in by a person or from ground truth.

.. code-block:: text

    patient,frame,slice,b0,b1        file,slice,b0,b1
    patient001,01,0,1,1              heart.nii.gz,0,1,1
    patient001,01,1,,                heart.nii.gz,1,,

`topoprior.priors.table.read_prior_table` reads it back, once every cell is filled in.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from topoprior.imaging.new_file import new_file
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table_file import cell

_FRAME = re.compile(r"(?P<patient>.+)_frame(?P<frame>\d{2})\.nii\.gz")


def write_slice_table(
    path: str | Path, rows: Mapping[tuple[str, int], BettiPrior | None], *, overwrite: bool = False
) -> None:
    """Write such a table; its columns name patients and frames if all files are called as in the ACDC challenge.

    Args:
        path: Where to; appears whole or not at all.
        rows: File name and slice, from 0, to its prior of two numbers; None leaves the cells empty. At least one.
        overwrite: Replace a file that exists.

    Raises:
        ValueError: If there is no row, or a prior has weights or another number of Betti numbers.
        OSError: If the file exists and ``overwrite`` is False, or it cannot be written.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "priors.csv"
        >>> write_slice_table(path, {("p1_frame01.nii.gz", 0): BettiPrior(1, 1), ("p1_frame01.nii.gz", 1): None})
        >>> print(path.read_text())
        patient,frame,slice,b0,b1
        p1,01,0,1,1
        p1,01,1,,
        <BLANKLINE>
    """
    if not rows:
        raise ValueError("a table of priors needs at least one row, got none")
    for prior in rows.values():
        if prior is not None and prior.dimensions != 2:
            raise ValueError(f"a slice has two Betti numbers, got the prior {prior}")
    frames = {file: _FRAME.fullmatch(file) for file, _ in rows}
    named = {file: match.groups() for file, match in frames.items() if match is not None}
    by_patient = len(named) == len(frames)
    with new_file(Path(path), overwrite=overwrite) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow([*(("patient", "frame") if by_patient else ("file",)), "slice", "b0", "b1"])
        for (file, index), prior in rows.items():
            numbers = ["", ""] if prior is None else cell(prior).split(",")
            table.writerow([*(named[file] if by_patient else (file,)), index, *numbers])
