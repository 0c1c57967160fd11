"""Probabilities of several classes in one file: an image with one more axis, that of the channels.

===========  ==================================  =====================================
file         shape                               channel axis, if nobody says otherwise
===========  ==================================  =====================================
NPY          ``(class, *spatial)``               the first, as in numpy and torch
NIfTI        ``(x, y, z, class)``, also          the last, as in nibabel; an image has
             ``(x, y, z, 1, class)``             ``z = 1``
===========  ==================================  =====================================

A PNG holds one channel only. Channels sum to 1 in each pixel. Sums within 0.01 of it are put right: files keep
probabilities rounded, such as whole numbers times a slope.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import ending, read_values, without_trailing_ones, write_probability

_ROUNDING = 0.01


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Probabilities of classes, and the image that a label map beside them is.

    Attributes:
        image: The spatial axes with the geometry of the file; its values are those of the first channel.
        probability: Floating point, shape ``(class, *spatial)``; sums to 1 over the classes.
    """

    image: Image
    probability: npt.NDArray[np.floating[Any]]


def read_class_map(
    path: str | Path, classes: int, *, axis: int | None = None, activation: Literal["softmax"] | None = None
) -> ClassMap:
    """Read probabilities of classes.

    Args:
        path: NIfTI or NPY.
        classes: How many channels there must be.
        axis: That of the channels in the file; None for the usual one, see above.
        activation: ``"softmax"`` if the file holds logits.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As :func:`topoprior.imaging.io.read_image`; or if there is no such axis, the channels are more or
            fewer, or are no softmax.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "map.npy"
        >>> np.save(path, np.full((2, 4, 5), 0.5))
        >>> read_class_map(path, 2).probability.shape
        (2, 4, 5)
    """
    path = Path(path)
    if ending(path) == ".png":
        raise ValueError(f"{path}: a PNG holds one channel: probabilities of {classes} classes come as NIfTI or NPY")
    whole = read_values(path, axes=5)
    place = _default_axis(path, len(whole.shape)) if axis is None else axis
    if not -len(whole.shape) <= place < len(whole.shape) or len(whole.shape) < 2:
        raise ValueError(f"{path}: there is no channel axis {place} in a file of shape {whole.shape}")
    if whole.shape[place] != classes:
        raise ValueError(
            f"{path}: its channel axis {place} must have {classes} channels, one for each class, got "
            f"{whole.shape[place]} for shape {whole.shape}; name the classes with --classes, and another axis with "
            "--channel-axis"
        )
    channels = np.moveaxis(whole.array.reshape(whole.shape), place, 0)
    shape = channels.shape[1:]
    spatial = without_trailing_ones(shape)
    if len(spatial) > 3:
        raise ValueError(f"{path}: it must have 1 to 3 spatial axes beside the channel axis {place}, got {shape}")
    values = channels.reshape(classes, *spatial)
    header = whole.header
    if header is not None:
        header = header.copy()
        header.set_intent("none")
    image = Image(values[0], path, shape=shape[:3] if len(shape) > 3 else shape, affine=whole.affine, header=header)
    return ClassMap(image, _softmax(values) if activation == "softmax" else _partition(values, image))


def write_class_map(
    path: str | Path, probability: Array, *, like: Image, axis: int | None = None, overwrite: bool = False
) -> None:
    """Write probabilities of classes as float32.

    Args:
        path: NIfTI or NPY.
        probability: Shape ``(class, *spatial)``.
        like: The image that it belongs to.
        axis: That of the channels; None for the usual one, see above.
        overwrite: Replace a file that exists.

    Raises:
        OSError, ValueError: As :func:`topoprior.imaging.io.write_probability`.
    """
    path = Path(path)
    check_class_format(path)
    spatial = like.shape if ending(path) == ".npy" else (*like.shape, 1, 1)[:3]
    whole = probability.reshape(len(probability), *spatial)
    values = np.moveaxis(whole, 0, _default_axis(path, whole.ndim) if axis is None else axis)
    write_probability(path, values, like=replace(like, shape=values.shape), overwrite=overwrite)


def check_class_format(path: Path) -> None:
    """Refuse an output format that cannot hold several channels.

    Raises:
        ValueError: If it is a PNG, or the ending is unknown.
    """
    if ending(path) == ".png":
        raise ValueError(f"{path}: a PNG holds one channel: probabilities of several classes go to .nii.gz or .npy")


def _default_axis(path: Path, axes: int) -> int:
    return 0 if ending(path) == ".npy" else axes - 1


def _softmax(logits: Array) -> npt.NDArray[np.floating[Any]]:
    powers = np.exp(logits - logits.max(0))
    return np.asarray(powers / powers.sum(0))


def _partition(values: Array, image: Image) -> npt.NDArray[np.floating[Any]]:
    probability = np.stack([replace(image, array=channel).probability() for channel in values])
    sums = probability.sum(0)
    worst = sums.flat[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _ROUNDING:
        raise ValueError(
            f"{image.path}: its channels must be a softmax, with a sum of 1 in every pixel, got a sum "
            f"of {worst:.4g} (logits? give --activation softmax)"
        )
    return np.asarray(probability / sums)
