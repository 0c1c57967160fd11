"""How the two networks of the MNIST experiment are trained, each kept beside the settings it was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
import torch.nn.functional as F

from topoprior.experiments.cell_documents import as_json, differences
from topoprior.experiments.mnist.networks import CLASSIFIER, DENOISER, denoised
from topoprior.imaging import networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from topoprior.imaging.datasets.digits import Digits

Step: TypeAlias = "Callable[[int, int], object]"

_LOOK = 25  # steps between two looks at the validation images


@dataclass(frozen=True)
class DenoiserSettings:
    """How the denoiser is built and trained.

    Attributes:
        channels: Features of each level.
        loss: ``"mse"`` or ``"bce"``.
        steps: Updates by Adam.
        batch_size: Images in each; as many as there are, or more, means all of them.
        learning_rate: The largest.
        one_cycle: Whether it rises to that and falls to 0; otherwise it is constant.
        keep_best: Keep the state of lowest mean squared error on the validation images; otherwise the last.
    """

    channels: tuple[int, ...]
    loss: Literal["mse", "bce"]
    steps: int
    batch_size: int
    learning_rate: float
    one_cycle: bool
    keep_best: bool


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is built and trained: cross-entropy, Adam, one rise and fall, images shifted a little."""

    features: int = 16
    epochs: int = 12
    batch_size: int = 100
    learning_rate: float = 2e-3
    shift: int = 1


def trained(
    path: Path,
    settings: Mapping[str, Any],
    train: Callable[[], nn.Module],
    *,
    factory: str,
    overwrite: bool = False,
) -> nn.Module:
    """The network that was trained with these settings: from its checkpoint, or trained now and kept there.

    Args:
        path: Ends in ``.safetensors``.
        settings: All that its weights depend on.
        train: Trains it.
        factory: `DENOISER` or `CLASSIFIER`.
        overwrite: Train anew if the checkpoint is of other settings.

    Raises:
        ValueError: If the checkpoint is of other settings, or damaged.
    """
    wanted = as_json(settings, "the settings")
    if path.exists():
        loaded = networks.load(path)
        changed = differences(loaded.metadata, wanted)
        if not changed:
            return loaded.network
        if not overwrite:
            raise ValueError(
                f"{path} was trained with {', '.join(changed)}: take another folder, or train it anew "
                "(overwrite=True, --overwrite)"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    network = train().eval()
    networks.save(
        network,
        path,
        activation="sigmoid" if factory == DENOISER else "softmax",
        factory=factory,
        metadata=wanted,
        overwrite=True,  # of another network, if that was allowed, or of a description without weights
    )
    return network


def train_denoiser(
    corrupted: Tensor,
    clean: Tensor,
    validation: tuple[Tensor, Tensor],
    settings: DenoiserSettings,
    *,
    seed: int,
    step_done: Step | None = None,
) -> nn.Module:
    """A denoiser fitted to pairs of images.

    Args:
        corrupted: Shape ``(pairs, 1, height, width)``.
        clean: The same.
        validation: Other pairs, corrupted and clean.
        settings: How.
        seed: Of the first weights and of the batches.
        step_done: Called as ``step_done(done, of)``.
    """
    fit = F.mse_loss if settings.loss == "mse" else F.binary_cross_entropy
    batch = min(settings.batch_size, len(clean))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = networks.build(DENOISER, {"channels": list(settings.channels)})  # type: ignore[dict-item]
        optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
        schedule = _schedule(optimiser, settings.learning_rate, settings.steps if settings.one_cycle else None)
        best: tuple[float, dict[str, Tensor]] | None = None
        for step in range(1, settings.steps + 1):
            chosen = torch.randperm(len(clean))[:batch]
            loss = fit(network(corrupted[chosen]).sigmoid(), clean[chosen])
            _update(optimiser, schedule, loss)
            if settings.keep_best and (step % _LOOK == 0 or step == settings.steps):
                error = F.mse_loss(denoised(network, validation[0]), validation[1]).item()
                if best is None or error < best[0]:
                    best = error, {name: value.clone() for name, value in network.state_dict().items()}
            if step_done is not None:
                step_done(step, settings.steps)
    if best is not None:
        network.load_state_dict(best[1])
    return network


def train_classifier(
    digits: Digits, settings: ClassifierSettings, *, seed: int, step_done: Step | None = None
) -> nn.Module:
    """A classifier fitted to clean digits.

    Args:
        digits: Those to learn from.
        settings: How.
        seed: Of the first weights, the batches and the shifts.
        step_done: Called as ``step_done(done, of)``.
    """
    batches = max(1, len(digits) // settings.batch_size)
    steps = settings.epochs * batches
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = networks.build(CLASSIFIER, {"features": settings.features}).train()
        optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
        schedule = _schedule(optimiser, settings.learning_rate, steps)
        for step in range(steps):
            if step % batches == 0:
                order = torch.randperm(len(digits))
            chosen = order[settings.batch_size * (step % batches) :][: settings.batch_size]
            down, right = torch.randint(-settings.shift, settings.shift + 1, (2,)).tolist()
            images = digits.images[chosen].roll((down, right), (2, 3))
            _update(optimiser, schedule, F.cross_entropy(network(images), digits.labels[chosen]))
            if step_done is not None:
                step_done(step + 1, steps)
    return network.eval()


def _schedule(optimiser: torch.optim.Optimizer, rate: float, steps: int | None) -> torch.optim.lr_scheduler.LRScheduler:
    if steps is None:
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)


def _update(optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    schedule.step()
