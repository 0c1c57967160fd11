"""Morphological closing of a mask by a disk or a ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from topoprior.baselines.mask import as_mask

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Images

    Mask = NDArray[np.bool_]

_MOST_RADIUS = 1000  # the image grows by the radius on every side: more is a slip, not a shape


@dataclass(frozen=True)
class Closing:
    """Closes gaps and fills pits narrower than a disk (2-D), a ball (3-D) or an interval (1-D).

    The mask, ``probability >= 0.5``, is dilated and then eroded by all pixels within ``radius``. What results contains
    the mask. Outside the image there is background, as everywhere in the project by default, and the dilated mask may
    extend there: so the result does not depend on where the frame is.
    Away from the frame this is ``skimage.morphology.closing(mask, disk(radius))``. At the frame that function takes the
    outside for foreground in its second step, and so also fills the strip between an object and the frame.

    Args:
        radius: In pixels, a whole number of at least 0; a pixel at exactly this distance belongs to the disk. Pixels
            are taken to be square: a volume with thick slices is better resampled first.

    Raises:
        TypeError: If ``radius`` is not a whole number.
        ValueError: If it is negative, or more than 1000.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.2: closure with a disk of radius 7. PMC9721526.

    Examples:
        A gap of two pixels closes, a gap of five does not:

        >>> row = torch.tensor([[[1.0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]]])
        >>> Closing(radius=2)(row).int()
        tensor([[[1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]]], dtype=torch.int32)
    """

    name: ClassVar[str] = "closing"
    radius: int = 7

    def __post_init__(self) -> None:
        if isinstance(self.radius, bool) or not isinstance(self.radius, int):
            raise TypeError(f"radius must be a whole number of pixels, got {self.radius!r}")
        if not 0 <= self.radius <= _MOST_RADIUS:
            raise ValueError(f"radius must be from 0 to {_MOST_RADIUS} pixels, got {self.radius}")

    def __call__(  # the arguments that are not used belong to the common call
        self,
        probability: Images,
        *,
        image: Images | None = None,  # noqa: ARG002
        prior: PriorLike | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The closed mask.

        Args:
            probability: Of the foreground, shape ``(batch, 1, *spatial)`` with 1 to 3 spatial axes, in [0, 1].
            image: Not used.
            prior: Not used.

        Returns:
            Boolean tensor of the same shape, on the same device.

        Raises:
            TypeError: If ``probability`` is no tensor or array of floating-point numbers.
            ValueError: If its shape or a value is wrong.
            ImportError: If scipy is missing.
        """
        mask = as_mask(probability)
        closed = np.stack([closing(each, self.radius) for each in mask[:, 0].cpu().numpy()])
        return torch.from_numpy(closed)[:, None].to(mask.device)

    def as_dict(self) -> dict[str, Any]:
        """Name and options as plain JSON values, which `baselines.post_processing.post_processing` reads."""
        return {"name": self.name, "radius": self.radius}


def closing(mask: Mask, radius: int) -> Mask:
    """The closing of one boolean array of any number of axes by the ball of that radius.

    By two Euclidean distance transforms: a pixel is in the dilation if its distance to the mask is at most ``radius``,
    and stays in the erosion if its distance to what is not dilated is more. Exact, and the time does not depend on the
    radius.
    """
    distance = _distance_transform()
    if not mask.any():  # there would be nothing to measure the distance to
        return mask.copy()
    margin = radius + 1  # its corners are never reached, so the second transform has something to measure to
    canvas = np.pad(mask, margin)
    dilated = distance(~canvas) <= radius
    eroded: Mask = distance(dilated) > radius
    return eroded[(slice(margin, -margin),) * mask.ndim]


def _distance_transform() -> Any:
    try:
        from scipy.ndimage import distance_transform_edt
    except ImportError:
        raise ImportError("closing needs scipy: pip install 'topoprior[baselines]'") from None
    return distance_transform_edt
