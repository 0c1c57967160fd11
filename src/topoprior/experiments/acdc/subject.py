"""A stack of the ACDC experiment with a network that has not seen it: refined slice by slice, scored as a volume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.evaluation.metrics import dice, hausdorff95, topological_success
from topoprior.experiments.acdc.training import LEARNT
from topoprior.experiments.trained_networks import trained_network
from topoprior.imaging.datasets.acdc import MYOCARDIUM, SLICES
from topoprior.imaging.datasets.classes import class_values
from topoprior.imaging.file_grid import FileGrid
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.many import refine_many
from topoprior.refinement.network import refine
from topoprior.refinement.probability_map import refine_map
from topoprior.topology.betti import betti_numbers
from topoprior.training.device import chosen_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from topoprior.experiments.acdc.training import Settings, Variant
    from topoprior.imaging.datasets.acdc import Stack
    from topoprior.imaging.datasets.classes import Classes
    from topoprior.imaging.image import Array
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.table import PriorTable
    from topoprior.refinement.result import RefinementResult
    from topoprior.training.device import Device


@dataclass(frozen=True, eq=False)
class Subject:
    """A stack and its network.

    Attributes:
        stack: The frame.
        variant: What the network tells apart.
        grid: The network; its probabilities lie on the pixels of the file.
        images: The slices as it sees them, ``(slices, 1, *prepared)``.
        myocardium: The prior of each slice.
        priors: What each slice is refined with: the same; with several classes, the numbers of all and of all pairs.
    """

    stack: Stack
    variant: Variant
    grid: FileGrid
    images: Tensor
    myocardium: tuple[BettiPrior, ...]
    priors: tuple[BettiPrior | ClassPriors, ...]

    @classmethod
    def of(
        cls,
        stack: Stack,
        variant: Variant,
        network: tuple[Path, str],
        table: PriorTable,
        settings: Settings,
        *,
        device: Device,
    ) -> Subject:
        """A stack with the network of a folder, told by the digest of its weights too.

        Raises:
            ValueError: If the table lacks a slice; with several classes, if the stack has no ground truth to count.
        """
        place, loaded = chosen_device(device), trained_network(*network)
        part = stack.part
        images = torch.from_numpy(settings.preparation.prepare(part))[:, None].to(place)
        myocardium = tuple(table.prior(stack.frame.image, slice_index=index) for index in range(len(images)))
        return cls(
            stack,
            variant,
            FileGrid(loaded.network, loaded.activation, settings.preparation.restorer(part)).to(place).eval(),
            images,
            myocardium,
            myocardium if variant == "myocardium" else _class_priors(stack, LEARNT[variant]),
        )

    @torch.no_grad()
    def unrefined(self) -> list[RefinementResult]:
        """What the network gives."""
        return [
            refine_map(self.grid(image[None]), prior, max_steps=0)
            for image, prior in zip(self.images, self.priors, strict=True)
        ]

    def refined(self, *, weight: float, learning_rate: float, max_steps: int) -> list[RefinementResult]:
        """Every slice with a copy of the network of its own."""
        options: dict[str, Any] = {"weight": weight, "learning_rate": learning_rate, "max_steps": max_steps}
        if self.variant == "myocardium":
            return refine_many(self.grid, self.images, list(self.myocardium), **options)
        return [
            refine(self.grid, image[None], prior, **options)
            for image, prior in zip(self.images, self.priors, strict=True)
        ]

    def labels(self, results: Sequence[RefinementResult]) -> Array:
        """The masks of all slices on the grid of the file, with the values that ACDC gives the classes."""
        numbers = [result.mask[0, 0].byte() if self.variant == "myocardium" else result.labels[0] for result in results]
        values = class_values(torch.stack(numbers).cpu().numpy().astype(np.uint8), LEARNT[self.variant])
        return self.stack.whole(self.stack.part.join(values, SLICES))

    def slice_overlaps(self, labels: Array) -> list[float] | None:
        """Dice of the myocardium in each slice; None without ground truth."""
        if self.stack.labels is None:
            return None
        ours, theirs = (_slices(values == MYOCARDIUM) for values in (labels, self.stack.labels))
        return [float(value) for value in dice(ours, theirs)[:, 0]]

    def scores(self, results: Sequence[RefinementResult]) -> dict[str, Any]:
        """As the challenge scores a volume, and the topology of each slice, all counted on what goes into the file."""
        labels = self.labels(results)
        masks = _slices(labels == MYOCARDIUM)
        found: dict[str, Any] = {"dice": {}, "hausdorff95": {}}
        for name, (value,) in LEARNT[self.variant].items() if self.stack.labels is not None else ():
            pair = [torch.from_numpy(values == value)[None, None] for values in (labels, self.stack.labels)]
            distance = hausdorff95(*pair, spacing=self.stack.image.spacing).item()
            found["dice"][name] = dice(*pair).item()
            found["hausdorff95"][name] = distance if math.isfinite(distance) else None
        return found | {
            "slice_dice": self.slice_overlaps(labels),
            "betti": betti_numbers(masks)[:, 0].tolist(),
            "right": topological_success(masks, list(self.myocardium))[:, 0].tolist(),
            "all_right": [result.succeeded for result in results],
            "steps": [result.steps for result in results],
            "pixels_changed": [result.pixels_changed for result in results],
        }


def _slices(mask: Array) -> Tensor:
    """Shape ``(slices, 1, height, width)``."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(mask, SLICES, 0)[:, None]))


def _class_priors(stack: Stack, classes: Classes) -> tuple[ClassPriors, ...]:
    """The Betti numbers of all classes and pairs of classes in each slice of the ground truth."""
    if stack.labels is None:
        raise ValueError(f"{stack.frame.image} has no ground truth, and the priors of several classes are read from it")
    numbers = range(1, len(classes) + 1)
    unions = [(number,) for number in numbers] + list(combinations(numbers, 2))
    values = [value for (value,) in classes.values()]
    counted = {
        union: betti_numbers(_slices(np.isin(stack.labels, [values[number - 1] for number in union])))[:, 0].tolist()
        for union in unions
    }
    return tuple(
        ClassPriors({union: counted[union][index] for union in unions}, classes=("BG", *classes))
        for index in range(stack.labels.shape[SLICES])
    )
