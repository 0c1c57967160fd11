"""Short-axis slices of the heart with the left ventricle's myocardium as label, from four places, all alike.

================  ==========================================================================  =====================
function          what it reads                                                               slices of a person
================  ==========================================================================  =====================
`phantom_slices`  nothing: `topoprior.phantoms.short_axis` makes them                         1
`read_biobank`    folders of subjects as UK Biobank's tools lay them out                      the middle one, phase 0
`read_acdc`       folders of patients as the ACDC challenge ships them                        those of the middle part
`read_crops`      an npz of crops made of the ACDC challenge                                  those of the middle part
================  ==========================================================================  =====================

A slice is 80x80 pixels of 1.8 mm with the left ventricle in the middle, rows along the patient's second axis. Slices
whose label is not one component with one loop (corners connect) are left out, and counted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from topoprior.imaging import phantoms
from topoprior.imaging.datasets.acdc import MYOCARDIUM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

SIZE, SPACING = 80, 1.8
MIDDLE = (0.3, 0.7)  # of a stack, from its first slice to its last


@dataclass(frozen=True, eq=False)
class ShortAxisSlices:
    """Short-axis slices.

    Attributes:
        images: Shape ``(slices, 1, 80, 80)``, float32, at least 0.
        labels: Shape ``(slices, 80, 80)``, uint8, 1 is myocardium; 0 everywhere where there is no label.
        labelled: Which slices have a label, bool.
        patients: One number for each slice.
        names: One for each slice; its first word names the patient.
        note: Where they come from, and what was left out.
    """

    images: Tensor
    labels: Tensor
    labelled: NDArray[np.bool_]
    patients: NDArray[np.int64]
    names: tuple[str, ...]
    note: str

    def __len__(self) -> int:
        return len(self.images)

    def digest(self) -> str:
        """A name for exactly these pixels, labels and people.

        Examples:
            >>> phantom_slices(2, seed=1).digest() == phantom_slices(3, seed=1).digest()
            False
        """
        content = hashlib.sha256("\n".join(self.names).encode())
        for array in (self.images.numpy(), self.labels.numpy(), self.labelled, self.patients):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()[:16]


def phantom_slices(count: int, *, seed: int = 0) -> ShortAxisSlices:
    """Slices that the project makes; see `topoprior.phantoms.short_axis`.

    Args:
        count: Number of them, each of a person of its own.
        seed: Of every random choice.

    Examples:
        >>> slices = phantom_slices(2)
        >>> slices.images.shape, slices.names
        (torch.Size([2, 1, 80, 80]), ('phantom0000', 'phantom0001'))
    """
    made = phantoms.short_axis(count, size=SIZE, seed=seed)
    return slices_of(
        made.images[:, 0],
        made.labels == MYOCARDIUM,
        range(count),
        [f"phantom{number:04d}" for number in range(count)],
        f"{count} short-axis phantoms (seed {seed}), one for each person",
    )


def read_crops(path: str | Path) -> ShortAxisSlices:
    """Slices from an npz of crops of the ACDC training set.

    Args:
        path: It holds ``image`` and ``label`` (slices, 80, 80), ``patient``, ``phase``, ``slice``, ``nslices`` and
            ``betti_crop8``, the 8-connected Betti numbers of the myocardium.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no npz, lacks one of the arrays, or holds no slice that fits.
    """
    wanted = ("image", "label", "patient", "phase", "slice", "nslices", "betti_crop8")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; it must be the npz of short-axis crops")
    try:
        with Path(path).open("rb") as stream, np.load(stream) as file:
            stored = {name: file[name] for name in wanted}
    except KeyError as error:
        raise ValueError(f"{path} must be the npz of short-axis crops, but lacks {error}") from error
    except Exception as error:  # zip, zlib and NumPy each have their own for a damaged file
        raise ValueError(f"{path} cannot be read as the npz of short-axis crops: {error}") from error
    middle = in_the_middle(stored["slice"], stored["nslices"])
    ring = (stored["betti_crop8"] == (1, 1)).all(1)
    chosen = np.flatnonzero(middle & ring)
    if not len(chosen):
        raise ValueError(f"{path} must hold rings in the middle of stacks, got {len(ring)} slices without one")
    patients, phases, indices = (stored[name][chosen].tolist() for name in ("patient", "phase", "slice"))
    return slices_of(
        stored["image"][chosen],
        stored["label"][chosen] == MYOCARDIUM,
        patients,
        [f"patient{who:03d} {phase} slice {k}" for who, phase, k in zip(patients, phases, indices, strict=True)],
        f"ACDC training set, crops: {len(chosen)} slices of {len(set(patients))} patients from the middle of the "
        f"stacks; {int((middle & ~ring).sum())} others left out, whose label is not one ring",
    )


def slices_of(
    images: Any, labels: Any, patients: Iterable[int], names: Iterable[str], note: str, labelled: Any = None
) -> ShortAxisSlices:
    """Slices from pictures, walls and all else, in whatever kind of array; all are labelled if it is not said."""
    pixels = torch.from_numpy(np.stack(list(images)).astype(np.float32))[:, None]
    known = np.ones(len(pixels), dtype=bool) if labelled is None else np.array(labelled)
    truth = torch.from_numpy(np.stack(list(labels)).astype(np.uint8))
    return ShortAxisSlices(pixels, truth, known, np.array(list(patients), dtype=np.int64), tuple(names), note)


def in_the_middle(place: NDArray[np.int64], slices: NDArray[np.int64] | int) -> NDArray[np.bool_]:
    """Which slices of stacks of so many are in the middle part.

    Examples:
        >>> in_the_middle(np.arange(10), 10).nonzero()[0]
        array([3, 4, 5, 6])
    """
    share = (place + 0.5) / slices
    inside: NDArray[np.bool_] = (share > MIDDLE[0]) & (share < MIDDLE[1])
    return inside
