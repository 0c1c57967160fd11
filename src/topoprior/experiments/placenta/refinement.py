"""One unseen volume of the 3-D experiment: segmented, refined, scored, measured, written over the original image."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from topoprior.experiments.placenta.subject import PRIOR, topology_seconds
from topoprior.imaging.io import write_mask
from topoprior.refinement.guarantee import completed
from topoprior.topology.betti import betti_numbers
from topoprior.topology.diagram import persistence

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.experiments.placenta.training import Work

WAYS = {
    "network": "U-net",
    "refine": "refine",
    "guarantee": "refine, then guarantee where still wrong",
}
"""How masks come about, in the order of the tables."""

_BARS = 12  # of each dimension that are kept for the barcodes


@dataclass(frozen=True)
class VolumeCell:
    """A volume and the network that has not seen it.

    Attributes:
        volume: Its name.
        patient: Whose it is.
        fold: The network's name.
        weights: Digest of the network's weights.
        learning_rate: Of the refinement, as chosen for the fold.
    """

    volume: str
    patient: str
    fold: str
    weights: str
    learning_rate: float

    @property
    def name(self) -> str:
        """As files are named."""
        return f"volume_{self.volume}"


def refine_volume(cell: VolumeCell, *, work: Work) -> dict[str, Any]:
    """Segment a volume, refine it, score it, and write the masks."""
    reset_peak()
    subject = work.subject(cell.volume, cell.fold, cell.weights)
    before = subject.unrefined()
    refined = subject.refined(learning_rate=cell.learning_rate, max_steps=work.settings.max_steps)
    peak = peak_bytes()
    began = time.perf_counter()
    results = {"network": before, "refine": refined, "guarantee": completed(refined, PRIOR)}
    guarding = time.perf_counter() - began
    for way, result in results.items():
        place = prediction(work.predictions, way, cell.volume)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_mask(place, result.mask[0, 0].cpu().numpy(), like=subject.image, overwrite=True)
    per_step = (topology_seconds(before.output) + topology_seconds(refined.output)) / 2
    return {
        "shape": list(subject.image.array.shape),
        "label": betti_numbers(torch.from_numpy(subject.label)[None, None].bool())[0, 0].tolist(),
        "ways": {way: subject.scores(result) for way, result in results.items()},
        "bars": {way: _bars(result.output) for way, result in (("network", before), ("refine", refined))},
        "steps": refined.steps,
        "stop_reason": refined.stop_reason,
        "voxels_changed": {"refine": refined.pixels_changed, "guarantee": results["guarantee"].pixels_changed},
        "seconds": {
            "refinement": refined.seconds,
            "guarantee": guarding,
            "topology_per_step": per_step,
            "topology_in_all": per_step * (refined.steps + 1),
        },
        "peak_bytes": peak,
    }


def prediction(folder: Path, way: str, volume: str) -> Path:
    """Where the mask of a volume goes."""
    return folder / way / f"{volume}.nii.gz"


def reset_peak() -> None:
    """Let `peak_bytes` count from now on; nothing where the system does not know how."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int | None:
    """The largest resident size of this process; None where the system does not tell."""
    place = Path("/proc/self/status")
    lines = place.read_text().splitlines() if place.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def _bars(output: Tensor) -> list[list[list[float]]]:
    """The longest bars of each dimension, ``[birth, death]``."""
    diagrams = persistence(output.detach().cpu())
    found = []
    for dimension in range(output.ndim - 2):
        bars = diagrams.select(image=0, dimension=dimension)
        pairs = torch.stack([bars.births, bars.deaths], 1)[:_BARS]
        found.append([[round(value, 4) for value in pair] for pair in pairs.tolist()])
    return found
