"""Images of one shape in memory, with their labels and priors: what training and validation work on."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from topoprior.priors.class_priors import ClassPriors, resolve_class_priors
from topoprior.priors.feasibility import check_feasible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.topology.filtration import Boundary


@dataclass(frozen=True, eq=False)
class Cases:
    """Images ready for a network.

    Attributes:
        images: Shape ``(cases, channel, *spatial)``, 2 or 3 spatial axes, float32, finite; cropped and normalised.
        labels: Shape ``(cases, *spatial)``, uint8: 0 is background, 1 to K are the classes. None if unlabelled.
        names: One for each case.
        priors: For each case one prior for each of the classes 1 to K, or `ClassPriors` of background and these; None
            if there is none.
        spacing: Millimetres from pixel to pixel along each spatial axis; 1 where unknown.

    Raises:
        TypeError: If the images or labels have another dtype.
        ValueError: If there is no case, the shapes do not fit together, or a number is not finite.

    Examples:
        >>> cases = Cases(torch.zeros(2, 1, 5, 6), torch.zeros(2, 5, 6, dtype=torch.uint8), ("a", "b"))
        >>> len(cases), cases.spatial, cases.spacing
        (2, (5, 6), (1.0, 1.0))
    """

    images: Tensor
    labels: Tensor | None
    names: tuple[str, ...]
    priors: tuple[tuple[BettiPrior, ...] | ClassPriors, ...] | None = None
    spacing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.images.dtype != torch.float32:
            raise TypeError(f"images must be float32, got {self.images.dtype}")
        if self.images.ndim not in (4, 5) or not self.images.numel():
            raise ValueError(
                f"images must have shape (cases, channel, *spatial) with 2 or 3 spatial axes and at least one pixel, "
                f"got {tuple(self.images.shape)}"
            )
        if not torch.isfinite(self.images).all():
            raise ValueError("images must be finite, got NaN or infinity")
        if self.labels is not None and self.labels.dtype != torch.uint8:
            raise TypeError(f"labels must be uint8, got {self.labels.dtype}")
        if self.labels is not None and self.labels.shape != self.images.shape[:1] + self.images.shape[2:]:
            raise ValueError(
                f"labels must have shape (cases, *spatial) of the images, {(len(self), *self.spatial)}, "
                f"got {tuple(self.labels.shape)}"
            )
        for name, values in (("names", self.names), ("priors", self.priors)):
            if values is not None and len(values) != len(self):
                raise ValueError(f"{name} must be as many as the {len(self)} images, got {len(values)}")
        of_classes = [one.classes if isinstance(one, ClassPriors) else len(one) for one in self.priors or ()]
        if len(set(of_classes)) > 1:
            raise ValueError("priors must be one per class for every case, or ClassPriors of the same classes for all")
        if not self.spacing:
            object.__setattr__(self, "spacing", (1.0,) * len(self.spatial))
        if len(self.spacing) != len(self.spatial) or not all(0 < size < inf for size in self.spacing):
            raise ValueError(f"spacing must be one positive number per spatial axis, got {self.spacing}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sides of the images."""
        return tuple(self.images.shape[2:])

    def select(self, indices: Sequence[int] | Tensor) -> Cases:
        """Some of the cases, in the given order.

        Examples:
            >>> cases = Cases(torch.zeros(3, 1, 5, 6), None, ("a", "b", "c"))
            >>> cases.select([2, 0]).names
            ('c', 'a')
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        places: list[int] = chosen.tolist()
        return Cases(
            self.images[chosen],
            None if self.labels is None else self.labels[chosen],
            tuple(self.names[k] for k in places),
            None if self.priors is None else tuple(self.priors[k] for k in places),
            self.spacing,
        )

    def check_priors(self, classes: int, boundary: Boundary) -> None:
        """Refuse cases without priors, with priors for another number of classes, or with priors no mask can have.

        A class may have a prior that allows anything, but not all classes of a case.

        Raises:
            ValueError: As said.
        """
        if self.priors is None:
            raise ValueError("these cases have no priors, so there is nothing to learn from them")
        of_unions = [one for one in self.priors if isinstance(one, ClassPriors)]
        if of_unions:  # these always ask for something; contradictions are found by the loss
            resolve_class_priors(of_unions, len(self), classes + 1, len(self.spatial))
            return
        each = [one for one in self.priors if isinstance(one, tuple)]
        for name, priors in zip(self.names, each, strict=True):
            if len(priors) != classes:
                raise ValueError(f"{name}: it must have a prior for each of {classes} classes, got {len(priors)}")
            if not any(any(prior.cares) for prior in priors):
                raise ValueError(f"{name}: its priors allow any topology, so it teaches nothing: leave it out")
        for priors in dict.fromkeys(each):
            for prior in priors:
                if any(prior.cares):
                    check_feasible(prior, len(self.spatial), boundary=boundary)
