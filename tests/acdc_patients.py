"""Tiny patients in the layout of the ACDC challenge: a heart that beats beside the centre of a still body."""

from pathlib import Path

import nibabel
import numpy as np

SPACING = (1.5, 1.5, 8.0)
AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])
AFFINE[:3, 3] = (30.0, 40.0, -20.0)


def heart(phase: str, shape=(40, 44), centre=(22.0, 18.0), scale=1.0) -> np.ndarray:
    """Labels of a slice: a ring (2) round a cavity (3), and a right ventricle (1) beside it."""
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - centre[0], columns - centre[1]) / scale
    inner, outer = (4.2, 7.0) if phase == "ED" else (2.6, 6.4)
    labels = np.zeros(shape, np.uint8)
    labels[np.hypot(rows - centre[0], columns - centre[1] + 9 * scale) < 4.5 * scale] = 1
    labels[distance < outer] = 2
    labels[distance < inner] = 3
    return labels


def stack(phase: str, slices: int = 3, **options) -> np.ndarray:
    """Labels of a frame, the first slice, above the heart, empty."""
    return np.stack([np.zeros_like(heart(phase, **options)), *[heart(phase, **options)] * (slices - 1)], axis=2)


def write_patient(
    folder: Path, number: int, *, group: str = "NOR", labels: bool = True, slices: int = 3, seed: int = 0, **options
) -> Path:
    """The files of a patient, and where they are; ``options`` are those of `heart`."""
    place = folder / f"patient{number:03d}"
    place.mkdir(parents=True)
    (place / "Info.cfg").write_text(f"ED: 1\nES: 7\nGroup: {group}\nHeight: 184.0\nNbFrame: 30\n")
    random = np.random.default_rng([seed, number])
    for phase, frame in (("ED", 1), ("ES", 7)):
        truth = stack(phase, slices, **options)
        image = np.array([20.0, 190.0, 80.0, 220.0])[truth] + random.normal(0, 8, truth.shape)
        save(place / f"{place.name}_frame{frame:02d}.nii.gz", image.clip(0).astype(np.int16))
        if labels:
            save(place / f"{place.name}_frame{frame:02d}_gt.nii.gz", truth)
    return place


def save(path: Path, values: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path
