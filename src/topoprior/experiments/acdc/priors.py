"""The priors of the slices in the ACDC experiment: counted in the ground truth, or from a table of a person."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from topoprior.imaging.datasets.acdc import MYOCARDIUM, SLICES, read_frame
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.slice_table import write_slice_table
from topoprior.priors.table import read_prior_table
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from topoprior.imaging.datasets.acdc import Frame, Patient
    from topoprior.priors.table import PriorTable


def priors_of(patients: Iterable[Patient], stated: str | Path | None, counted: Path) -> PriorTable:
    """A prior for each slice of all frames.

    Args:
        patients: Whose slices need one.
        stated: A table with all of them, or None.
        counted: Where to write the table that is counted in the ground truth.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a file is damaged, a frame has no ground truth and there is no table, or the table lacks a slice.
    """
    frames = [frame for patient in patients for frame in patient.frames]
    if stated is None:
        rows = {(frame.image.name, index): prior for frame in frames for index, prior in enumerate(count(frame))}
        write_slice_table(counted, rows, overwrite=True)
        return read_prior_table(counted)
    table = read_prior_table(stated)
    for frame in frames:
        for index in range(read_frame(frame)[0].array.shape[SLICES]):
            table.prior(frame.image, slice_index=index)
    return table


def digest(table: PriorTable) -> str:
    """Of all priors, wherever they were written."""
    rows = sorted((*place, str(prior)) for place, (_, prior) in table.rows.items())
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def count(frame: Frame) -> list[BettiPrior]:
    """The Betti numbers of the myocardium in each slice of the ground truth.

    Raises:
        ValueError: If there is no ground truth.
    """
    _, labels = read_frame(frame)
    if labels is None:
        raise ValueError(f"{frame.image} has no ground truth to count its priors in: give a table of priors")
    masks = np.moveaxis(labels == MYOCARDIUM, SLICES, 0)[:, None]
    return [BettiPrior(*numbers) for numbers in betti_numbers(np.ascontiguousarray(masks))[:, 0].tolist()]
