"""The ACDC challenge as its publisher lays it out: patients with two phases of the heart, each a stack of slices.

.. code-block:: text

    training/                     or testing/
        patient001/
            Info.cfg                        ED: 1, ES: 12, Group: DCM, ...
            patient001_frame01.nii.gz       end of diastole
            patient001_frame01_gt.nii.gz    its label: 1 right ventricle, 2 myocardium, 3 cavity; may be missing
            patient001_frame12.nii.gz       end of systole
            ...

O. Bernard et al., IEEE TMI 37(11):2514-2525, 2018, doi:10.1109/TMI.2018.2837502.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from topoprior.imaging.datasets.classes import label_values
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image

CLASSES = {"RV": (1,), "MYO": (2,), "LV": (3,)}
MYOCARDIUM = 2
PHASES = ("ED", "ES")
SLICES = 2  # the axis of the files along which slices lie

# Of `heart_centre`, in millimetres. They were compared on 30 training patients (6 of each group), with their labels: at
# these the myocardium reached at most 59 mm from the centre, of which 51 are its own size.
_BLUR, _SPREAD, _REACH = 4.0, 20.0, 80.0
_BRIGHT = 99  # percentile of the intensities that counts as 1


@dataclass(frozen=True)
class Frame:
    """One phase of a patient.

    Attributes:
        patient: Its folder's name, ``"patient001"``.
        phase: ``"ED"`` or ``"ES"``.
        image: The stack.
        label: Its ground truth; None if there is none.
    """

    patient: str
    phase: str
    image: Path
    label: Path | None

    @property
    def name(self) -> str:
        """Tells it from all others: ``"patient001_ED"``."""
        return f"{self.patient}_{self.phase}"


@dataclass(frozen=True)
class Patient:
    """A patient.

    Attributes:
        name: Of the folder.
        group: Of the disease: DCM, HCM, MINF, NOR or RV; empty if Info.cfg does not say.
        frames: ED, then ES.
    """

    name: str
    group: str
    frames: tuple[Frame, Frame]


@dataclass(frozen=True, eq=False)
class Stack:
    """A frame in memory, and the part of it in which the heart lies.

    Attributes:
        frame: Whose it is.
        image: All of it, as in the file.
        labels: Values 0 to 3, uint8, shape of the image; None without ground truth.
        region: Rows and columns of the part.
    """

    frame: Frame
    image: Image
    labels: npt.NDArray[np.uint8] | None
    region: tuple[slice, slice]

    @property
    def part(self) -> Image:
        """The part as an image of its own; its affine is that of the whole."""
        values = self.image.array[self.region]
        return replace(self.image, array=values, shape=values.shape)

    @property
    def part_labels(self) -> npt.NDArray[np.uint8] | None:
        """The labels of the part."""
        return None if self.labels is None else self.labels[self.region]

    def whole(self, values: Array) -> Array:
        """Values of the part, shape ``(*part)``, on the grid of the file; 0 elsewhere."""
        whole = np.zeros(self.image.array.shape, dtype=values.dtype)
        whole[self.region] = values
        return whole


def find_patients(folder: str | Path) -> list[Patient]:
    """The patients in ``training`` or ``testing``, by name.

    Raises:
        FileNotFoundError: If there is no such folder, or a patient has no Info.cfg or lacks a frame.
        ValueError: If there is no patient, Info.cfg does not say which frame is which, or a patient has the ground
            truth of one frame only.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    places = sorted(place for place in folder.glob("patient*") if place.is_dir())
    if not places:
        raise ValueError(f"{folder} must hold folders patient001, patient002, ..., as the ACDC challenge ships them")
    return [_patient(place) for place in places]


def read_patient(patient: Patient, *, side: float) -> tuple[Stack, Stack]:
    """Both phases of a patient, and where the heart is in them.

    Labels do not enter: the heart is where the two phases differ, see `heart_centre`.

    Args:
        patient: Of `find_patients`.
        side: Of the square part around the heart, in millimetres; where the image is smaller, all of it.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is damaged, no stack of slices or does not say how large its pixels are; the frames differ
            in shape; or a label has another shape than its image or other values than 0, 1, 2 and 3.
        ImportError: If nibabel or SciPy is missing.
    """
    read = [read_frame(frame) for frame in patient.frames]
    first, second = (image for image, _ in read)
    if first.array.shape != second.array.shape:
        raise ValueError(
            f"the frames of a patient must have one shape, got {first.array.shape} in {first.path} and "
            f"{second.array.shape} in {second.path}"
        )
    centre = heart_centre(first, second)
    ed, es = (
        Stack(frame, image, labels, _region(image, centre, side))
        for frame, (image, labels) in zip(patient.frames, read, strict=True)
    )
    return ed, es


def read_frame(frame: Frame) -> tuple[Image, npt.NDArray[np.uint8] | None]:
    """A stack with three axes, and its labels, if there are any, in the same shape.

    Raises:
        OSError, ValueError, ImportError: As `read_patient`.
    """
    image = _stack(frame)
    return image, _labels(frame, image)


def heart_centre(diastole: Image, systole: Image) -> tuple[float, float]:
    """Row and column about which the heart beats: where two phases differ, in all slices together.

    Absolute differences of the blurred phases are summed over the slices, blurred widely and weighted towards the
    centre of the image. The centre of gravity of what exceeds half of the maximum is taken.

    Args:
        diastole: A stack whose third axis runs from slice to slice.
        systole: Of the same shape.

    Raises:
        ImportError: If SciPy is missing.
    """
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise ImportError("finding the heart needs SciPy: pip install 'topoprior[metrics]'") from error
    sizes = np.array(_sizes(diastole))
    phases = [gaussian_filter(_brightness(image), (*_BLUR / sizes, 0)) for image in (diastole, systole)]
    change = gaussian_filter(np.abs(phases[0] - phases[1]).sum(SLICES), _SPREAD / sizes, mode="constant")
    middle = (np.array(change.shape) - 1) / 2
    rows, columns = np.indices(change.shape)
    distance = ((rows - middle[0]) * sizes[0]) ** 2 + ((columns - middle[1]) * sizes[1]) ** 2
    change = change * np.exp(-distance / (2 * _REACH**2))
    if not change.any():  # one phase, twice
        return float(middle[0]), float(middle[1])
    weights = np.where(change >= change.max() / 2, change, 0)
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())


def inside(stack: Stack, value: int = MYOCARDIUM) -> bool:
    """Whether all pixels with this label lie in the part around the heart.

    Raises:
        ValueError: If there are no labels.
    """
    if stack.labels is None or stack.part_labels is None:
        raise ValueError(f"{stack.frame.image} has no ground truth")
    return int((stack.labels == value).sum()) == int((stack.part_labels == value).sum())


def _patient(folder: Path) -> Patient:
    info = _info(folder / "Info.cfg")
    frames = []
    for phase in PHASES:
        number = info.get(phase, "")
        if not (number.isascii() and number.isdigit()):
            raise ValueError(f"{folder / 'Info.cfg'} must say which frame is {phase}, as in {phase}: 1, got {number!r}")
        image = folder / f"{folder.name}_frame{int(number):02d}.nii.gz"
        if not image.is_file():
            raise FileNotFoundError(f"{image} does not exist, though Info.cfg says that frame {number} is {phase}")
        label = image.with_name(image.name.replace(".nii.gz", "_gt.nii.gz"))
        frames.append(Frame(folder.name, phase, image, label if label.is_file() else None))
    ed, es = frames
    for frame, other in ((ed, es), (es, ed)):
        if frame.label is None and other.label is not None:
            raise FileNotFoundError(
                f"{frame.image} has no ground truth beside it, though {other.label.name} is there: a patient has both "
                "or none"
            )
    return Patient(folder.name, info.get("Group", ""), (ed, es))


def _info(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it says which frame is end-diastolic and which end-systolic")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error
    entries = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in entries if colon}


def _stack(frame: Frame) -> Image:
    image = read_image(frame.image)
    # A stack of one slice is read as two axes; its file has the third.
    image = replace(image, array=image.array.reshape(image.shape[:3])) if len(image.shape) >= 3 else image
    if image.array.ndim != 3:
        raise ValueError(f"{frame.image} must be a stack of slices with 3 axes, got shape {image.shape}")
    _sizes(image)
    return image


def _labels(frame: Frame, image: Image) -> npt.NDArray[np.uint8] | None:
    if frame.label is None:
        return None
    label = read_image(frame.label)
    if label.shape[:3] != image.shape[:3]:
        raise ValueError(
            f"an image and its label must have one shape, got {image.shape} in {image.path} and {label.shape} in "
            f"{label.path}"
        )
    strange = sorted(set(label_values(label)) - {0, *(value for values in CLASSES.values() for value in values)})
    if strange:
        raise ValueError(f"{label.path}: labels must be 0, 1, 2 or 3, got {', '.join(map(str, strange))}")
    return np.asarray(label.array, dtype=np.uint8).reshape(image.array.shape)


def _sizes(image: Image) -> Sequence[float]:
    """Millimetres from pixel to pixel in a slice."""
    if image.spacing is None:
        raise ValueError(f"{image.path} does not say how large its pixels are")
    return image.spacing[:2]


def _brightness(image: Image) -> npt.NDArray[np.float64]:
    """Intensities, of which most lie from 0 to 1, whatever the scanner made of them."""
    values = image.array.astype(np.float64)
    top = np.percentile(values, _BRIGHT)
    return np.clip(values / top, 0, 1.2) if top > 0 else np.zeros_like(values)


def _region(image: Image, centre: tuple[float, float], side: float) -> tuple[slice, slice]:
    """A square about the centre, moved to where it lies in the image; the whole axis where it is too short."""
    found = []
    for length, size, middle in zip(image.array.shape[:2], _sizes(image), centre, strict=True):
        wanted = min(length, max(1, int(side / size)))
        start = min(max(round(middle - (wanted - 1) / 2), 0), length - wanted)
        found.append(slice(start, start + wanted))
    return found[0], found[1]
