"""The networks of the ACDC experiment: which patients they learn from, and how they are trained."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from topoprior.experiments.trained_networks import train_once
from topoprior.imaging.datasets.acdc import CLASSES, SLICES, read_patient
from topoprior.imaging.datasets.classes import class_numbers
from topoprior.imaging.preparation import Preparation
from topoprior.training import Cases, NetworkSettings, SupervisedSettings, TrainingSettings
from topoprior.training.settings import HardwareSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from topoprior.experiments.acdc.splits import Split
    from topoprior.experiments.demo import Progress
    from topoprior.imaging.datasets.acdc import Patient, Stack
    from topoprior.training.device import Device

Variant = Literal["myocardium", "heart"]
LONGER = 5  # halves: 2500 steps in place of 1000
_OF_REFINEMENT = ("weights", "learning_rates", "max_steps", "max_map_steps")
LEARNT = {"myocardium": {"MYO": CLASSES["MYO"]}, "heart": CLASSES}
"""Variant to the classes that its network tells apart."""


@dataclass(frozen=True)
class Settings:
    """All that the numbers depend on besides the data and the seed.

    Attributes:
        spacing: Millimetres from pixel to pixel of what the network sees.
        size: Sides of what it sees, in these pixels.
        network: The function below that makes the U-net.
        steps: Of training, where the patients are dealt into folds; see `official`.
        batch_size: Of training.
        learning_rate: Of training.
        validate_every: Steps of training between two looks at the validation patients.
        folds: Parts of the patients, each unseen once; where there are testing patients, these alone are unseen.
        weights: Lambdas of the refinement to choose from on the validation patients; the paper's must be among them.
        learning_rates: Of the refinement, to choose from likewise.
        max_steps: Of `topoprior.refine`, at most.
        max_map_steps: Of `topoprior.refine_map`, where `refine` did not suffice.
    """

    spacing: float = 1.5
    size: int = 112
    network: str = "unet"
    steps: int = 1000
    batch_size: int = 8
    learning_rate: float = 3e-3
    validate_every: int = 100
    folds: int = 5
    weights: tuple[float, ...] = (0.01, 0.1)
    learning_rates: tuple[float, ...] = (3e-5, 1e-4, 3e-4)
    max_steps: int = 100
    max_map_steps: int = 500

    @property
    def of_training(self) -> dict[str, Any]:
        """Those that the networks depend on."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_REFINEMENT}

    @property
    def official(self) -> Settings:
        """With the challenge's own split: there are many more patients to learn from, so training takes longer."""
        return replace(self, steps=LONGER * self.steps // 2, validate_every=LONGER * self.validate_every // 2)

    @property
    def preparation(self) -> Preparation:
        """From a stack to the network."""
        return Preparation(slices=SLICES, spacing=(self.spacing,) * 2, size=(self.size,) * 2)

    @property
    def side(self) -> float:
        """Of what the network sees, in millimetres."""
        return self.spacing * self.size


@dataclass(frozen=True)
class NetworkCell:
    """A network to train.

    Attributes:
        variant: What it tells apart.
        split: On whom.
    """

    variant: Variant
    split: Split

    @property
    def name(self) -> str:
        """As files are named."""
        return f"network_{self.variant}_{self.split.name}"


def unet(
    spatial_dims: int, in_channels: int, out_channels: int, *, features: tuple[int, ...] = (16, 32, 64, 128, 128, 16)
) -> nn.Module:
    """MONAI's plain U-net: two convolutions per level, the first at full resolution; features of the last one last.

    With batch normalisation: normalising each image by itself would stretch the noise of a slice without a heart to the
    contrast of one with a heart.
    """
    from monai.networks.nets import BasicUNet

    network: nn.Module = BasicUNet(spatial_dims, in_channels, out_channels, features=features, norm="batch")
    return network


def small_unet(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """The same, small."""
    return unet(spatial_dims, in_channels, out_channels, features=(8, 16, 32, 32, 32, 8))


def train(
    cell: NetworkCell,
    *,
    patients: dict[str, Patient],
    settings: Settings,
    folder: Path,
    device: Device,
    seed: int,
    overwrite: bool = False,
    tell: Progress | None = None,
) -> dict[str, Any]:
    """Train a network, or go on with one that was begun: what it learnt from, and how it went.

    Args:
        cell: Which network.
        patients: By name.
        settings: Of the experiment.
        folder: Where its files are kept, in a folder of its name.
        device: Where to compute.
        seed: Of every random choice.
        overwrite: Begin anew where a training with other settings or cases was begun.
        tell: Called as ``tell(what, step, steps)``.

    Returns:
        What JSON takes; ``weights`` tells the network from all others.
    """
    cases = partial(cases_of, patients=patients, settings=settings, variant=cell.variant)
    began = time.process_time()
    labelled, validation = cases(cell.split.training), cases(cell.split.validation)
    found = train_once(
        folder / cell.name,
        TrainingSettings(
            seed=seed,
            network=NetworkSettings(factory=f"{__name__}:{settings.network}"),
            supervised=SupervisedSettings(
                loss="ce",
                steps=settings.steps,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                validate_every=settings.validate_every,
                patience=settings.steps,  # the cosine runs to its end; the best state is kept
            ),
            hardware=HardwareSettings(device=device),
        ),
        labelled=labelled,
        validation=validation,
        metadata={"experiment": "acdc", "split": asdict(cell.split), "settings": asdict(settings)},
        overwrite=overwrite,
        tell=tell,
    )
    sizes = {"training_slices": len(labelled), "validation_slices": len(validation)}
    return {**sizes, **found, "processor_seconds": time.process_time() - began}


def cases_of(names: Sequence[str], *, patients: dict[str, Patient], settings: Settings, variant: Variant) -> Cases:
    """The slices of patients with their labels, as the network sees them."""
    images, labels, slices = [], [], []
    for name in names:
        for stack in read_patient(patients[name], side=settings.side):
            prepared = settings.preparation.prepare(stack.part)
            images.append(prepared)
            labels.append(settings.preparation.prepare_labels(_numbers(stack, variant), stack.part))
            slices += [f"{stack.frame.name}, slice {index}" for index in range(len(prepared))]
    return Cases(
        torch.from_numpy(np.concatenate(images))[:, None],
        torch.from_numpy(np.concatenate(labels)),
        tuple(slices),
        spacing=(settings.spacing,) * 2,
    )


def _numbers(stack: Stack, variant: Variant) -> np.ndarray[Any, np.dtype[np.uint8]]:
    labels = stack.part_labels
    if labels is None:
        raise ValueError(f"{stack.frame.image} has no ground truth beside it (_gt), so nothing can be learnt from it")
    return class_numbers(replace(stack.part, array=labels), LEARNT[variant])
