"""What a report tells of one refined image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import dice, distance_to_prior
from topoprior.viewing.overlays import as_array, before_after
from topoprior.viewing.report.abstract_case import AbstractCase, course

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction, Images


@dataclass(frozen=True, eq=False, kw_only=True)
class Case(AbstractCase):
    """One image, its probability map before and after, and what was counted.

    Attributes:
        target: The true mask, if known, shaped as the image.
        prior: What was wanted.
        betti_before: Betti numbers of the mask before.
        betti_after: Betti numbers of the mask after.
        dice_before: Overlap with the target before; None without a target.
        dice_after: The same after.
    """

    target: NDArray[Any] | None
    prior: BettiPrior
    betti_before: tuple[int, ...]
    betti_after: tuple[int, ...]
    dice_before: float | None
    dice_after: float | None

    @classmethod
    def of(
        cls,
        name: str,
        picture: Images,
        result: RefinementResult,
        prior: BettiPrior,
        *,
        target: Images | None = None,
        threshold: float = 0.5,
    ) -> Case:
        """A case from the result of a refinement with one channel.

        Args:
            name: Its heading.
            picture: The image, spatial axes only.
            result: From :func:`topoprior.refine` or :func:`topoprior.refine_map`.
            prior: What was wanted.
            target: The true mask, if known, spatial axes only.
            threshold: At which the mask was cut.

        Raises:
            ValueError: If the result has several channels, or the shapes differ.
        """
        if result.output.shape[:2] != (1, 1):
            raise ValueError(
                f"a case is about one image and one channel, got an output of {tuple(result.output.shape)}"
            )
        spatial = tuple(result.output.shape[2:])
        for what, array in (("picture", picture), ("target", target)):
            if array is not None and tuple(array.shape) != spatial:
                raise ValueError(f"{what} must have the shape {spatial} of the map, got {tuple(array.shape)}")
        errors = [int(distance_to_prior(betti, prior).sum()) for betti in (result.betti_before, result.betti_after)]
        overlaps: list[float | None] = [None, None]
        if target is not None:
            truth = torch.from_numpy(as_array(target) > 0.5)[None, None]
            masks = (result.reference.cpu() >= threshold, result.mask.cpu())
            overlaps = [float(dice(mask, truth)) for mask in masks]
        return cls(
            name=name,
            picture=as_array(picture),
            before=as_array(result.reference)[0, 0],
            after=as_array(result.output)[0, 0],
            target=None if target is None else as_array(target),
            prior=prior,
            betti_before=tuple(result.betti_before[0, 0].tolist()),
            betti_after=tuple(result.betti_after[0, 0].tolist()),
            error_before=errors[0],
            error_after=errors[1],
            dice_before=overlaps[0],
            dice_after=overlaps[1],
            **course(result),
        )

    @property
    def wanted(self) -> str:
        """The prior in words, as in ``(1, 0-2)``."""
        return f"({str(self.prior).replace(',', ', ')})"

    @property
    def told_before(self) -> str:
        """The Betti numbers before in words."""
        return f"({', '.join(map(str, self.betti_before))})"

    @property
    def told_after(self) -> str:
        """The same after."""
        return f"({', '.join(map(str, self.betti_after))})"

    def panel(self, *, threshold: float, construction: Construction, boundary: Boundary) -> Figure:
        """The picture: mask, critical pixels and barcode, before and after."""
        return before_after(
            self.picture,
            self.before,
            self.after,
            target=self.target,
            threshold=threshold,
            construction=construction,
            boundary=boundary,
        )
