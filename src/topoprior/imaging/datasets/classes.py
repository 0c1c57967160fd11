"""What the values in label maps mean: from the values to class numbers and back."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from topoprior.imaging.datasets.settings import check_classes
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image

Classes = Mapping[str, tuple[int, ...]]
"""Name to the values in the labels that mean it. Class number k, from 1, is the k-th of them; all else is 0."""


def find_classes(stated: Classes | None, *, images: str | Path, labels: Iterable[Path]) -> Classes:
    """The classes that a user stated, or those of nnU-Net's dataset.json, or else the one value besides 0.

    Args:
        stated: From the configuration; None if it says nothing.
        images: The folder of the images; dataset.json is beside it.
        labels: The label files.

    Raises:
        ValueError: If nothing was stated and dataset.json is damaged or has overlapping regions or an ignored label,
            or, without a dataset.json, the labels have no value or several values besides 0.
    """
    if stated is not None:
        check_classes(dict(stated))
        return stated
    description = Path(images).parent / "dataset.json"
    if description.is_file():
        return _described(description)
    values = sorted({value for path in labels for value in label_values(read_image(path))} - {0})
    if len(values) != 1:
        found = f"the values {', '.join(map(str, values))}" if values else "no value"
        raise ValueError(f"labels hold {found} besides 0: say which classes to learn, as in classes: {{name: 2}}")
    return {"foreground": (values[0],)}


def class_numbers(label: Image, classes: Classes) -> npt.NDArray[np.uint8]:
    """A label map with the number of the class, from 1, instead of its value; all other values are 0.

    Raises:
        ValueError: If the label map has fractions.

    Examples:
        >>> label = Image(np.array([[0, 3, 7]]), Path("a.npy"), shape=(1, 3))
        >>> class_numbers(label, {"a": (7,), "b": (3, 5)})
        array([[0, 2, 1]], dtype=uint8)
    """
    label_values(label)
    numbers = np.zeros(label.array.shape, dtype=np.uint8)
    for number, values in enumerate(classes.values(), start=1):
        numbers[np.isin(label.array, values)] = number
    return numbers


def class_values(numbers: Array, classes: Classes) -> npt.NDArray[np.uint8]:
    """The inverse: the value of each class, the first if several mean it.

    Raises:
        ValueError: If a value does not fit into 8 bits.

    Examples:
        >>> class_values(np.array([[0, 2, 1]]), {"a": (7,), "b": (3, 5)})
        array([[0, 3, 7]], dtype=uint8)
    """
    values = [0, *(values[0] for values in classes.values())]
    if max(values) > 255:
        raise ValueError(f"masks have values up to 255, got a class with the value {max(values)}")
    restored: npt.NDArray[np.uint8] = np.array(values, dtype=np.uint8)[numbers]
    return restored


def label_values(label: Image) -> list[int]:
    """The different values of a label map, rising.

    Raises:
        ValueError: If some are fractions.
    """
    values: Array = np.unique(label.array)
    if not np.array_equal(values, np.rint(values)):
        wrong = values[values != np.rint(values)][0]
        raise ValueError(f"{label.path}: labels must be whole numbers, got {wrong:g}")
    return [int(value) for value in values]


def _described(path: Path) -> Classes:
    """What dataset.json says, in nnU-Net's own form (name to value) or that of the Decathlon (value to name)."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))["labels"]
        if all(str(key).isdigit() for key in stated):
            stated = {name: int(value) for value, name in stated.items()}
        classes = {
            str(name): tuple(map(int, value)) if isinstance(value, list) else (int(value),)
            for name, value in stated.items()
        }
        if "ignore" in classes:
            raise ValueError("it has pixels to ignore, which are not known here; to take them as background")
        classes = {name: values for name, values in classes.items() if values != (0,)}
        check_classes(classes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"the labels of {path} do not tell the classes: {reason}; give classes yourself") from error
    return classes
