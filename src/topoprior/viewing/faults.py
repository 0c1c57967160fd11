"""Where a mask's topology is wrong: the places to look at, not only the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.baselines.components import Components
from topoprior.evaluation.metrics import betti_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction

    Mask = NDArray[np.bool_]

_MOST_DIFFERENCES = 24  # each costs the Betti numbers of one mask
_LARGEST_SHARE = 0.6  # of the object's extent along every axis: a difference all round it is no place to look at


@dataclass(frozen=True, eq=False)
class Fault:
    """One place where the topology goes wrong.

    Attributes:
        region: The pixels, shape of the mask.
        dimension: Which Betti number it spoils.
        mendable: False for a component, hole or cavity too many; True for a difference to the target, such as a gap or
            a bridge, without which the Betti numbers would be nearer to the prior.
    """

    region: Mask
    dimension: int
    mendable: bool


def topological_faults(
    prediction: Mask,
    target: Mask,
    prior: BettiPrior,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> list[Fault]:
    """The places that spoil the topology of a mask.

    Not every wrong Betti number has such a place: where two large pieces are each half right, or the whole outline is
    off, the list may be empty.

    Args:
        prediction: The mask, shape of an image with 1 to 3 axes.
        target: The right mask, same shape.
        prior: What is wanted.
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.

    Returns:
        First the components, holes and cavities that are too many, then the differences that do harm; none if the
        topology is as the prior wants it.

    Raises:
        ValueError: If masks and prior do not fit.
        ImportError: If scipy is missing.

    Examples:
        A ring with a gap and a speck, where one ring is wanted:

        >>> from topoprior import BettiPrior
        >>> ring = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]], dtype=bool)
        >>> prediction = ring.copy()
        >>> prediction[0, 1], prediction[1, 4] = False, True
        >>> for fault in topological_faults(prediction, ring, BettiPrior(1, 1)):
        ...     print(fault.dimension, fault.mendable, np.argwhere(fault.region).tolist())
        0 False [[1, 4]]
        1 True [[0, 1]]
    """
    options: Any = {"construction": construction, "boundary": boundary}
    error = betti_error(prediction[None, None], prior, **options)[0, 0].numpy()
    if not error.any():
        return []
    allowed = Components(**options)(prediction[None, None].astype(np.float32), prior=prior)[0, 0].numpy()
    last = prediction.ndim - 1
    surplus = [
        Fault(region, dimension, mendable=False)
        for dimension, pieces in ((0, prediction & ~allowed), (last, allowed & ~prediction))
        for region in parts(pieces)
    ]
    return surplus + list(_harmful(prediction, target, prior, error, surplus, options))


def _harmful(
    prediction: Mask, target: Mask, prior: BettiPrior, error: NDArray[np.int64], known: list[Fault], options: Any
) -> Iterator[Fault]:
    """The differences to the target without which the error would be smaller, largest first."""
    if not prediction.any():
        return
    taken = np.logical_or.reduce([fault.region for fault in known]) if known else np.zeros_like(prediction)
    largest = np.maximum(_LARGEST_SHARE * _extent(target if target.any() else prediction), 1)
    differences = [
        region
        for one_way in (target & ~prediction, prediction & ~target)
        for region in _places(one_way, largest)
        if not (region & taken).any()
    ]
    differences = sorted(differences, key=lambda region: -int(region.sum()))[:_MOST_DIFFERENCES]
    if not differences:
        return
    mended = np.stack([prediction ^ region for region in differences])[:, None]
    after = betti_error(mended, prior, **options)[:, 0].numpy()
    for region, left in zip(differences, after, strict=True):
        if left.sum() < error.sum():
            yield Fault(region, int(np.argmax(error - left)), mendable=True)


def _places(difference: Mask, largest: NDArray[np.float64]) -> Iterator[Mask]:
    """The parts of a difference that are a place to look at; of a rim all round, only where it is thick."""
    from scipy import ndimage

    for region in parts(difference):
        if (_extent(region) <= largest).all():
            yield region
            continue
        thick = [part for part in parts(ndimage.binary_opening(region)) if (_extent(part) <= largest).all()]
        if not thick and (_extent(region) <= largest).any():  # a plane of a volume, for example
            thick = [region]
        yield from thick


def parts(region: Mask) -> list[Mask]:
    """The pieces of a region, pixels that touch at corners taken together."""
    from scipy import ndimage

    parts, count = ndimage.label(region, np.ones((3,) * region.ndim))
    return [parts == number for number in range(1, count + 1)]


def _extent(region: Mask) -> NDArray[np.int64]:
    """Its size along each axis."""
    return np.array([np.ptp(index) + 1 if len(index) else 0 for index in np.nonzero(region)])
