"""The networks of the 3-D experiment: k-fold cross-validation over patients, training, and the rate of refinement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.experiments.placenta import network
from topoprior.experiments.placenta.subject import Subject
from topoprior.experiments.placenta.volumes import read_volume
from topoprior.experiments.trained_networks import train_once
from topoprior.imaging.preparation import Preparation
from topoprior.training import AugmentationSettings, Cases, NetworkSettings, SupervisedSettings, TrainingSettings
from topoprior.training.settings import HardwareSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from topoprior.experiments.demo import Progress
    from topoprior.experiments.placenta.volumes import Volume
    from topoprior.training.device import Device


@dataclass(frozen=True)
class Settings:
    """All that the numbers depend on besides the data and the seed.

    Attributes:
        folds: Parts of the patients, each unseen once.
        network: The function of `topoprior.experiments.placenta.network` that makes the U-net.
        steps: Of training.
        batch_size: Of training.
        learning_rate: Of training.
        validate_every: Steps of training between two looks at the validation volumes.
        rotation: Of the augmentation, in degrees.
        learning_rates: Of the refinement, to choose from on the validation volumes.
        max_steps: Of the refinement.
    """

    folds: int = 13
    network: str = "unet"
    steps: int = 600
    batch_size: int = 2
    learning_rate: float = 3e-3
    validate_every: int = 100
    rotation: float = 15.0
    learning_rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3)
    max_steps: int = 100


@dataclass(frozen=True)
class FoldCell:
    """A network, and the volumes that it learns from, that its settings are chosen by, and that it has not seen.

    Attributes:
        number: From 1.
        training: Names of volumes.
        validation: Likewise, like those that follow.
        test: Of whole patients, none of whom is in the other two.
    """

    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def name(self) -> str:
        """As files are named."""
        return f"fold{self.number:02d}"


@dataclass(frozen=True, eq=False)
class Work:
    """What all cells share; small enough to be sent to other processes.

    Attributes:
        volumes: By name.
        size: Sides of what the networks see, in voxels of the files.
        settings: Of the experiment.
        networks: Folder of the networks.
        predictions: Folder for the masks.
        device: Where to compute.
        seed: Of every random choice.
        overwrite: Whether to begin anew a training with other settings.
    """

    volumes: Mapping[str, Volume]
    size: tuple[int, ...]
    settings: Settings
    networks: Path
    predictions: Path
    device: Device
    seed: int
    overwrite: bool

    @property
    def preparation(self) -> Preparation:
        """From a volume to the network: padded, never cropped, as no volume is larger."""
        return Preparation(size=self.size)

    def subject(self, name: str, fold: str, weights: str) -> Subject:
        """A volume with the network of a fold."""
        network = self.networks / fold, weights
        return Subject.of(self.volumes[name], network, self.preparation, device=self.device)


def folds_of(volumes: Sequence[Volume], *, folds: int, seed: int) -> list[FoldCell]:
    """Every patient unseen once; the next fold's patients are those to choose by.

    Patients are shuffled, then dealt, those with most volumes first, to the fold that has the fewest volumes.

    Raises:
        ValueError: If there are fewer than 3 folds, or fewer patients than folds.
    """
    of: dict[str, list[str]] = {}
    for volume in volumes:
        of.setdefault(volume.patient, []).append(volume.name)
    if not 3 <= folds <= len(of):
        raise ValueError(f"folds must be at least 3 and no more than the {len(of)} patients, got {folds}")
    names = sorted(of)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    parts: list[list[str]] = [[] for _ in range(folds)]
    for patient in sorted(shuffled, key=lambda one: -len(of[one])):
        min(parts, key=len).extend(of[patient])
    found = []
    for fold, test in enumerate(parts):
        validation = parts[(fold + 1) % folds]
        rest = [name for part in parts for name in part if part is not test and part is not validation]
        found.append(FoldCell(fold + 1, *(tuple(sorted(part)) for part in (rest, validation, test))))
    return found


def train(cell: FoldCell, *, work: Work, tell: Progress | None = None) -> dict[str, Any]:
    """Train a network, or go on with one that was begun; then choose how to refine it on its validation volumes.

    Returns:
        How both went; ``weights`` tells the network from all others.
    """
    settings = work.settings
    found = train_once(
        work.networks / cell.name,
        TrainingSettings(
            seed=work.seed,
            network=NetworkSettings(factory=f"{network.__name__}:{settings.network}"),
            supervised=SupervisedSettings(
                loss="dice",
                steps=settings.steps,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                validate_every=settings.validate_every,
                patience=settings.steps,  # the cosine runs to its end; the best state is kept
            ),
            augmentation=AugmentationSettings(rotation=settings.rotation),
            hardware=HardwareSettings(device=work.device),
        ),
        labelled=cases_of(cell.training, work=work),
        validation=cases_of(cell.validation, work=work),
        metadata={"experiment": "placenta", "fold": asdict(cell), "settings": asdict(settings)},
        overwrite=work.overwrite,
        tell=tell,
    )
    return {**found, **_choose(cell, found["weights"], work)}


def cases_of(names: Sequence[str], *, work: Work) -> Cases:
    """Volumes with their labels, as the network sees them."""
    images, labels = [], []
    for name in names:
        image, label = read_volume(work.volumes[name])
        images.append(work.preparation.prepare(image))
        labels.append(work.preparation.prepare_labels(label, image))
    return Cases(
        torch.from_numpy(np.concatenate(images))[:, None], torch.from_numpy(np.concatenate(labels)), tuple(names)
    )


def _choose(cell: FoldCell, weights: str, work: Work) -> dict[str, Any]:
    """Refine the validation volumes at all rates, and take what does best; see `best`."""
    subjects = [work.subject(name, cell.name, weights) for name in cell.validation]
    before = [subject.scores(subject.unrefined()) for subject in subjects]
    rows = []
    for rate in work.settings.learning_rates:
        after = [
            subject.scores(subject.refined(learning_rate=rate, max_steps=work.settings.max_steps))
            for subject in subjects
        ]
        gains = [new["dice"] - old["dice"] for old, new in zip(before, after, strict=True)]
        rows.append({"learning_rate": rate, "right": sum(one["right"] for one in after), "gain": float(np.mean(gains))})
    return {"right_before": sum(one["right"] for one in before), "rows": rows, "chosen": best(rows)}


def best(rows: Sequence[Mapping[str, Any]]) -> float:
    """The rate with the largest gain in Dice, among those that lack at most one right volume of the most.

    Args:
        rows: With ``learning_rate``, ``right`` and ``gain``.

    Examples:
        >>> best([{"learning_rate": rate, "right": right, "gain": gain} for rate, right, gain in
        ...     [(1e-4, 2, 0.03), (3e-4, 4, 0.02), (1e-3, 5, 0.01)]])
        0.0003
    """
    most = max(row["right"] for row in rows)
    row = max((row for row in rows if row["right"] >= most - 1), key=lambda row: float(row["gain"]))
    return float(row["learning_rate"])
