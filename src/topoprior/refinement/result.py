"""What a refinement gives back: the output, what changed, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from topoprior.refinement.stopping import StopReason


@dataclass(frozen=True)
class RefinementResult:
    """Outcome of `refine`, `refine_many`, `refine_map` or `guarantee`.

    Attributes:
        output: The refined probability map, shape ``(1, channel, *spatial)``, no gradient attached.
        mask: ``output >= threshold``, boolean, same shape. With class priors: in each pixel the most probable class.
        reference: The output before the refinement, same shape.
        history: Values of equation 5 for every state, the reference first: ``loss`` = ``fidelity`` + weight ×
            ``topology``, to which ``push`` times the distance belongs. Entry k belongs to the state after k steps; one
            that is not finite has none.
        betti_before: Betti numbers of the reference at the threshold, shape ``(1, channel, dimension)``.
        betti_after: Betti numbers of ``output`` at the threshold, same shape. With class priors both are those of the
            classes and unions that have one, of the label map: entries take the place of channels.
        pixels_changed: Number of pixels in which the masks before and after differ; with class priors, in which the
            class differs.
        succeeded: Whether ``mask`` has the wanted topology.
        stop_reason: ``"already right"`` (nothing was done), ``"topology right"`` (with the margin, for ``patience``
            steps in a row), ``"no more steps"``, ``"edited"`` or ``"no edit helps"`` (a guarantee was asked for),
            or ``"not finite"`` (a NaN or an infinity turned up).
        steps: Steps of the optimiser that were taken.
        best_step: The step after which the state that was kept was reached; 0 is the reference.
        seconds: Wall-clock time in seconds; with `refine_many` that which the image spent in the batch, among others.
        network: The adapted copy, whose output is ``output``; None for a bare map, and if `refine_many` was not asked.
    """

    output: Tensor
    mask: Tensor
    reference: Tensor
    history: dict[str, list[float]]
    betti_before: Tensor
    betti_after: Tensor
    pixels_changed: int
    succeeded: bool
    stop_reason: StopReason
    steps: int
    best_step: int
    seconds: float
    network: nn.Module | None = None

    @property
    def labels(self) -> Tensor:
        """With class priors the class of each pixel, int64, shape ``(1, *spatial)``.

        Raises:
            ValueError: If the channels are no classes, so that a pixel belongs to none or to several.
        """
        if not bool((self.mask.sum(1) == 1).all()):
            raise ValueError(
                "only a refinement with class priors has labels: here pixels can be in no or several masks"
            )
        return self.mask.long().argmax(1)

    def summary(self) -> dict[str, Any]:
        """All but the tensors and the network, as plain values that ``json.dumps`` takes."""
        return {
            "succeeded": self.succeeded,
            "stop_reason": self.stop_reason,
            "betti_before": self.betti_before[0].tolist(),
            "betti_after": self.betti_after[0].tolist(),
            "pixels_changed": self.pixels_changed,
            "steps": self.steps,
            "best_step": self.best_step,
            "seconds": self.seconds,
            "history": self.history,
        }
