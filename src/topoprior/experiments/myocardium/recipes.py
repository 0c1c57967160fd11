"""How the networks of the myocardium experiment are trained: two recipes, and both of them with a smaller network.

``tuned``
    Ours: what gave every method its best on splits that are in no table.
``paper``
    What the paper says of its training. An epoch of one batch with all labelled images is one step. Neither optimiser
    nor learning rate, neither the depth of the U-net nor any augmentation is stated; of the pseudo-labels of Bai et al.
    (MICCAI 2017), not how many rounds.

The authors' code for this experiment was never published, so there is no third one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from topoprior.training.settings import (
    AugmentationSettings,
    HardwareSettings,
    NetworkSettings,
    PriorSettings,
    PseudoLabelSettings,
    SupervisedSettings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from topoprior.experiments.myocardium.cells import Cell
    from topoprior.training.device import Device

RecipeName = Literal["tuned", "paper"]


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained.

    Attributes:
        name: Of it.
        training: All but the method and the seed.
        whole_batches: Every batch has as many images as are labelled.
    """

    name: RecipeName
    training: TrainingSettings
    whole_batches: bool = False

    def of(self, cell: Cell) -> TrainingSettings:
        """The settings of one cell."""
        settings = replace(self.training, seed=cell.seed)
        if not self.whole_batches:
            return settings
        size = cell.labelled
        return replace(
            settings,
            supervised=replace(settings.supervised, batch_size=size),
            prior=replace(settings.prior, batch_size=size, unlabelled_batch_size=size),
            pseudo_labels=replace(settings.pseudo_labels, batch_size=size, unlabelled_batch_size=size),
        )

    def longer(self, cell: Cell) -> SupervisedSettings:
        """A further supervised phase on as many images as the phase with the prior sees, all of them labelled."""
        settings = self.of(cell)
        rate = settings.prior.learning_rate
        return replace(settings.supervised, steps=2 * settings.prior.steps, learning_rate=rate, patience=6)

    def smaller(self) -> Recipe:
        """A network of a quarter of the weights: half the steps as well would leave it untrained."""
        network = self.training.network
        smaller = replace(network, channels=tuple(count // 2 for count in network.channels))
        return replace(self, training=replace(self.training, network=smaller))

    def on(self, device: Device) -> Recipe:
        """The same, elsewhere."""
        return replace(self, training=replace(self.training, hardware=HardwareSettings(device=device)))

    def as_dict(self) -> dict[str, Any]:
        """All that results depend on, as JSON takes it."""
        training = asdict(self.training)
        for other in ("method", "seed", "post_processing", "hardware"):
            del training[other]
        return {"recipe": self.name, "whole_batches": self.whole_batches, **training}


_TUNED = TrainingSettings(
    supervised=SupervisedSettings(steps=800, batch_size=10, learning_rate=3e-3),
    prior=PriorSettings(steps=400, batch_size=10, unlabelled_batch_size=10, learning_rate=2e-3, weight=0.1),
    pseudo_labels=PseudoLabelSettings(
        rounds=4, steps=100, batch_size=10, unlabelled_batch_size=10, learning_rate=2e-3, labels="soft"
    ),
)
_EVERY_PHASE: dict[str, Any] = {
    "loss": "dice",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "schedule": "constant",
    "validate_every": 50,
    "patience": 5,
}
_PAPER = TrainingSettings(
    network=NetworkSettings(residual_units=0),
    supervised=SupervisedSettings(steps=3000, **_EVERY_PHASE),
    prior=PriorSettings(steps=3000, weight=0.01, combine="alternate", keep="dice", **_EVERY_PHASE),
    pseudo_labels=PseudoLabelSettings(rounds=3, steps=1000, labels="hard", **_EVERY_PHASE),
    augmentation=AugmentationSettings(rotation=0, scale=0, shift=0, contrast=0, brightness=0, noise=0),
)
RECIPES: dict[RecipeName, Recipe] = {
    "tuned": Recipe("tuned", _TUNED),
    "paper": Recipe("paper", _PAPER, whole_batches=True),
}
