"""The push of `topoprior.refinement.push` for classes that exclude each other.

`topoprior.guarantee` knows the cheapest label map that it finds in which all priors hold, those of single classes and
those of unions. Each pixel of that edit is pushed towards the class it takes there, so no union is mended at the cost
of one of its classes. Classes that belong to the same unions are as good as each other: it is their summed probability
P that is pushed, and through the sum each of them. As long as the shares of the classes in P and in the rest stay as
they are, one of them becomes the most probable class where the best of both sides are equal, at

    P*  =  b / (a + b),    a, b: the best one's share of P, and of the rest,

so the distance of the pixel is P* - P, with slope -1 in P. With two classes P* is a half, and the distance that of
`topoprior.refinement.push` for one channel.

A pixel is in many entries, and bars of several may hold it where it is, against the push: of two pieces with the same
probability the loss keeps the first, which need not be the one that all entries together can keep. So the bars have no
say in the pixels that are being pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.priors.consistency import check_consistent
from topoprior.priors.unions import most_probable
from topoprior.refinement.editing.label_canvas import LabelCanvas
from topoprior.refinement.editing.label_search import search_labels
from topoprior.topology.filtration import in_full_precision

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.class_priors import ClassPriors
    from topoprior.topology.filtration import Boundary, Construction


class Push(NamedTuple):
    """What is pushed in one state.

    Attributes:
        distance: To the nearest label map found, with its graph; 0 where no edit is found that brings it nearer.
        pixels: That have to take another class, bool, shape ``(1, *spatial)``.
    """

    distance: Tensor
    pixels: Tensor


class NearestLabels:
    """The push for the states of one refinement, one after the other.

    Args:
        priors: What is wanted.
        construction: Of all masks.
        boundary: Of all masks.

    Raises:
        ValueError: If the priors contradict each other.

    Examples:
        A and B should touch, and background is between them. A needs 0.1 more there:

        >>> from topoprior import ClassPriors
        >>> row = torch.tensor([[[0.0, 0.6, 0.0], [1.0, 0.4, 0.0], [0.0, 0.0, 1.0]]], requires_grad=True)
        >>> priors = ClassPriors({"A": (1,), "B": (1,), ("A", "B"): (1,)}, classes=("BG", "A", "B"))
        >>> push = NearestLabels(priors, "T", "background").push(row)
        >>> push.distance, push.pixels.tolist()
        (tensor(0.1000, grad_fn=<SumBackward0>), [[False, True, False]])
        >>> torch.autograd.grad(push.distance, row)[0]
        tensor([[[ 0.,  0.,  0.],
                 [ 0., -1.,  0.],
                 [ 0.,  0.,  0.]]])
    """

    def __init__(self, priors: ClassPriors, construction: Construction, boundary: Boundary) -> None:
        check_consistent([priors], construction=construction, boundary=boundary)
        self._priors, self._construction, self._boundary = priors, construction, boundary
        self._edit: _Edit | None = None
        unions_of = [[k in union for union in priors.unions] for k in range(len(priors.classes))]
        self._alike = torch.tensor([[mine == other for other in unions_of] for mine in unions_of])

    def push(self, probability: Tensor) -> Push:
        """For a softmax ``(1, class, *spatial)`` whose label map is wrong."""
        chances = in_full_precision(probability)
        labels = most_probable(chances.detach())
        if self._edit is None or self._error(self._edit.of(labels)) > self._edit.error:
            self._edit = self._found(chances.detach(), labels)
        wanted, alike = self._edit.of(labels), self._alike.to(labels.device)
        pixels = ~alike[labels, wanted]
        short = _short_of_the_lead(chances.movedim(1, -1)[pixels], alike[wanted[pixels]])
        return Push(short.sum().to(probability.dtype), pixels)

    def _found(self, chances: Tensor, labels: Tensor) -> _Edit:
        canvas = LabelCanvas(chances[0].cpu().numpy(), self._priors, self._construction, self._boundary)
        search_labels(canvas)
        found = torch.from_numpy(canvas.labels)[None].to(labels.device)
        return _Edit(found != labels, found, canvas.error)

    def _error(self, labels: Tensor) -> int:
        return int(topology_of_labels(labels, self._priors, self._construction, self._boundary).error.sum())


class _Edit(NamedTuple):
    """Pixels that take a class, the class, and what was wrong with the topology even so when it was found."""

    pixels: Tensor
    classes: Tensor
    error: int

    def of(self, labels: Tensor) -> Tensor:
        """The label map after the edit."""
        return torch.where(self.pixels, self.classes, labels)


def _short_of_the_lead(chances: Tensor, wanted: Tensor) -> Tensor:
    """What the wanted classes, bool ``(pixel, class)``, lack together until one of them is the most probable."""
    mine, others = (_best_share(chances.detach(), side) for side in (wanted, ~wanted))
    return others / (mine + others) - (chances * wanted).sum(1)


def _best_share(chances: Tensor, side: Tensor) -> Tensor:
    """What the most probable of some classes has of their sum; of a sum of 0 all have the same."""
    total = (chances * side).sum(1)
    return torch.where(total > 0, (chances * side).amax(1) / total, 1 / side.sum(1))
