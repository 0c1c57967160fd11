"""What the numbers of an image file mean: labels, probabilities, or intensities.

A file holds numbers; a command needs a mask, a probability map or an image for a network. Each of the three readings
is one method of :class:`Image`, with one rule each, and an error where the numbers do not fit the reading:

========================  =================================  ============================================
stored as                 ``foreground`` (a mask)            ``probability``
========================  =================================  ============================================
bool                      as it is                           refused: nothing to refine in a mask
integers, NIfTI and NPY   0 and one other value, or a label  refused
floating point            ``>= threshold``                   as it is, in [0, 1]
gray values, PNG          0 and one other value, a label,    gray value / 255 (8 bit) or / 65535 (16 bit)
                          or ``>= threshold`` of the scaled
========================  =================================  ============================================
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

# Integers times a scale kept in single precision, as in NIfTI, overshoot 1 by some 1e-7: rounding, not a logit.
_ROUNDING = 1e-6
# Gray values up to this one are taken for the labels of a label map: as probabilities they would all be near 0.
_LARGEST_SMALL_LABEL = 16
_LABELS_NAMED_IN_ERRORS = 10


@dataclass(frozen=True, eq=False)
class Image:
    """An image as stored in a file, with the geometry needed to write a mask beside it.

    Attributes:
        array: The values, spatial axes only: 1 to 3 of them, finite, at least one pixel. NIfTI arrays keep the
            file's axis order (i, j, k); PNG arrays are (row, column).
        path: Where it was read.
        shape: The shape in the file, which may have more axes of size 1 at its end than ``array``.
        affine: Voxel indices to millimetres, shape (4, 4); None for PNG and NPY.
        header: The NIfTI header, or None.
        full_scale: The gray value that stands for 1 (PNG: 255 or 65535), or None.
    """

    array: Array
    path: Path
    shape: tuple[int, ...]
    affine: Array | None = None
    header: Any = None
    full_scale: int | None = None

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Millimetres from pixel to pixel along each axis of ``shape``, three at most; None if the file does not say.

        These are the header's pixel sizes (pixdim), not the lengths of the affine's columns. Where the two differ the
        sizes are the ones to trust: the images of the ACDC challenge have an affine of ones beside them.
        """
        if self.header is None:
            return None
        unit = {"meter": 1000.0, "micron": 0.001}.get(self.header.get_xyzt_units()[0], 1.0)
        # Decimal digits of single precision: 1.4 in a file is 1.4, not 1.3999999762.
        sizes = tuple(round(float(size) * unit, 6) for size in self.header.get_zooms()[:3])
        return sizes if min(sizes) > 0 and np.isfinite(sizes).all() else None

    def probability(self, *, activation: str | None = None) -> npt.NDArray[np.floating[Any]]:
        """The values as a probability map: floating point in [0, 1].

        Args:
            activation: ``"sigmoid"`` if the file holds logits; None if it holds probabilities.

        Raises:
            ValueError: If the values are integers or booleans (other than a PNG's gray values), or outside [0, 1].
        """
        if activation not in (None, "sigmoid"):
            raise ValueError(f"activation of a map must be 'sigmoid' or None, got {activation!r}")
        if activation is not None:
            if self.array.dtype.kind != "f":
                raise ValueError(f"{self.path}: logits must be floating point, got {self.array.dtype} values")
            return np.asarray(0.5 + 0.5 * np.tanh(self.array / 2))  # the sigmoid, without its overflow
        if self.full_scale is not None:
            return (self.array / self.full_scale).astype(np.float32)
        if self.array.dtype.kind != "f":
            raise ValueError(
                f"{self.path}: a probability map has floating-point values in [0, 1], got {self.array.dtype} "
                f"values from {self.array.min()} to {self.array.max()} (a mask, a label map or an image?)"
            )
        low, high = float(self.array.min()), float(self.array.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ValueError(
                f"{self.path}: probabilities must lie in [0, 1], got values from {low:.6g} to {high:.6g} "
                "(logits? barcode and refine take them with --activation sigmoid)"
            )
        return np.clip(self.array, 0, 1)

    def foreground(self, *, threshold: float | None = None, label: int | None = None) -> tuple[Mask, str]:
        """The values as a mask, and the rule that made it, in words.

        Args:
            threshold: Probabilities at or above it are foreground; None means 0.5.
            label: Exactly this value is foreground.

        Raises:
            ValueError: If the file holds several labels and ``label`` is None, or does not fit either reading, or if
                both ``threshold`` and ``label`` are given.
        """
        if label is not None and threshold is not None:
            raise ValueError(f"a label map has no threshold: choose label {label} or threshold {threshold}, not both")
        if label is not None:
            return self._label(label)
        labels = self._labels()
        if labels is None or (self.array.dtype.kind == "f" and self.array.min() >= 0 and self.array.max() <= 1):
            return self._above(self.probability(), threshold)
        if len(labels) <= 1:
            return self.array != 0, "not 0"
        if self.full_scale is not None and (threshold is not None or self.array.max() > _LARGEST_SMALL_LABEL):
            return self._above(self.probability(), threshold)
        raise ValueError(
            f"{self.path}: a mask has 0 and one other value, got the labels {_list(labels)}; choose one with --label"
        )

    def _above(self, probability: Array, threshold: float | None) -> tuple[Mask, str]:
        threshold = 0.5 if threshold is None else threshold
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be greater than 0 and at most 1, got {threshold}")
        return probability >= threshold, f"value >= {threshold:g}"

    def _label(self, label: int) -> tuple[Mask, str]:
        if self._labels() is None:
            raise ValueError(f"{self.path}: a label map has whole numbers, got {self.array.dtype} fractions")
        return self.array == label, f"label {label}"

    def _labels(self) -> Array | None:
        """The different values other than 0, rising; None if some are no whole numbers."""
        values: Array = np.unique(self.array)
        if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
            return None
        labels: Array = values[values != 0]
        return labels

    def intensity(self) -> npt.NDArray[np.float32]:
        """The values as an image for a network: float32, PNG gray values scaled to [0, 1], others as they are."""
        scale = 1 if self.full_scale is None else self.full_scale
        return np.asarray(self.array / scale, dtype=np.float32)

    def cut(self, values: Array, axis: int | None) -> Array:
        """Values of this image as a stack of slices.

        Args:
            values: Shape of ``array``.
            axis: Slice i has index i along it; None takes the image whole, as the only slice. Axes of size 1 that the
                file has at its end count, up to the third: a stack may have one slice.

        Returns:
            Shape ``(slices, *slice)``.

        Raises:
            ValueError: If the image has no such axis, or only one axis.
        """
        if axis is None:
            return values[None]
        return np.moveaxis(values.reshape(self._stack_shape(axis)), axis, 0)

    def join(self, slices: Array, axis: int | None) -> Array:
        """The inverse of :meth:`cut`: slices of shape ``(slices, *slice)`` as one array in the shape of ``array``."""
        joined = slices[0] if axis is None else np.moveaxis(slices, 0, axis)
        return joined.reshape(self.array.shape)

    def _stack_shape(self, axis: int) -> tuple[int, ...]:
        shape = self.shape[:3]
        if len(shape) < 2 or not 0 <= axis < len(shape):
            raise ValueError(
                f"{self.path}: slices run along one of the axes 0 to {len(shape) - 1} of an image with 2 or 3 axes, "
                f"got axis {axis} for shape {self.shape}"
            )
        return shape


def _list(labels: Array) -> str:
    named = ", ".join(f"{label:g}" for label in labels[:_LABELS_NAMED_IN_ERRORS])
    more = len(labels) - _LABELS_NAMED_IN_ERRORS
    return f"{named} and {more} more" if more > 0 else named
