"""What a report tells of one refined image with several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.viewing.class_changes import class_before_after
from topoprior.viewing.overlays import as_array
from topoprior.viewing.report.abstract_case import AbstractCase, course

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction, Images

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassCase(AbstractCase):
    """One image, the class of each pixel before and after, and what was counted; as `Case` for one class.

    Attributes:
        priors: What was wanted.
        betti_before: Betti numbers before, a row for each entry of the priors.
        betti_after: The same after.
    """

    priors: ClassPriors
    betti_before: Rows
    betti_after: Rows

    @classmethod
    def of(cls, name: str, picture: Images, result: RefinementResult, priors: ClassPriors) -> ClassCase:
        """A case from the result of a refinement with class priors.

        Args:
            name: Its heading.
            picture: The image, spatial axes only.
            result: From :func:`topoprior.refine` or :func:`topoprior.refine_map`.
            priors: What was wanted.

        Raises:
            ValueError: If the shapes differ, or the result is not one with class priors.
        """
        spatial = tuple(result.output.shape[2:])
        if tuple(picture.shape) != spatial:
            raise ValueError(f"picture must have the shape {spatial} of the map, got {tuple(picture.shape)}")
        numbers = (result.betti_before[0], result.betti_after[0])
        before, after = (int(distance_to_prior(betti[None], [priors.priors]).sum()) for betti in numbers)
        return cls(
            name=name,
            picture=as_array(picture),
            before=as_array(result.reference)[0].argmax(0),
            after=as_array(result.labels)[0],
            priors=priors,
            betti_before=tuple(map(tuple, numbers[0].tolist())),
            betti_after=tuple(map(tuple, numbers[1].tolist())),
            error_before=before,
            error_after=after,
            **course(result),
        )

    dice_before = dice_after = None

    @property
    def wanted(self) -> str:
        """The priors in words."""
        return str(self.priors)

    @property
    def told_before(self) -> str:
        """What was wrong, as in ``RV 2,0; RV+LV 3,0``."""
        return "; ".join(broken(self.priors, self.betti_before)) or "all right"

    @property
    def told_after(self) -> str:
        """What is still wrong."""
        return "; ".join(broken(self.priors, self.betti_after)) or "all right"

    def panel(self, *, construction: Construction, boundary: Boundary, **_: Any) -> Figure:
        """The picture: labels before and after, and what changed."""
        return class_before_after(
            self.picture, self.before, self.after, self.priors, construction=construction, boundary=boundary
        )


def broken(priors: ClassPriors, betti: Sequence[Sequence[int]]) -> list[str]:
    """The entries that do not hold, with their Betti numbers.

    Examples:
        >>> from topoprior import ClassPriors
        >>> broken(ClassPriors({1: (1, 0), 2: (1, 1)}, classes=3), ((2, 0), (1, 1)))
        ['1 2,0']
    """
    held = priors.is_satisfied_by(torch.tensor(betti)).tolist()
    return [
        f"{name} {','.join(map(str, row))}"
        for name, row, right in zip(priors.names, betti, held, strict=True)
        if not right
    ]
