"""Ultrasound volumes of a placenta as files, several of each patient: made where private data are not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.imaging import phantoms
from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PATIENT = r"patient\d+"


def write_phantom_volumes(
    folder: Path, *, patients: int, volumes: int, shape: tuple[int, int, int], seed: int = 0
) -> Path:
    """Write ``images`` and ``labels``; files that are there already stay as they are.

    The axes of the files run to the patient's left, back and head: lateral, depth and elevation of the transducer.

    Args:
        folder: Gets ``images/patient01_1.nii.gz``, ..., made if need be. A folder of its own for each shape and seed.
        patients: How many.
        volumes: Of all of them, dealt out as evenly as can be.
        shape: Voxels along elevation, depth and lateral.
        seed: Of all of it.

    Raises:
        ImportError: If nibabel is missing.
    """
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(patients):
        views = volumes // patients + (number < volumes % patients)
        names = [f"patient{number + 1:02d}_{view + 1}.nii.gz" for view in range(views)]
        if all((folder / part / name).exists() for name in names for part in ("images", "labels")):
            continue
        drawn = int(np.random.default_rng([seed, number]).integers(2**31))
        made = phantoms.ultrasound(views, shape=shape, seed=drawn, views=max(views, 2))
        for name, image, label in zip(names, made.images[:, 0], made.labels, strict=True):
            _save(folder / "images" / name, np.rint(image * 255).astype(np.uint8), made.spacing)
            _save(folder / "labels" / name, label, made.spacing)
    return folder


def _save(path: Path, values: NDArray[Any], spacing: float) -> None:
    try:
        import nibabel
    except ImportError as error:
        raise ImportError("volumes are written by nibabel: pip install 'topoprior[io]'") from error
    image = nibabel.Nifti1Image(
        np.ascontiguousarray(values.transpose(2, 1, 0)), np.diag([-spacing, -spacing, spacing, 1])
    )
    image.header.set_xyzt_units("mm")
    with new_file(path, overwrite=True) as temporary:
        nibabel.save(image, temporary)
