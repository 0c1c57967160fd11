"""One label file, counted: what a job of ``audit`` does, and how its labels are read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topoprior.cli.arguments.stated_priors import BACKGROUND
from topoprior.evaluation.connectivity import SETTINGS, Setting
from topoprior.evaluation.label_topology import label_topology
from topoprior.imaging.datasets.classes import Classes, class_numbers, find_classes, label_values
from topoprior.imaging.datasets.settings import check_classes
from topoprior.imaging.image import Image
from topoprior.imaging.io import read_image
from topoprior.priors.audit import Audit, Numbers, Union, unions_of

FOREGROUND = "foreground"  # the class of maps that are cut at a threshold
_MOST_CLASSES = 64  # of a file whose classes were not named: more are gray values
_MOST_UNIONS = 250


@dataclass(frozen=True, eq=False)
class Counted:
    """What a file holds.

    Attributes:
        axes: Of each case.
        values: In the file, besides 0.
        cases: For each slice, or the file as a whole, each of its unions ("MYO+LV") to its Betti numbers under the four
            settings, in their order.
    """

    axes: int
    values: list[int]
    cases: list[dict[str, list[list[int]]]]

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it; ``Counted(**dictionary)`` is the inverse."""
        return asdict(self)


@dataclass(frozen=True)
class LabelCounter:
    """Reads and counts label files.

    Attributes:
        classes: Name of each class to its values; None: every value is a class, named by its number.
        threshold: Where maps are cut; None for labels.
        slices: The axis along which files are cut, or None.
        largest: How many classes the unions have at most; None: as many as there are axes, so that all contacts count.
    """

    classes: Classes | None
    threshold: float | None
    slices: int | None
    largest: int | None

    def __call__(self, path: Path) -> Counted:
        """Count a file.

        Raises:
            OSError, ValueError, ImportError: If it cannot be read.
            ValueError: If it holds no labels, or too many.
        """
        image = read_image(path)
        numbers, names = self.read(image)
        stack = image.cut(numbers, self.slices)
        axes = stack.ndim - 1
        unions = _named_unions(names, largest=self.largest or axes)
        cases: list[dict[str, list[list[int]]]] = [{} for _ in stack]
        for union, found in label_topology(stack, unions).items():
            name = unions[union]
            for index, settings in found.items():
                cases[index][name] = [list(settings[setting]) for setting in SETTINGS]
        values = [] if self.threshold is not None else [value for value in label_values(image) if value]
        return Counted(axes, values, cases)

    def read(self, image: Image) -> tuple[npt.NDArray[np.uint8], list[str]]:
        """The number of the class of each pixel, 0 for none, and the names of the classes 1, 2, ...

        Raises:
            ValueError: If the file holds no labels, or too many.
        """
        if self.threshold is not None:
            return image.foreground(threshold=self.threshold)[0].astype(np.uint8), [FOREGROUND]
        classes = self.classes
        if classes is None:
            classes = {str(value): (value,) for value in _values(image) if value}
        return class_numbers(image, classes), list(classes)


def _values(image: Image) -> list[int]:
    try:
        values = label_values(image)
    except ValueError as error:
        raise ValueError(f"{error}; to cut a probability map give --threshold") from error
    if len(values) > _MOST_CLASSES:
        raise ValueError(
            f"{image.path} holds {len(values)} different values, from {values[0]} to {values[-1]}: for a label map "
            "name its --classes, to cut an image of gray values give --threshold"
        )
    return values


def _named_unions(names: Sequence[str], *, largest: int) -> dict[Union, str]:
    unions = unions_of(range(1, len(names) + 1), largest=min(largest, len(names)))
    if len(unions) > _MOST_UNIONS:
        raise ValueError(
            f"{len(names)} classes have {len(unions)} unions of up to {largest}, more than {_MOST_UNIONS}: choose some "
            "with --classes, or smaller ones with --unions"
        )
    return {union: "+".join(names[each - 1] for each in union) for union in unions}


def stated_classes(words: Sequence[str] | None, folder: Path) -> Classes | None:
    """What ``--classes`` says: ``2``, ``MYO=2`` or ``whole=1,2``; or else nnU-Net's dataset.json beside the folder.

    Raises:
        ValueError: If a word is not of this form, or two name one class or value.

    Examples:
        >>> stated_classes(["MYO=2", "3"], Path())
        {'MYO': (2,), '3': (3,)}
    """
    if not words:
        described = (folder.parent / "dataset.json").is_file()
        return find_classes(None, images=folder, labels=[]) if described else None
    classes: dict[str, tuple[int, ...]] = {}
    for word in words:
        name, _, values = word.rpartition("=")
        name = name.strip() or values.strip()
        try:
            numbers = tuple(int(value) for value in values.split(","))
        except ValueError:
            raise ValueError(f"--classes must be a label or NAME=LABEL, such as MYO=2, got {word!r}") from None
        if set(name) & set("+;="):
            raise ValueError(f"the name of a class must be without +, ; and =, got {word!r}")
        if name in classes or name == BACKGROUND:
            raise ValueError(f"--classes must have different names, and none {BACKGROUND!r}, got {name!r} again")
        classes[name] = numbers
    check_classes(classes)
    return classes


def audits(
    counted: dict[str, Counted], names: Sequence[str], *, slices: int | None, largest: int | None
) -> dict[Setting, Audit]:
    """All that was counted, under each setting.

    Args:
        counted: Path of each file to what it holds; at least one, all with the same number of axes.
        names: Of the classes.
        slices: The axis along which files were cut, or None.
        largest: How many classes the unions have at most.
    """
    axes = next(iter(counted.values())).axes
    unions = {name: union for union, name in _named_unions(names, largest=largest or axes).items()}
    cases = {
        case_name(file, None if slices is None else index): case
        for file, of_file in counted.items()
        for index, case in enumerate(of_file.cases)
    }
    found: dict[Setting, Audit] = {}
    for position, setting in enumerate(SETTINGS):
        numbers: dict[Union, dict[str, Numbers]] = {union: {} for union in unions.values()}
        for case, of_case in cases.items():
            for name, settings in of_case.items():
                numbers[unions[name]][case] = tuple(settings[position])
        found[setting] = Audit((BACKGROUND, *names), tuple(cases), numbers, *setting)
    return found


def case_name(file: str, index: int | None) -> str:
    """What the tables call a slice, or a file that is not cut.

    Examples:
        >>> case_name("a.nii.gz", 3)
        'a.nii.gz, slice 3'
    """
    return file if index is None else f"{file}, slice {index}"
