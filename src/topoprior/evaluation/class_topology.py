"""Betti numbers of the classes of a label map and of their unions, and which class priors hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from topoprior.evaluation.metrics import distance_to_prior
from topoprior.priors.class_priors import ClassPriors, resolve_class_priors
from topoprior.priors.unions import check_partition, most_probable, union_masks
from topoprior.topology.betti import betti_numbers
from topoprior.topology.filtration import as_plain_tensor

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from topoprior.topology.filtration import Boundary, Construction


@dataclass(frozen=True, eq=False)
class ClassTopology:
    """What `class_topology` counts; entries are those of the priors, in their order.

    Attributes:
        names: Of the entries, such as ``"MYO+LV"``.
        betti: Betti numbers, int64, shape ``(batch, entry, d)``.
        error: Components, loops and cavities missing or too many, same shape.
        holds: Which priors hold, bool, shape ``(batch, entry)``.
    """

    names: tuple[str, ...]
    betti: Tensor
    error: Tensor
    holds: Tensor

    @property
    def success(self) -> Tensor:
        """For which images all priors hold, bool, shape ``(batch,)``."""
        return self.holds.all(1)


def class_topology(
    segmentation: Tensor | np.ndarray,
    priors: ClassPriors,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> ClassTopology:
    """Betti numbers of all classes and unions that priors speak of, and which of the priors hold.

    Args:
        segmentation: Labels, whole numbers from 0 to the number of classes less 1, shape ``(batch, *spatial)`` or
            ``(batch, 1, *spatial)``; or probabilities, a softmax, floating point, shape ``(batch, class, *spatial)``,
            of which the most probable class of each pixel is taken, the first of several.
        priors: The classes and what is wanted of them.
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6), for all classes and unions alike.
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Raises:
        TypeError: If ``segmentation`` is neither tensor nor array, or complex, or ``priors`` no `ClassPriors`.
        ValueError: If a shape does not fit the priors, a label is no class, or probabilities do not sum to 1.

    Examples:
        A ring of class 1 around class 2, and the same with the ring open:

        >>> closed = torch.tensor([[1, 1, 1], [1, 2, 1], [1, 1, 1]])
        >>> broken = torch.tensor([[1, 0, 1], [1, 2, 1], [1, 1, 1]])
        >>> priors = ClassPriors({1: (1, 1), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
        >>> found = class_topology(torch.stack([closed, broken]), priors)
        >>> found.betti[1].tolist(), found.holds.tolist(), found.success.tolist()
        ([[1, 0], [1, 0], [1, 0]], [[True, True, True], [False, True, True]], [True, False])
    """
    if not isinstance(priors, ClassPriors):
        raise TypeError(f"priors must be ClassPriors, got {type(priors).__name__}")
    labels = _labels(segmentation, priors)
    return topology_of_labels(labels, priors, construction, boundary)


def topology_of_labels(
    labels: Tensor, priors: ClassPriors, construction: Construction, boundary: Boundary
) -> ClassTopology:
    """`class_topology` of checked labels ``(batch, *spatial)``."""
    masks = union_masks(labels, priors.unions, len(priors.classes))
    betti = betti_numbers(masks, construction=construction, boundary=boundary)
    error = distance_to_prior(betti, [priors.priors])
    return ClassTopology(priors.names, betti, error, error.sum(-1) == 0)


def _labels(segmentation: Tensor | np.ndarray, priors: ClassPriors) -> Tensor:
    classes, axes = len(priors.classes), priors.dimensions
    no_channel = getattr(segmentation, "ndim", 0) == axes + 1
    plain = as_plain_tensor(segmentation[:, None] if no_channel else segmentation, name="segmentation").detach()
    if plain.is_floating_point():
        resolve_class_priors(priors, plain.shape[0], plain.shape[1], plain.ndim - 2)
        check_partition(plain, name="segmentation")
        return most_probable(plain)
    if plain.is_complex():
        raise TypeError(f"segmentation must hold whole numbers or probabilities, got {plain.dtype}")
    if plain.ndim != axes + 2 or plain.shape[1] != 1:
        raise ValueError(
            f"labels must have shape (batch, *spatial) or (batch, 1, *spatial) with {axes} spatial axes, as "
            f"the priors, got {tuple(segmentation.shape)}"
        )
    labels = plain[:, 0].long()  # torch finds no extremes of uint16, in which many label maps are stored
    low, high = (int(end) for end in torch.aminmax(labels))
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels must be from 0 to {classes - 1}, one for each of {', '.join(priors.classes)}, got {low} to {high}"
        )
    return labels
