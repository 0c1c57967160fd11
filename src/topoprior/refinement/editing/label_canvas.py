"""The label map under work: what each change costs, how far its classes and unions are from their priors.

What lies outside the image is no class: it belongs to no union (``boundary="background"``) or to all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.refinement.editing.canvas import Canvas
from topoprior.refinement.editing.grid import Grid
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.editing.grid import Array
    from topoprior.topology.filtration import Boundary, Construction

MIDDLE = 0.5


class LabelCanvas:
    """A label map under work.

    Attributes:
        priors: What is wanted.
        grid: The geometry.
        probability: Of the classes, shape ``(class, *spatial)``.
        members: Which classes belong to each entry of the priors, bool ``(entry, class)``.
        lower: Smallest Betti numbers allowed, ``(entry, d)``.
        upper: Largest Betti numbers allowed.
        original: The most probable class of every pixel.
        labels: The label map as it is now.
        betti: The Betti numbers of its entries.
        costs: What the label map costs, after each edit that was kept.
    """

    def __init__(self, probability: Array, priors: ClassPriors, construction: Construction, boundary: Boundary) -> None:
        self.priors = priors
        self.grid = Grid(probability.shape[1:], construction, boundary)
        self.probability = probability.astype(np.float64)
        classes = range(len(priors.classes))
        self.members = np.array([[k in union for k in classes] for union in priors.unions])
        unbounded = np.iinfo(np.int64).max
        self.lower = np.array([prior.lower for prior in priors.priors])
        self.upper = np.array(
            [[unbounded if high is None else high for high in prior.upper] for prior in priors.priors]
        )
        self.original = probability.argmax(0)
        self.labels = self.original
        self.betti = self.count(self.labels)
        self.costs = [0.0]

    @property
    def error(self) -> int:
        """Components, loops and cavities missing or too many, of all entries together."""
        return self.distance(self.betti)

    def distance(self, betti: Array) -> int:
        """The same for other Betti numbers."""
        return int(np.sum(np.maximum(self.lower - betti, 0) + np.maximum(betti - self.upper, 0)))

    def count(self, labels: Array) -> Array:
        """Betti numbers of all entries."""
        masks = torch.from_numpy(self.members[:, labels])[None]
        return betti_numbers(masks, construction=self.grid.construction, boundary=self.grid.boundary)[0].numpy()

    def error_of(self, labels: Array) -> int:
        """How far this label map is from the priors."""
        return self.distance(self.count(labels))

    def of(self, labels: Array) -> Array:
        """In every pixel the probability of its class."""
        found: Array = np.take_along_axis(self.probability, labels[None], 0)[0]
        return found

    def cost(self, labels: Array) -> float:
        """Sum over all pixels of the probability lost."""
        return float((self.of(self.original) - self.of(labels)).sum())

    def keep(self, labels: Array) -> None:
        """Make this the label map."""
        self.labels, self.betti = labels, self.count(labels)
        self.costs.append(self.cost(labels))

    def union(self, entry: int, labels: Array) -> Canvas:
        """The mask of one entry, in which a pixel costs what its class loses to the best one on the other side."""
        members = self.members[entry]
        mask = members[labels]
        inside, outside = self.probability[members].max(0), self.probability[~members].max(0)
        loss = np.clip(self.of(labels) - np.where(mask, outside, inside), 0, 1) / 2
        values = np.where(mask, MIDDLE + loss, np.minimum(MIDDLE - loss, np.nextafter(MIDDLE, 0)))
        grid = self.grid
        return Canvas(values, self.lower[entry], self.upper[entry], grid.construction, grid.boundary, MIDDLE)

    def with_pixels(self, labels: Array, pixels: Array, classes: Array | int) -> Array:
        """The label map with these flat pixels in these classes. Not kept yet."""
        edited = labels.copy()
        edited.reshape(-1)[pixels] = classes
        return edited
