"""The volumes of the 3-D experiment: where they come from, whose they are, and that they are what they should be."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from topoprior.imaging.datasets.classes import label_values
from topoprior.imaging.datasets.pairs import labelled_images, stem_of
from topoprior.imaging.io import read_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from topoprior.imaging.image import Image

Source = Literal["phantom", "folder", "hippocampus"]
EACH = "each"
"""In place of a rule: every volume is a patient of its own."""

_LAYOUTS = (("imagesTr", "labelsTr"), ("images", "labels"))


@dataclass(frozen=True)
class Volume:
    """An image with its label.

    Attributes:
        name: Of the file, without its ending.
        patient: Whose it is; the volumes of a patient are never parted.
        image: The file.
        label: Its label.
        values: That make up the structure in the label; all others but 0 are refused.
    """

    name: str
    patient: str
    image: Path
    label: Path
    values: tuple[int, ...]


def find_volumes(data: Path, *, patients: str, values: tuple[int, ...]) -> list[Volume]:
    r"""The volumes of a folder: ``images`` with ``labels``, or ``imagesTr`` with ``labelsTr`` as in the Decathlon.

    Args:
        data: The folder with the two.
        patients: How to tell whose a volume is: a regular expression, where the text that it finds in the name (that of
            its first parenthesis, if it has one) is the patient; a table ``X.csv`` with the columns ``volume`` and
            ``patient``; or ``"each"``: each volume is a patient of its own.
        values: That make up the structure in the labels.

    Raises:
        FileNotFoundError: If the folder holds no such two.
        ValueError: If an image or a label is alone, a name has no patient, or ``values`` are none from 1 to 255.
    """
    if not values or not all(1 <= value <= 255 for value in values) or len(set(values)) < len(values):
        raise ValueError(f"values must be different numbers from 1 to 255, got {list(values)}")
    for images, labels in _LAYOUTS:
        if (data / images).is_dir() and (data / labels).is_dir():
            break
    else:
        raise FileNotFoundError(f"{data} must hold the folders images and labels, or imagesTr and labelsTr")
    pairs = labelled_images(data / images, data / labels)
    several = [one for one in pairs if len(one.channels) > 1]
    if several:
        raise ValueError(f"{several[0].path}: a volume must have one channel, got {len(several[0].channels)}")
    names = {stem_of(one.channels[0]): one for one in pairs}
    whose = _patients(list(names), patients)
    return [
        Volume(name, whose[name], one.channels[0], Path(one.label or ""), values) for name, one in sorted(names.items())
    ]


def _patients(names: Sequence[str], rule: str) -> dict[str, str]:
    """Name to patient."""
    if rule == EACH:
        return {name: name for name in names}
    if rule.lower().endswith(".csv"):
        return _listed(names, Path(rule))
    try:
        expression = re.compile(rule)
    except re.error as error:
        raise ValueError(
            f"patients must be a regular expression, a table X.csv, or each, got {rule!r}: {error}"
        ) from error
    found = {}
    for name in names:
        match = expression.search(name)
        if match is None:
            raise ValueError(f"{name}: the rule of the patients, {rule!r}, finds nothing in the name")
        found[name] = str(match.group(1 if expression.groups else 0))
    return found


def _listed(names: Sequence[str], table: Path) -> dict[str, str]:
    if not table.is_file():
        raise FileNotFoundError(f"{table} does not exist: it should tell whose each volume is")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"volume", "patient"} <= set(reader.fieldnames or ()):
            raise ValueError(
                f"{table} must have the columns volume and patient, got {', '.join(reader.fieldnames or ())}"
            )
        rows = [(row["volume"] or "", row["patient"] or "") for row in reader]
    found = {stem_of(Path(name)) if "." in name else name: patient for name, patient in rows}
    if len(found) < len(rows):
        raise ValueError(f"{table} must have one row for each volume, got {len(rows)} rows for {len(found)} volumes")
    missing = [name for name in names if not found.get(name)]
    if missing:
        raise ValueError(f"{table} has no patient for {', '.join(missing[:5])}")
    return {name: found[name] for name in names}


def read_volume(volume: Volume) -> tuple[Image, NDArray[np.uint8]]:
    """Image and label, 1 where the structure is; refused if they do not fit together.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file is damaged; the image has not three axes; the label has another shape, lies elsewhere
            (another affine), holds a value that it should not, or nothing but 0.
    """
    image, label = read_image(volume.image), read_image(volume.label)
    if image.array.ndim != 3:
        raise ValueError(f"{volume.image} must have three axes, got shape {image.array.shape}")
    if label.array.shape != image.array.shape:
        raise ValueError(
            f"an image and its label must have one shape, got {image.array.shape} in {volume.image} and "
            f"{label.array.shape} in {volume.label}"
        )
    if image.affine is not None and label.affine is not None and not _same_place(image, label):
        raise ValueError(
            f"an image and its label must lie in one place, but the affine of {volume.label} is not that of "
            f"{volume.image}"
        )
    found = label_values(label)
    wrong = [value for value in found if value not in (0, *volume.values)]
    if wrong:
        allowed = ", ".join(map(str, (0, *volume.values)))
        raise ValueError(f"{volume.label} must hold the values {allowed} only, got {', '.join(map(str, wrong))}")
    if found == [0]:
        raise ValueError(f"{volume.label} is empty: it holds nothing but 0")
    return image, np.isin(label.array, volume.values).astype(np.uint8)


def check_volumes(volumes: Sequence[Volume]) -> tuple[int, int, int]:
    """Read them all, so that a damaged one is told before hours are spent; gives the largest side along each axis.

    Raises:
        OSError, ValueError: As :func:`read_volume`.
    """
    shapes: list[Any] = [read_volume(volume)[0].array.shape for volume in volumes]
    first, second, third = (int(side) for side in np.max(shapes, axis=0))
    return first, second, third


def _same_place(image: Image, label: Image) -> bool:
    """Whether no corner of the two lies more than a tenth of a voxel apart."""
    assert image.affine is not None
    assert label.affine is not None
    corners = np.array(np.meshgrid(*[(0, side, side) for side in image.array.shape], indexing="ij")).reshape(3, -1)
    apart = (image.affine - label.affine)[:3] @ np.vstack([corners, np.ones(corners.shape[1])])
    side = np.linalg.norm(image.affine[:3, :3], axis=0).min()
    return bool(np.abs(apart).max() <= 0.1 * side)
