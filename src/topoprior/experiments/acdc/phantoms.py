"""Patients in the layout of the ACDC challenge, made of phantoms: to run its experiment where its data are not at hand.

The slices of a stack show different hearts of one kind, so only what looks at slices one by one means something here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.imaging import phantoms
from topoprior.imaging.datasets.acdc import PHASES
from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from topoprior.imaging.phantoms.short_axis_heart import Group

_GROUPS: dict[str, Group] = {
    "NOR": "normal",
    "DCM": "dilated",
    "HCM": "hypertrophic",
    "MINF": "infarcted",
    "RV": "right ventricle",
}
_SIDE, _SPACING, _THICKNESS = 64, 2.0, 10.0  # pixels, mm, mm
_FRAMES = {"ED": 1, "ES": 10}
_RIGHT, _WALL, _CAVITY = 1, 2, 3


def write_phantom_patients(folder: Path, count: int, *, slices: int = 5, seed: int = 0) -> Path:
    """Write patients as the challenge ships them; those that are there already stay as they are.

    In each stack the first slice holds no heart, the last a myocardium that is open at one side: (0, 0) and (1, 0).
    The others are rings.

    Args:
        folder: Gets ``patient001``, ``patient002``, ...; made if need be.
        count: Of patients.
        slices: Of each stack, at least 3.
        seed: Of all of it.

    Raises:
        ImportError: If nibabel is missing.
    """
    for number in range(1, count + 1):
        place = folder / f"patient{number:03d}"
        place.mkdir(parents=True, exist_ok=True)
        group = list(_GROUPS)[number % len(_GROUPS)]
        info = f"ED: {_FRAMES['ED']}\nES: {_FRAMES['ES']}\nGroup: {group}\n"
        for phase in PHASES:
            images, labels = _stack(group, slices, [seed, number, PHASES.index(phase)])
            name = f"{place.name}_frame{_FRAMES[phase]:02d}"
            _save(place / f"{name}.nii.gz", np.rint(images * 1000).astype(np.int16))
            _save(place / f"{name}_gt.nii.gz", labels)
        (place / "Info.cfg").write_text(info, encoding="utf-8")
    return folder


def _stack(group: str, slices: int, seed: list[int]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Images and labels, shape ``(side, side, slices)``."""
    random = np.random.default_rng(seed)
    made = phantoms.short_axis(
        slices, size=_SIDE, spacing=_SPACING, seed=int(random.integers(2**31)), groups=[_GROUPS[group]]
    )
    images, labels = made.images[:, 0].copy(), made.labels.copy()
    heart = labels[0] > 0
    images[0][heart] = random.choice(images[0][~heart], heart.sum())
    labels[0] = 0
    opened = _sector(labels[-1] == _WALL, random)
    images[-1][opened] = random.choice(images[-1][labels[-1] == _CAVITY], opened.sum())
    labels[-1][opened] = _CAVITY
    return np.moveaxis(images, 0, 2), np.moveaxis(labels, 0, 2)


def _sector(ring: NDArray[np.bool_], random: np.random.Generator) -> NDArray[np.bool_]:
    """A quarter of a ring, seen from its centre."""
    rows, columns = np.nonzero(ring)
    every = np.indices(ring.shape)
    angle = np.arctan2(every[0] - rows.mean(), every[1] - columns.mean()) - random.uniform(-np.pi, np.pi)
    found: NDArray[np.bool_] = ring & (np.abs((angle + np.pi) % (2 * np.pi) - np.pi) < np.pi / 4)
    return found


def _save(path: Path, values: NDArray[Any]) -> None:
    if path.exists():
        return
    try:
        import nibabel
    except ImportError as error:
        raise ImportError("stacks are written by nibabel: pip install 'topoprior[io]'") from error
    image = nibabel.Nifti1Image(values, np.diag([-_SPACING, -_SPACING, _THICKNESS, 1.0]))
    image.header.set_xyzt_units("mm")
    with new_file(path) as temporary:
        nibabel.save(image, temporary)
