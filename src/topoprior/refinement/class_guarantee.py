"""Guaranteed topology of several classes: the smallest edit found of a label map in which all class priors hold.

The edit is measured as the sum over all pixels that take another class of the probability of the old class less that of
the new one. With two classes that is twice the cost of `guarantee` on one channel.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import nn

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.priors.class_priors import resolve_class_priors
from topoprior.priors.consistency import check_consistent
from topoprior.priors.unions import check_partition
from topoprior.refinement.editing.label_canvas import LabelCanvas
from topoprior.refinement.editing.label_search import search_labels
from topoprior.refinement.result import RefinementResult

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.stopping import StopReason
    from topoprior.topology.filtration import Boundary, Construction

HAIR = 2.0**-20  # by which the new class leads


def guarantee_classes(
    given: Tensor, priors: ClassPriorsLike, construction: Construction, boundary: Boundary
) -> RefinementResult:
    """`guarantee` for class priors and a checked map ``(1, class, *spatial)``.

    Raises:
        TypeError: If ``priors`` are no `ClassPriors`.
        ValueError: If they do not fit the map or contradict each other, or the map is no softmax.
    """
    began = time.perf_counter()
    (wanted,) = resolve_class_priors(priors, 1, given.shape[1], given.ndim - 2)
    check_consistent(wanted, construction=construction, boundary=boundary)
    check_partition(given, name="probability")
    reference = given.detach().to(torch.float64 if given.dtype == torch.float64 else torch.float32, copy=True)
    canvas = LabelCanvas(reference[0].cpu().numpy(), wanted, construction, boundary)
    search_labels(canvas)
    before = torch.from_numpy(canvas.original)[None].to(given.device)
    labels = torch.from_numpy(canvas.labels)[None].to(given.device)
    error = canvas.error
    reason: StopReason = "no edit helps" if error else "topology right" if len(canvas.costs) > 1 else "already right"
    return RefinementResult(
        output=torch.where((labels == before)[:, None], reference, _led_by(reference, labels)),
        mask=nn.functional.one_hot(labels, given.shape[1]).movedim(-1, 1).bool(),
        reference=reference,
        history={"cost": canvas.costs},
        betti_before=topology_of_labels(before, wanted, construction, boundary).betti,
        betti_after=topology_of_labels(labels, wanted, construction, boundary).betti,
        pixels_changed=int((labels != before).sum()),
        succeeded=not error,
        stop_reason=reason,
        steps=len(canvas.costs) - 1,
        best_step=len(canvas.costs) - 1,
        seconds=time.perf_counter() - began,
    )


def _led_by(probability: Tensor, labels: Tensor) -> Tensor:
    """The nearest probabilities whose largest is that of the label, by a hair.

    What classes have above a level goes to the label's class, which so reaches the level itself.
    """
    exact, index = probability.double(), labels[:, None]
    others = exact.scatter(1, index, 0).sort(1, descending=True).values
    counts = torch.arange(2, others.shape[1] + 2, device=others.device).reshape(-1, *(1,) * (others.ndim - 2))
    # The mean of the label's class and the k highest others is the level if k of them are above it, else it is lower.
    level = ((exact.gather(1, index) + others.cumsum(1)) / counts).amax(1, keepdim=True)
    rest = torch.minimum(exact, level - HAIR).scatter(1, index, 0)
    return rest.scatter(1, index, exact.sum(1, keepdim=True) - rest.sum(1, keepdim=True)).to(probability.dtype)
