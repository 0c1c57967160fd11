"""Keep the largest components, fill holes: the correction by prior that needs no persistence."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from topoprior.baselines.mask import as_mask
from topoprior.priors.betti_prior import resolve_priors
from topoprior.topology.filtration import check_options

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction, Images

    Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """Keeps as many components and holes as the prior allows, the largest ones; removes and fills the rest.

    Of the mask, ``probability >= 0.5``, first the b0 largest components are kept, then all holes (2-D) or cavities
    (3-D) but the largest b1 or b2 are filled: with 0 all of them, which is what people mean by "fill holes". Of a range
    the upper end counts; without an upper end nothing is removed or filled. Size is the number of pixels; among equals
    the first in row-major order stays.

    What it cannot do: add a component or a hole that is missing, mend a ring that is broken, or close a tunnel in 3-D:
    there b1 is not looked at. Filling a hole also takes in the components that lie inside it, so of two components
    one may be left. So no Betti number of components, 2-D holes or cavities ends above its range, but one may be below.

    Args:
        construction: ``"T"``: foreground pixels connect through corners (8 / 26), background through faces (4 / 6);
            ``"V"``: the other way round.
        boundary: What lies outside the image. With ``"foreground"`` the outside is one component, never removed, to
            which all that touches the frame belongs, and of the background one part is no hole: the largest.

    Raises:
        ValueError: If an option is not one of the two words.

    Examples:
        One component without a hole is wanted: the speck goes and the hole is filled.

        >>> from topoprior import BettiPrior
        >>> rows = [[0.9, 0.9, 0.9, 0.0, 0.7], [0.8, 0.1, 0.8, 0.0, 0.0], [0.9, 0.9, 0.9, 0.0, 0.0]]
        >>> Components()(torch.tensor([[rows]]), prior=BettiPrior(1, 0)).int()
        tensor([[[[1, 1, 1, 0, 0],
                  [1, 1, 1, 0, 0],
                  [1, 1, 1, 0, 0]]]], dtype=torch.int32)
    """

    name: ClassVar[str] = "components"
    construction: Construction = "T"
    boundary: Boundary = "background"

    def __post_init__(self) -> None:
        check_options(self.construction, self.boundary)

    def __call__(  # the arguments that are not used belong to the common call
        self,
        probability: Images,
        *,
        image: Images | None = None,  # noqa: ARG002
        prior: PriorLike | None = None,
    ) -> Tensor:
        """The corrected mask.

        Args:
            probability: Of the foreground, shape ``(batch, 1, *spatial)`` with 1 to 3 spatial axes, in [0, 1].
            image: Not used.
            prior: What is wanted: one prior for all images, or one per image.

        Returns:
            Boolean tensor of the same shape, on the same device.

        Raises:
            TypeError: If ``probability`` or ``prior`` is of another type.
            ValueError: If there is no prior, it does not fit, or a shape or a value of ``probability`` is wrong.
            ImportError: If scipy is missing.
        """
        mask = as_mask(probability)
        if prior is None:
            raise ValueError("prior must be given to keep the largest components, got None")
        upper = resolve_priors(prior, mask.shape[0], 1, mask.ndim - 2).upper[:, 0].tolist()
        images = mask[:, 0].cpu().numpy()
        corrected = [self._corrected(each, most) for each, most in zip(images, upper, strict=True)]
        return torch.from_numpy(np.stack(corrected))[:, None].to(mask.device)

    def as_dict(self) -> dict[str, Any]:
        """Name and options as plain JSON values, which `baselines.post_processing.post_processing` reads."""
        return {"name": self.name, "construction": self.construction, "boundary": self.boundary}

    def _corrected(self, mask: Mask, most: list[int]) -> Mask:
        """One image, with the highest Betti number that is allowed in each dimension."""
        through_corners = self.construction == "T"
        canvas = np.pad(mask, 1, constant_values=self.boundary == "foreground")
        canvas = _largest(canvas, most[0], through_corners=through_corners)
        if mask.ndim > 1:
            # One part of the background is no hole: the outside, or on the sphere that the outside closes, any one.
            canvas = ~_largest(~canvas, most[-1] + 1, through_corners=not through_corners)
        return canvas[(slice(1, -1),) * mask.ndim]


def _largest(region: Mask, count: int, *, through_corners: bool) -> Mask:
    """The ``count`` largest components; one that reaches the outside (the first corner) is larger than any other."""
    ndimage = _ndimage()
    reach = region.ndim if through_corners else 1
    labels, number = ndimage.label(region, ndimage.generate_binary_structure(region.ndim, reach))
    labels[labels == labels.flat[-1]] = labels.flat[0]  # on a line the two ends are one outside too
    if number <= count:
        return region
    sizes = np.bincount(labels.ravel()).astype(float)
    sizes[labels.flat[0]] = np.inf
    order = 1 + np.argsort(-sizes[1:], kind="stable")
    return np.isin(labels, order[:count])


def _ndimage() -> Any:
    try:
        return import_module("scipy.ndimage")
    except ImportError:
        raise ImportError("components needs scipy: pip install 'topoprior[baselines]'") from None
