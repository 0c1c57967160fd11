"""From the grid of a file to the grid of a network, and back.

Forwards: cut into slices, resample to a spacing, crop about the centre, normalise, pad about the centre. Backwards, for
probabilities: the pad is cut off, what was cropped becomes background, and the rest is resampled to the file's own
grid. Pixels are taken as little squares, and both directions map the outer edges of the image onto each other
(``align_corners=False``), so an image comes back where it was; `scipy.ndimage.zoom` maps the centres of the outermost
pixels by default, which moves everything between by up to half a pixel.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from topoprior.imaging.image import Array, Image
from topoprior.imaging.networks import Normalisation, normalise

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How images of files become images for a network.

    Attributes:
        slices: Cut each image into slices along this axis of the file, 0, 1 or 2; none takes it whole.
        spacing: Resample to so many millimetres from pixel to pixel, one number for each axis of a slice (or of the
            whole image, if it is not cut); none leaves the pixels as they are.
        size: Then crop or pad about the centre to so many pixels along each axis; none leaves the size as it is.
        normalisation: Intensities of each slice (or whole image) after that. standard: mean 0 and standard deviation
            1; minmax: from 0 to 1; none: as they are.

    Raises:
        ValueError: If a value is out of its range.

    Examples:
        >>> from pathlib import Path
        >>> image = Image(np.arange(12.0).reshape(3, 4), Path("a.npy"), shape=(3, 4))
        >>> prepared = Preparation(size=(2, 6), normalisation="none").prepare(image)
        >>> prepared[0]
        array([[0., 0., 1., 2., 3., 0.],
               [0., 4., 5., 6., 7., 0.]], dtype=float32)
    """

    slices: int | None = None
    spacing: tuple[float, ...] | None = None
    size: tuple[int, ...] | None = None
    normalisation: Literal["none", "standard", "minmax"] = "standard"

    def __post_init__(self) -> None:
        if self.slices is not None and self.slices not in (0, 1, 2):
            raise ValueError(f"slices must be an axis, 0, 1 or 2, got {self.slices}")
        if self.spacing is not None and not (
            1 <= len(self.spacing) <= 3 and all(0 < one < math.inf for one in self.spacing)
        ):
            raise ValueError(f"spacing must be 1 to 3 numbers greater than 0, got {list(self.spacing)}")
        if self.size is not None and not (1 <= len(self.size) <= 3 and all(side >= 1 for side in self.size)):
            raise ValueError(f"size must be 1 to 3 whole numbers from 1, got {list(self.size)}")
        if self.spacing is not None and self.size is not None and len(self.spacing) != len(self.size):
            raise ValueError(
                f"spacing and size must have a number for each axis both, got {len(self.spacing)} and {len(self.size)}"
            )
        if self.normalisation not in get_args(Normalisation):
            raise ValueError(f"normalisation must be none, standard or minmax, got {self.normalisation!r}")

    def prepare(self, image: Image) -> npt.NDArray[np.float32]:
        """The intensities of an image as a network sees them.

        What is added by padding is as dark as the darkest pixel of its slice.

        Returns:
            Shape ``(slices, *spatial)``; one slice if images are taken whole.

        Raises:
            ValueError: If the image cannot be cut so, has another number of axes than ``spacing`` or ``size``, or is to
                be resampled and does not say how large its pixels are.
        """
        parts = torch.from_numpy(np.ascontiguousarray(image.cut(image.intensity(), self.slices)))[:, None]
        kept = self._crop(_resample(parts, self._resampled(image), label=False))
        kept = normalise(kept, self.normalisation)
        darkest = kept.flatten(1).amin(1).view(-1, *[1] * (kept.ndim - 1))
        padded = self._pad(kept - darkest) + darkest
        return padded[:, 0].numpy()

    def prepare_labels(self, labels: npt.NDArray[np.uint8], image: Image) -> npt.NDArray[np.uint8]:
        """Classes of an image's pixels, taken along: nearest neighbour, and background where padded.

        Args:
            labels: Shape of ``image.array``.
            image: The image that they belong to, whose geometry counts.

        Returns:
            Shape as :meth:`prepare` gives.

        Raises:
            ValueError: As :meth:`prepare`.
        """
        parts = torch.from_numpy(np.ascontiguousarray(image.cut(labels, self.slices)))[:, None]
        prepared = self._pad(self._crop(_resample(parts, self._resampled(image), label=True)))
        return prepared[:, 0].numpy()

    def restore(self, probabilities: Array, image: Image) -> npt.NDArray[np.float32]:
        """Probabilities of a prepared image on the grid of the file: linear, and 0 where the image was cropped.

        Args:
            probabilities: Shape ``(slices, channel, *spatial)``, the spatial sides those of :meth:`prepare`.
            image: The image that was prepared.

        Returns:
            Shape ``(channel, *image.array.shape)``.

        Raises:
            ValueError: If the slices or sides are not those of the prepared image, or as :meth:`prepare`.
        """
        back = self.restorer(image)
        count = 1 if self.slices is None else image.cut(image.array, self.slices).shape[0]
        wanted = (count, *back.prepared)
        values = torch.from_numpy(np.ascontiguousarray(probabilities, dtype=np.float32))
        if values.ndim != 2 + len(back.own) or values.shape[:1] + values.shape[2:] != wanted:
            raise ValueError(
                f"{image.path}: its prepared slices have shape {wanted}, with the channels as second axis, "
                f"got {tuple(values.shape)}"
            )
        values = back(values)
        return np.stack([image.join(values[:, channel].numpy(), self.slices) for channel in range(values.shape[1])])

    def restorer(self, image: Image) -> "Restorer":
        """The same for tensors, and for some of the slices of an image: differentiable.

        Raises:
            ValueError: As :meth:`prepare`.
        """
        resampled = self._resampled(image)
        return Restorer(self.size or resampled, resampled, self._part_shape(image))

    def spacing_of(self, image: Image) -> tuple[float, ...] | None:
        """Millimetres from pixel to pixel of the prepared image; None if neither it nor the file says.

        The number of pixels is rounded, so this is ``spacing`` up to half a pixel over the whole image.
        """
        own = self._own_spacing(image)
        if own is None:
            return None
        shape = self._part_shape(image)
        return tuple(mm * n / m for mm, n, m in zip(own, shape, self._resampled(image), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON knows it; :meth:`from_dict` is the inverse.

        Examples:
            >>> Preparation(slices=2, size=(80, 80)).as_dict()
            {'slices': 2, 'spacing': None, 'size': [80, 80], 'normalisation': 'standard'}
        """
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Preparation":
        """The preparation that :meth:`as_dict` described.

        Raises:
            ValueError: If an entry is unknown or out of its range.

        Examples:
            >>> Preparation.from_dict({"size": [80, 80]}).size
            (80, 80)
        """
        unknown = set(content) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a preparation has no {', '.join(sorted(unknown))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**values)

    def _part_shape(self, image: Image) -> tuple[int, ...]:
        """The sides of a slice on the file's own grid, checked against ``spacing`` and ``size``."""
        shape = image.cut(image.array, self.slices).shape[1:]
        for name, value in (("spacing", self.spacing), ("size", self.size)):
            if value is not None and len(value) != len(shape):
                whole = "the image" if self.slices is None else "a slice"
                raise ValueError(
                    f"{image.path}: {name} must have one number for each axis of {whole}, which has shape {shape}, "
                    f"got {list(value)}"
                )
        return shape

    def _own_spacing(self, image: Image) -> tuple[float, ...] | None:
        """Millimetres from pixel to pixel of a slice on the file's own grid."""
        if image.spacing is None:
            return None
        along = list(image.spacing)
        if self.slices is not None:
            del along[self.slices]
        return tuple(along[: len(self._part_shape(image))])

    def _resampled(self, image: Image) -> tuple[int, ...]:
        """The sides of a slice after resampling."""
        shape = self._part_shape(image)
        if self.spacing is None:
            return shape
        own = self._own_spacing(image)
        if own is None:
            raise ValueError(
                f"{image.path}: its pixels have no size in millimetres, so it cannot be resampled to a spacing of "
                f"{list(self.spacing)}; leave the spacing out"
            )
        return tuple(max(1, round(n * mm / to)) for n, mm, to in zip(shape, own, self.spacing, strict=True))

    def _crop(self, parts: Tensor) -> Tensor:
        if self.size is None:
            return parts
        return _centred(parts, [min(n, side) for n, side in zip(parts.shape[2:], self.size, strict=True)])

    def _pad(self, parts: Tensor) -> Tensor:
        return parts if self.size is None else _centred(parts, self.size)


@dataclass(frozen=True)
class Restorer:
    """From the grid of a network back to the slices of one file, for tensors.

    Attributes:
        prepared: The sides that the network sees.
        resampled: The sides before cropping and padding.
        own: The sides in the file.

    Examples:
        >>> Restorer((4,), (2,), (3,))(torch.tensor([[[9.0, 1.0, 0.0, 9.0]]]))  # cropped to [1, 0], then resampled
        tensor([[[1.0000, 0.5000, 0.0000]]])
    """

    prepared: tuple[int, ...]
    resampled: tuple[int, ...]
    own: tuple[int, ...]

    def __call__(self, values: Tensor) -> Tensor:
        """Shape ``(batch, channel, *prepared)`` to ``(batch, channel, *own)``; 0 where the image was cropped."""
        return _resample(_centred(values, self.resampled), self.own, label=False)


def _resample(values: Tensor, shape: tuple[int, ...], *, label: bool) -> Tensor:
    """``(batch, channel, *spatial)`` to other sides; labels keep their dtype and values."""
    if values.shape[2:] == shape:
        return values
    if label:
        return F.interpolate(values.float(), shape, mode="nearest-exact").to(values.dtype)
    return F.interpolate(values, shape, mode=_LINEAR[len(shape)], align_corners=False)


def _centred(values: Tensor, shape: tuple[int, ...] | list[int]) -> Tensor:
    """Cropped, or padded with 0, about the centre; going from n to m pixels and back to n returns to the same place.

    The centre of n pixels is pixel n // 2 in both directions: that makes them inverse for both parities.
    """
    widths = []
    for n, m in zip(reversed(values.shape[2:]), reversed(shape), strict=True):
        before = m // 2 - n // 2
        widths += [before, m - n - before]
    return F.pad(values, widths)
