"""What a report tells of any refined image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from topoprior.refinement.result import RefinementResult


@dataclass(frozen=True, eq=False, kw_only=True)
class AbstractCase:
    """One image before and after, and what was counted, whatever was wanted of it.

    Attributes:
        name: Shown as its heading.
        picture: The image, shape ``(height, width)`` or ``(depth, height, width)``.
        before: What is shown of the output before the refinement, same shape.
        after: The same after it.
        error_before: Missing and superfluous components, loops and cavities before, all of them.
        error_after: The same after.
        pixels_changed: Number of pixels in which the masks differ.
        steps: Steps of the optimiser.
        stop_reason: Why it stopped.
        seconds: How long it took.
    """

    name: str
    picture: NDArray[Any]
    before: NDArray[Any]
    after: NDArray[Any]
    error_before: int
    error_after: int
    pixels_changed: int
    steps: int
    stop_reason: str
    seconds: float

    @property
    def badness(self) -> tuple[int, int, int]:
        """Sorts cases from worst to best, by what is still wrong, then what was wrong, then how much was changed."""
        return (-self.error_after, -self.error_before, -self.pixels_changed)


def course(result: RefinementResult) -> dict[str, Any]:
    """What a refinement tells of itself, by the names of the attributes above."""
    return {name: getattr(result, name) for name in ("pixels_changed", "steps", "stop_reason", "seconds")}
