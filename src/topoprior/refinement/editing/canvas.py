"""The mask under work: what it is now, what each change costs, how far it is from the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from topoprior.refinement.editing.grid import Grid, regions
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from topoprior.refinement.editing.grid import Array, Regions
    from topoprior.topology.filtration import Boundary, Construction

MOST_POCKETS = 4


class Canvas:
    """A mask under work.

    Attributes:
        grid: The geometry.
        values: The probabilities, shape of the image.
        threshold: Where the mask is cut.
        lower: Smallest Betti numbers allowed.
        upper: Largest Betti numbers allowed.
        original: The mask one started from, in cells.
        price: Distance of every pixel from the threshold; infinite outside the image.
        mask: The mask as it is now, in cells.
        betti: Its Betti numbers.
        costs: What the mask costs, after each edit that was kept.
    """

    def __init__(
        self,
        values: Array,
        lower: Array,
        upper: Array,
        construction: Construction,
        boundary: Boundary,
        threshold: float,
    ) -> None:
        self.grid = Grid(values.shape, construction, boundary)
        self.values, self.threshold = values, threshold
        self.lower, self.upper = lower, upper
        self.original = self.grid.embedded(values >= threshold, self.grid.outside_colour)
        self.price = self.grid.embedded(np.abs(values.astype(np.float64) - threshold), np.inf)
        self.mask = self.original
        self.betti = self.count(self.mask)
        self.costs = [0.0]

    @property
    def error(self) -> int:
        """Components, loops and cavities missing or too many."""
        return self.distance(self.betti)

    @property
    def dimensions_of_regions(self) -> dict[bool, int]:
        """In which dimension the regions of each colour are counted; in one dimension the gaps are not counted."""
        axes = len(self.grid.shape)
        return {True: 0, False: axes - 1} if axes > 1 else {True: 0}

    def surplus(self, dimension: int) -> int:
        """How many there are too many; negative: how many are missing."""
        here, low, high = (int(numbers[dimension]) for numbers in (self.betti, self.lower, self.upper))
        return max(here - high, 0) - max(low - here, 0)

    def balance(self, mask: Array) -> Array:
        """What turning each pixel of this mask adds to the cost: its price; less its price where it has been turned."""
        return np.where(mask == self.original, self.price, -self.price)

    @property
    def toll(self) -> Array:
        """What a path pays: the price, or nothing where the pixel has been turned already."""
        return np.where(self.mask == self.original, self.price, 0.0)

    @property
    def map_now(self) -> Array:
        """The probabilities, at the threshold or just below it in the pixels that were turned."""
        now, before = self.grid.image(self.mask), self.grid.image(self.original)
        below = np.nextafter(self.threshold, 0)
        return np.where(now == before, self.values.astype(np.float64), np.where(now, self.threshold, below))

    def regions(self) -> Regions:
        """The regions of the mask as it is now."""
        return regions(self.grid, self.mask)

    def cost(self, mask: Array) -> float:
        """Sum of the prices of all pixels in which the mask differs from the original."""
        return float(self.price[mask != self.original].sum())

    def weights(self, mask: Array, found: Regions) -> Array:
        """What it adds to the cost to turn each region of this mask; infinite for the outside."""
        inside = self.grid.inside
        weight = np.bincount(found.label[inside], self.balance(mask)[inside], minlength=len(found.colour))
        weight[found.outside] = np.inf
        return weight

    def with_cells(self, cells: Array, colour: bool) -> Array:
        """The mask with these cells in this colour. Not kept yet."""
        mask = self.mask.copy()
        mask[cells] = colour
        return mask

    def without_pockets(self, mask: Array, cells: Array, colour: bool) -> Array | None:
        """The mask after an edit, with the small regions filled that the edit has cut off; None if that does not help.

        A path may run into a bay and close it by touching both its shores.
        """
        for _ in range(MOST_POCKETS):
            found = regions(self.grid, mask)
            weight = self.weights(mask, found)
            around = {int(region) for offset in self.grid.around for region in found.label[cells + offset]}
            near = [r for r in around if r >= 0 and found.colour[r] != colour and found.degree[r] == 1]
            pocket = min(near, key=weight.__getitem__, default=found.outside)
            if pocket == found.outside:
                return None
            mask = np.where(found.label == pocket, colour, mask)
            if self.is_nearer(mask):
                return mask
        return None

    def is_nearer(self, mask: Array) -> bool:
        """Whether this mask's Betti numbers are nearer to the prior than those of the mask as it is now."""
        return self.distance(self.count(mask)) < self.error

    def keep_if_nearer(self, mask: Array) -> bool:
        """Make this the mask if its Betti numbers are nearer to the prior."""
        nearer = self.is_nearer(mask)
        if nearer:
            self.keep(mask)
        return nearer

    def keep(self, mask: Array) -> None:
        """Make this the mask."""
        self.mask, self.betti = mask, self.count(mask)
        self.costs.append(self.cost(mask))

    def distance(self, betti: Array) -> int:
        """Components, loops and cavities that these Betti numbers miss or have too many."""
        return int(np.sum(np.maximum(self.lower - betti, 0) + np.maximum(betti - self.upper, 0)))

    def count(self, mask: Array) -> Array:
        """Betti numbers of a mask given in cells."""
        image = torch.from_numpy(self.grid.image(mask))[None, None]
        betti = betti_numbers(image, construction=self.grid.construction, boundary=self.grid.boundary)
        return betti[0, 0].numpy()
