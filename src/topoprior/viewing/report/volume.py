"""A volume in a page, to scroll through and to turn: image, masks before and after, label."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

_MOST_VOXELS = 600_000  # two bytes each go into the page, and a third more for their letters
_TOWARDS = ("L", "P", "I")  # the patient's left on the right, the back or the feet at the bottom, as in `View`


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume that a reader can scroll through along all three axes, and whose mask can be turned.

    All of it lies in the page: a byte per voxel for the image and one for the masks. Volumes of more than 600,000
    voxels are thinned: of each block one voxel is shown, so that fine bridges and holes may not be seen.

    Args:
        caption: Below it.
        image: What was segmented, three axes.
        before: Its mask before, boolean, same shape.
        after: Its mask after.
        target: The label, if known.
        affine: Voxel indices to millimetres, as in NIfTI; by it the planes are shown as radiologists are used to. None:
            as they are stored.
        spacing: Millimetres from voxel to voxel along each axis.

    Raises:
        ValueError: If the image has not three axes, or the shapes differ.

    Examples:
        >>> image = np.zeros((4, 5, 6))
        >>> volume = Volume("A plate", image, image > 1, image < 1, affine=np.diag([1.0, 1.0, 2.0, 1.0]))
        >>> volume.content()["shape"], volume.thinned
        ('4,5,6', 1)
    """

    caption: str
    image: Array
    before: Array
    after: Array
    target: Array | None = None
    affine: Array | None = None
    spacing: Sequence[float] = field(default=(1.0, 1.0, 1.0))

    def __post_init__(self) -> None:
        if self.image.ndim != 3:
            raise ValueError(f"image must have three axes, got shape {self.image.shape}")
        for name in ("before", "after", "target"):
            mask = getattr(self, name)
            if mask is not None and mask.shape != self.image.shape:
                raise ValueError(f"{name} must have the shape {self.image.shape} of the image, got {mask.shape}")
        if len(self.spacing) != 3 or min(self.spacing) <= 0:
            raise ValueError(f"spacing must be three positive numbers, got {tuple(self.spacing)}")

    @property
    def thinned(self) -> int:
        """Every how many voxels along each axis one is shown."""
        every = 1
        while np.prod([-(-side // every) for side in self.image.shape]) > _MOST_VOXELS:
            every += 1
        return every

    def content(self) -> dict[str, str]:
        """What the script reads, as text."""
        bits = self.before * np.uint8(1) + self.after * np.uint8(2)
        if self.target is not None:
            bits += self.target * np.uint8(4)
        every = (slice(None, None, self.thinned),) * 3
        (image, masks), spacing = _as_seen(
            [_grey(self.image)[every], bits[every]], self.affine, [self.thinned * one for one in self.spacing]
        )
        return {
            "shape": ",".join(map(str, image.shape)),
            "spacing": ",".join(f"{one:g}" for one in spacing),
            "image": _text(image),
            "masks": _text(masks),
            "start": ",".join(map(str, _middle(masks))),
            "labelled": "no" if self.target is None else "yes",
        }


def _grey(image: Array) -> Array:
    """Bytes; the brightest hundredth is white."""
    values = image.astype(np.float32)
    low, high = np.percentile(values, [0.5, 99.5])
    grey: Array = (255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8)
    return grey


def _as_seen(
    arrays: Sequence[Array], affine: Array | None, spacing: Sequence[float]
) -> tuple[list[Array], Sequence[float]]:
    """Axes that run to the patient's left, back and feet; as they are without an affine."""
    if affine is None:
        return list(arrays), spacing
    from nibabel import orientations

    change = orientations.ornt_transform(orientations.io_orientation(affine), orientations.axcodes2ornt(_TOWARDS))
    order = np.argsort(change[:, 0])  # axis k of the file becomes axis change[k, 0]
    return [orientations.apply_orientation(array, change) for array in arrays], [spacing[axis] for axis in order]


def _middle(masks: Array) -> list[int]:
    """Where to begin: amid what differs, or else amid the masks."""
    changed = (masks & 1) != (masks >> 1 & 1)
    places = np.argwhere(changed if changed.any() else masks > 0)
    if not len(places):
        return [side // 2 for side in masks.shape]
    centre = places.mean(axis=0)
    nearest = places[np.square(places - centre).sum(axis=1).argmin()]
    return [int(one) for one in nearest]


def _text(array: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).decode("ascii")
