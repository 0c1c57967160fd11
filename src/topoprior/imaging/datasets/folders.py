"""The images of a folder in memory: prepared, with their labels as class numbers and their priors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from topoprior.imaging.datasets.classes import Classes, class_numbers, label_values
from topoprior.imaging.datasets.pairs import ImageFiles
from topoprior.imaging.datasets.priors import CasePriors
from topoprior.imaging.image import Image
from topoprior.imaging.io import read_image
from topoprior.imaging.preparation import Preparation
from topoprior.training.cases import Cases

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors

# Files that differ less than this in their spacing count as alike: headers hold rounded numbers.
_SAME_SPACING = 0.01


@dataclass(frozen=True, eq=False)
class _Prepared:
    """One image file after preparation: ``images`` is ``(slices, channel, *spatial)``, ``labels`` without channel."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8] | None
    spacing: tuple[float, ...] | None
    values: frozenset[int]


def load_cases(
    files: Sequence[ImageFiles],
    *,
    preparation: Preparation,
    classes: Classes | None = None,
    priors: CasePriors | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Cases:
    """Read and prepare images that belong together.

    Args:
        files: At least one.
        preparation: What they go through; with ``slices`` each slice becomes a case.
        classes: What the values of the labels mean; None if the images have no labels or they do not matter.
        priors: Of the classes; None for none.
        advance: Called after each file.

    Returns:
        The cases, in the order of the files and slices. Their spacing is that of the files, 1 where they do not say or
        do not agree.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is broken, the shapes in a pair or among the channels differ, labels have fractions, the
            prepared images differ in shape, a class occurs in none of them, or a table of priors lacks a row.
        ImportError: If the library of a format is missing.
    """
    images: list[npt.NDArray[np.float32]] = []
    labels: list[npt.NDArray[np.uint8] | None] = []
    names: list[str] = []
    wanted: list[tuple[BettiPrior, ...] | ClassPriors] = []
    spacings: list[tuple[float, ...] | None] = []
    found: set[int] = set()
    for one in files:
        prepared = _read(one, preparation, classes)
        if images and prepared.images.shape[1:] != images[0].shape[1:]:
            _refuse_shapes(files[0], images[0].shape[1:], one, prepared.images.shape[1:])
        images.append(prepared.images)
        labels.append(prepared.labels)
        spacings.append(prepared.spacing)
        found |= prepared.values
        for index in range(len(prepared.images)):
            slice_index = None if preparation.slices is None else index
            names.append(one.name if slice_index is None else f"{one.name}, slice {index}")
            if priors is not None:
                axes = prepared.images.ndim - 2
                wanted.append(priors.of(one.path, slice_index=slice_index, axes=axes))
        advance()
    if priors is not None and preparation.slices is not None:
        for table in priors.tables:
            table.check_slices({one.path: len(part) for one, part in zip(files, images, strict=True)})
    numbers = [label for label in labels if label is not None]
    if classes is not None:
        _check_occurrence(np.concatenate(numbers), classes, found, files)
    return Cases(
        torch.from_numpy(np.concatenate(images)),
        torch.from_numpy(np.concatenate(numbers)) if classes is not None else None,
        tuple(names),
        tuple(wanted) if priors is not None else None,
        _common(spacings) or (),
    )


def read_channels(files: ImageFiles) -> list[Image]:
    """The channels of an image.

    Raises:
        OSError, ValueError, ImportError: As :func:`topoprior.imaging.io.read_image`.
        ValueError: If they differ in shape.
    """
    channels = [read_image(path) for path in files.channels]
    for channel in channels[1:]:
        if channel.array.shape != channels[0].array.shape:
            raise ValueError(
                f"the channels of an image must have one shape, got {channels[0].array.shape} in {channels[0].path} "
                f"and {channel.array.shape} in {channel.path}"
            )
    return channels


def _read(files: ImageFiles, preparation: Preparation, classes: Classes | None) -> _Prepared:
    channels = read_channels(files)
    image = channels[0]
    prepared = np.stack([preparation.prepare(channel) for channel in channels], axis=1)
    if classes is None:
        return _Prepared(prepared, None, preparation.spacing_of(image), frozenset())
    if files.label is None:
        raise ValueError(f"{image.path} has no label")
    label = read_image(files.label)
    if label.array.shape != image.array.shape:
        raise ValueError(
            f"an image and its label must have one shape, got {image.array.shape} in {image.path} and "
            f"{label.array.shape} in {label.path}"
        )
    numbers = preparation.prepare_labels(class_numbers(label, classes), image)
    return _Prepared(prepared, numbers, preparation.spacing_of(image), frozenset(label_values(label)))


def _refuse_shapes(first: ImageFiles, shape: tuple[int, ...], second: ImageFiles, other: tuple[int, ...]) -> None:
    if shape[0] != other[0]:
        raise ValueError(
            f"images must have the same channels, got {shape[0]} of {first.name}, {other[0]} of {second.name}"
        )
    common = _smallest(shape[1:], other[1:])
    raise ValueError(
        f"images must have one shape to be trained on together, got {shape[1:]} of {first.path} and {other[1:]} of "
        f"{second.path}: give preparation.size, to which all are cropped or padded, such as {common}"
    )


def _smallest(*sides: tuple[int, ...]) -> list[int]:
    return [min(along) for along in zip(*sides, strict=False)]


def _check_occurrence(
    numbers: npt.NDArray[np.uint8], classes: Classes, found: set[int], files: Sequence[ImageFiles]
) -> None:
    """Refuse classes without a single pixel: nothing could be learned of them."""
    present = set(np.unique(numbers).tolist())
    for number, (name, values) in enumerate(classes.items(), start=1):
        if number in present:
            continue
        label = " or ".join(map(str, values))
        where = f"{len(files)} labels, from {files[0].label} to {files[-1].label}"
        if found.isdisjoint(values):
            listed = ", ".join(map(str, sorted(found)))
            raise ValueError(f"the class {name!r} (label {label}) occurs in none of the {where}: they hold {listed}")
        raise ValueError(f"the class {name!r} (label {label}) is cropped away by the size in all of the {where}")


def _common(spacings: Sequence[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    """The spacing of all files, or None."""
    first = spacings[0]
    if first is None:
        return None
    for other in spacings[1:]:
        if other is None or any(abs(a - b) > _SAME_SPACING * a for a, b in zip(first, other, strict=True)):
            return None
    return tuple(round(mm, 6) for mm in first)
