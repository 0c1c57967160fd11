"""Where a mask would have to change to have its topology: the places of what is missing, and of tunnels too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.evaluation.metrics import betti_error
from topoprior.refinement.guarantee import guarantee
from topoprior.viewing.faults import Fault, parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary, Construction

_MOST_PIXELS = 2**18  # around the mask: edits of larger volumes take longer than a picture is worth


def mended_places(
    mask: NDArray[np.bool_],
    prior: BettiPrior,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> list[Fault]:
    """The pieces of the smallest edit found after which a mask has the wanted topology.

    It is one way to mend the mask of several: a broken ring can be closed, and that is where it is closed with the
    fewest pixels.

    Args:
        mask: Shape of an image with 1 to 3 axes.
        prior: What is wanted.
        construction: ``"T"`` (corners connect) or ``"V"`` (faces connect).
        boundary: What lies outside the image.

    Returns:
        One for each piece; none if the topology is right, no edit was found, or the mask takes up too much room.

    Examples:
        >>> from topoprior import BettiPrior
        >>> ring = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]], dtype=bool)
        >>> [np.argwhere(place.region).tolist() for place in mended_places(ring, BettiPrior(1, 1))]
        [[[1, 2]]]
    """
    options: Any = {"construction": construction, "boundary": boundary}
    error = betti_error(mask[None, None], prior, **options)[0, 0].numpy()
    if not error.any() or not mask.any():
        return []
    window = tuple(slice(max(int(index.min()) - 1, 0), int(index.max()) + 2) for index in np.nonzero(mask))
    box = mask if boundary == "foreground" else mask[window]  # with the outside as foreground the frame counts
    if box.size > _MOST_PIXELS:
        return []
    try:
        result = guarantee(box[None, None].astype(np.float32), prior, **options)
    except ValueError:  # the box has no room for what is wanted
        return []
    if not result.succeeded:
        return []
    changed = np.zeros_like(mask)
    changed[window if box is not mask else ...] = result.mask[0, 0].numpy() != box
    return [Fault(region, int(np.argmax(error)), mendable=True) for region in parts(changed)]
