"""A volume of the 3-D experiment with a network that has not seen it: refined and scored on the voxels of its file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import dice, topological_success
from topoprior.experiments.placenta.volumes import read_volume
from topoprior.experiments.trained_networks import trained_network
from topoprior.imaging.file_grid import FileGrid
from topoprior.losses.functional import betti_prior_loss
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.network import refine
from topoprior.refinement.probability_map import refine_map
from topoprior.topology.betti import betti_numbers
from topoprior.training.device import chosen_device

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from topoprior.experiments.placenta.volumes import Volume
    from topoprior.imaging.image import Image
    from topoprior.imaging.preparation import Preparation
    from topoprior.refinement.result import RefinementResult
    from topoprior.training.device import Device

PRIOR = BettiPrior(1, 0, 0)
WEIGHT = 0.005


@dataclass(frozen=True, eq=False)
class Subject:
    """A volume and its network.

    Attributes:
        image: As it is in the file.
        label: 1 where the structure is.
        grid: The network; its probabilities lie on the voxels of the file.
        prepared: What it sees, ``(1, 1, *prepared)``.
    """

    image: Image
    label: NDArray[np.uint8]
    grid: FileGrid
    prepared: Tensor

    @classmethod
    def of(cls, volume: Volume, network: tuple[Path, str], preparation: Preparation, *, device: Device) -> Subject:
        """A volume with the network of a folder, told by the digest of its weights too.

        Raises:
            OSError, ValueError: If a file cannot be read, or the network has other weights.
        """
        image, label = read_volume(volume)
        place, loaded = chosen_device(device), trained_network(*network)
        grid = FileGrid(loaded.network, loaded.activation, preparation.restorer(image))
        return cls(image, label, grid.to(place).eval(), torch.from_numpy(preparation.prepare(image))[:, None].to(place))

    @torch.no_grad()
    def unrefined(self) -> RefinementResult:
        """What the network gives."""
        return refine_map(self.grid(self.prepared), PRIOR, max_steps=0)

    def refined(self, *, learning_rate: float, max_steps: int) -> RefinementResult:
        """Equation 5 with the paper's lambda."""
        return refine(self.grid, self.prepared, PRIOR, weight=WEIGHT, learning_rate=learning_rate, max_steps=max_steps)

    def scores(self, result: RefinementResult) -> dict[str, Any]:
        """Overlap with the label and topology of the mask that goes into the file."""
        mask = result.mask.cpu()
        return {
            "dice": dice(mask, torch.from_numpy(self.label)[None, None]).item(),
            "betti": betti_numbers(mask)[0, 0].tolist(),
            "right": bool(topological_success(mask, PRIOR).item()),
            "voxels": int(mask.sum()),
        }


def topology_seconds(probability: Tensor) -> float:
    """Wall-clock time of the topological loss of a map with its gradient: the topology's share of a step.

    Args:
        probability: Shape ``(1, 1, *spatial)``; taken to the processor first.
    """
    values = probability.detach().cpu().clone().requires_grad_()
    began = time.perf_counter()
    betti_prior_loss(values, PRIOR).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - began
