"""Short-axis slices from folders of NIfTI files, as the ACDC challenge and as UK Biobank's tools lay them out."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from topoprior.imaging.datasets.acdc import MYOCARDIUM, find_patients
from topoprior.imaging.datasets.short_axis import SIZE, SPACING, ShortAxisSlices, in_the_middle, slices_of
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]
    Label = NDArray[np.uint8]

IMAGE_FILES = ("sa.nii.gz", "sa_ED.nii.gz", "sa.nii", "sa_ED.nii")
LABEL_FILES = tuple(f"{word}_{name}" for word in ("label", "seg") for name in IMAGE_FILES)

_SAME_SPACING = 0.05  # of it: pixels of 1.71 to 1.89 mm, as UK Biobank's 1.83, stay as they are


def read_acdc(folder: str | Path, *, myocardium: int = MYOCARDIUM) -> ShortAxisSlices:
    """Slices of the ACDC training set as its publisher ships it.

    Args:
        folder: It holds ``patient001/Info.cfg``, ``patient001/patient001_frame01.nii.gz``,
            ``patient001/patient001_frame01_gt.nii.gz`` and so on: both labelled phases of each patient are taken.
        myocardium: Its value in the labels.

    Raises:
        FileNotFoundError: If there is no such folder, or it lacks a file.
        ValueError: If it holds no patient, a file is damaged or of another kind, or no slice fits.
        ImportError: If nibabel is missing: ``pip install 'topoprior[io]'``.
    """
    found, left_out = [], 0
    for number, patient in enumerate(find_patients(folder)):
        for frame in patient.frames:
            if frame.label is None:
                raise ValueError(f"{frame.image} must have its ground truth beside it, got none")
            (image, spacing), (label, _) = _volume(frame.image), _volume(frame.label)
            _check_same(frame.image, image, frame.label, label)
            walls = label == myocardium
            centre = _centre(walls)
            for k in np.flatnonzero(in_the_middle(np.arange(image.shape[2]), image.shape[2])).tolist():
                crop = _crop(image[:, :, k], walls[:, :, k], spacing, centre)
                if _is_ring(crop[1]):
                    found.append((*crop, number, f"{patient.name} {frame.phase} slice {k}"))
                else:
                    left_out += 1
    if not found:
        raise ValueError(
            f"{folder}: the value {myocardium} must be a ring in the middle slices, got none in {left_out}"
        )
    images, labels, patients, names = zip(*found, strict=True)
    return slices_of(
        images,
        labels,
        patients,
        names,
        f"ACDC: {len(found)} slices of {len(set(patients))} patients from the middle of the stacks; {left_out} others "
        "left out, whose label is not one ring",
    )


def read_biobank(folder: str | Path, *, myocardium: int = MYOCARDIUM) -> ShortAxisSlices:
    """Slices of a folder laid out as UK Biobank's tools do: the middle slice of the first phase of each subject.

    The crop is centred on the left ventricle by its label. Subjects without a label may serve as unlabelled images;
    their crop is centred on the image.

    Args:
        folder: It holds a folder for each subject with ``sa.nii.gz`` (4-D or 3-D) or ``sa_ED.nii.gz``, and with
            ``label_sa.nii.gz``, ``label_sa_ED.nii.gz``, ``seg_sa.nii.gz`` or ``seg_sa_ED.nii.gz`` if it is labelled.
        myocardium: Its value in the labels.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no subject, a file is damaged or of another kind, image and label differ in shape, or
            no label holds a ring of that value.
        ImportError: If nibabel is missing: ``pip install 'topoprior[io]'``.
    """
    found, left_out, values = [], 0, set[int]()
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    subjects = [one for one in sorted(Path(folder).iterdir()) if _first(one, IMAGE_FILES)]
    if not subjects:
        raise ValueError(f"{folder} must hold a folder for each subject with {' or '.join(IMAGE_FILES)}, got none")
    for number, subject in enumerate(subjects):
        path, truth = _first(subject, IMAGE_FILES), _first(subject, LABEL_FILES)
        assert path is not None
        image, spacing = _volume(path)
        label = np.zeros_like(image)
        if truth is not None:
            label, _ = _volume(truth)
            _check_same(path, image, truth, label)
        k = image.shape[2] // 2
        values |= set(np.unique(label[:, :, k]).astype(int).tolist())
        wall = label[:, :, k] == myocardium
        crop = _crop(image[:, :, k], wall, spacing, _centre(wall))
        if truth is None or _is_ring(crop[1]):
            found.append((*crop, truth is not None, number, subject.name.replace(" ", "_")))
        else:
            left_out += 1
    if not any(labelled for _, _, labelled, _, _ in found):
        raise ValueError(
            f"{folder}: the value {myocardium} must be a ring in the labels of the middle slices, got none in "
            f"{len(subjects)} subjects, whose labels hold the values {sorted(values)}"
        )
    images, labels, labelled, patients, names = zip(*found, strict=True)
    note = (
        f"{len(found)} subjects, {sum(labelled)} with a label; {left_out} others left out, whose label is not one ring"
    )
    return slices_of(images, labels, patients, names, note, labelled)


def _is_ring(label: Label) -> bool:
    return bool(betti_numbers(torch.from_numpy(label)[None, None])[0, 0].tolist() == [1, 1])


def _crop(
    picture: Picture, wall: NDArray[np.bool_], spacing: tuple[float, float], centre: tuple[float, float]
) -> tuple[Picture, Label]:
    """Picture and label at 1.8 mm, 80x80 about the centre, rows first; what is beyond the picture is dark."""
    same = [abs(mm / SPACING - 1) < _SAME_SPACING for mm in spacing]
    shape = [
        n if keep else max(1, round(n * mm / SPACING)) for n, mm, keep in zip(picture.shape, spacing, same, strict=True)
    ]
    image, label = _resampled(picture, shape, "bilinear"), _resampled(wall, shape, "nearest-exact")
    middle = [round(place * n / own) for place, n, own in zip(centre, shape, picture.shape, strict=True)]
    window = tuple(slice(place, place + SIZE) for place in middle)  # in arrays padded by half a window
    dark = np.pad(image, SIZE // 2, constant_values=float(image.min()))
    return dark[window].T.astype(np.float32), np.pad(label, SIZE // 2)[window].T.astype(np.uint8)


def _centre(walls: NDArray[np.bool_]) -> tuple[float, float]:
    """The centre of the left ventricle in pixels: of its wall, over all slices; of the picture if there is no wall."""
    if not walls.any():
        return walls.shape[0] / 2, walls.shape[1] / 2
    x, y, *_ = np.nonzero(walls)
    return float(x.mean() + 0.5), float(y.mean() + 0.5)


def _resampled(values: NDArray[Any], shape: list[int], mode: str) -> NDArray[Any]:
    corners = {"align_corners": False} if mode == "bilinear" else {}
    stack = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    array: NDArray[Any] = F.interpolate(stack, shape, mode=mode, **corners)[0, 0].numpy()
    return array


def _first(subject: Path, names: tuple[str, ...]) -> Path | None:
    return next((subject / name for name in names if (subject / name).is_file()), None)


def _volume(path: Path) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """The first phase, shape (x, y, slices), and the millimetres from pixel to pixel of a slice."""
    try:
        nibabel = importlib.import_module("nibabel")
    except ModuleNotFoundError as error:
        raise ImportError("nibabel reads such files: pip install 'topoprior[io]'") from error
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        file = nibabel.load(path)
        shape, zooms = file.shape, file.header.get_zooms()
        whole = np.asanyarray(file.dataobj[..., 0] if len(shape) == 4 else file.dataobj)
    except Exception as error:  # nibabel, gzip and zlib each have their own for a damaged file
        raise ValueError(f"{path} cannot be read as NIfTI: {error}") from error
    volume: NDArray[np.float32] = whole.astype(np.float32)
    if volume.ndim != 3 or not volume.size:
        raise ValueError(f"{path}: it must have 3 axes, or 4 with the phases as the last, got shape {shape}")
    if not np.isfinite(volume).all() or volume.min() < 0:
        raise ValueError(f"{path}: its values must be finite and at least 0, got {volume.min()} to {volume.max()}")
    return volume, (float(zooms[0]), float(zooms[1]))


def _check_same(path: Path, image: NDArray[Any], truth: Path, label: NDArray[Any]) -> None:
    if image.shape != label.shape:
        raise ValueError(f"{truth}: it must have the shape of {path.name}, {image.shape}, got {label.shape}")
