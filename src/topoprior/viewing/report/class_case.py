"""What a report tells of one refined image with several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.viewing.class_changes import class_before_after
from topoprior.viewing.overlays import as_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction, Images

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ClassCase:
    """One image, its label map before and after, and what was counted; as `Case` for one class.

    Attributes:
        name: Shown as its heading.
        picture: The image, shape ``(height, width)`` or ``(depth, height, width)``.
        before: Class of each pixel before the refinement, same shape.
        after: The same after it.
        priors: What was wanted.
        betti_before: Betti numbers before, a row for each entry of the priors.
        betti_after: The same after.
        error_before: Missing and superfluous components, loops and cavities before, over all entries.
        error_after: The same after.
        pixels_changed: Number of pixels whose class changed.
        steps: Steps of the optimiser.
        stop_reason: Why it stopped.
        seconds: How long it took.
    """

    name: str
    picture: NDArray[Any]
    before: NDArray[Any]
    after: NDArray[Any]
    priors: ClassPriors
    betti_before: Rows
    betti_after: Rows
    error_before: int
    error_after: int
    pixels_changed: int
    steps: int
    stop_reason: str
    seconds: float

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
            pixels_changed=result.pixels_changed,
            steps=result.steps,
            stop_reason=result.stop_reason,
            seconds=result.seconds,
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

    @property
    def badness(self) -> tuple[int, int, int]:
        """Sorts cases from worst to best, by what is still wrong, then what was wrong, then how much was changed."""
        return (-self.error_after, -self.error_before, -self.pixels_changed)

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
