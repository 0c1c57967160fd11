"""The whole method on images that the project makes: train, find masks with the wrong topology, set them right."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from topoprior.imaging import networks, phantoms
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.network import refine
from topoprior.viewing.report import Case, environment, write_report
from topoprior.viewing.report.refinement import summarise

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from topoprior.imaging.padded_unet import UNet
    from topoprior.refinement.result import RefinementResult

    Progress = Callable[[str, int, int], None]

PRIOR = BettiPrior(1, 1)


@dataclass(frozen=True)
class Settings:
    """What the demo does by default; kept in its results."""

    seed: int = 0
    training_images: int = 60
    training_steps: int = 300
    batch_size: int = 16
    learning_rate: float = 4e-3
    channels: tuple[int, ...] = (16, 32, 64, 128)
    test_images: int = 60
    refinement_weight: float = 0.01
    refinement_learning_rate: float = 3e-4
    refinement_steps: int = 100

    def __post_init__(self) -> None:
        for name in ("training_images", "training_steps", "batch_size", "test_images", "refinement_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")


def run(
    output: str | os.PathLike[str], *, overwrite: bool = False, progress: Progress | None = None, **settings: Any
) -> dict[str, Any]:
    """Train a small U-net on phantoms, refine it on each image of a test set, and write what came of it.

    Each phantom shows one ring: the prior is (1, 1). The network has never seen the test images, and all of them count,
    whether their masks were right or wrong before. About a minute on two cores.

    Args:
        output: A folder, made if need be with the folders above it, for ``report.html``, ``results.json``, the network,
            and the stacks ``image.npy``, ``target.npy``, ``before.npy``, ``after.npy`` (probabilities),
            ``mask_before.npy`` and ``mask_after.npy``, each of shape ``(test_images, height, width)``.
        overwrite: Write into a folder that holds something already; files of other names stay.
        progress: Called as ``progress(what, done, of)`` now and then.
        **settings: Fields of :class:`Settings`, such as ``seed`` or ``training_steps``. The same settings on the same
            machine give the same numbers, running times apart, whatever the number of cores.

    Returns:
        What ``results.json`` holds: ``settings``, ``before`` and ``after`` (each with ``topological_success``, the
        share of test images whose mask has the wanted Betti numbers, and ``dice``, the mean), ``cases`` (one entry per
        test image), ``environment``.

    Raises:
        FileExistsError: If the folder holds something and ``overwrite`` is false.
        NotADirectoryError: If ``output`` is a file.
        TypeError: If there is no such setting.
        ValueError: If a setting is out of range.
        ImportError: If an optional dependency is missing.
    """
    options = Settings(**settings)
    folder = Path(output)
    _check_folder(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".topoprior-demo-") as temporary, _one_thread():
        results = _run_in(Path(temporary), options, progress or _silent)
        folder.mkdir(exist_ok=True)
        for file in sorted(Path(temporary).iterdir()):
            file.replace(folder / file.name)
    return results


def train(settings: Settings, progress: Progress | None = None) -> UNet:
    """A U-net fitted to phantoms by binary cross-entropy, turned and mirrored at random; Adam, one rise and fall."""
    images, masks = (torch.from_numpy(stack).float() for stack in phantoms.ring_segmentation(
        settings.training_images, seed=seeds(settings)[0]
    ))  # fmt: skip
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(settings.seed)
        network = networks.unet(channels=settings.channels)
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, total_steps=settings.training_steps
        )
        for step in range(settings.training_steps):
            chosen = torch.randint(len(images), (settings.batch_size,))
            image, mask = _turn(images[chosen], masks[chosen])
            loss = F.binary_cross_entropy_with_logits(network(image), mask)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            (progress or _silent)("training", step + 1, settings.training_steps)
    return network.eval()


def _run_in(folder: Path, settings: Settings, progress: Progress) -> dict[str, Any]:
    network = train(settings, progress)
    networks.save(network, folder / "network.safetensors", metadata={"trained by": asdict(settings)})
    images, targets = (torch.from_numpy(stack) for stack in phantoms.ring_segmentation(
        settings.test_images, seed=seeds(settings)[1]
    ))  # fmt: skip
    refined: list[RefinementResult] = []
    for image in images:
        refined.append(
            refine(
                network,
                image[None],
                PRIOR,
                activation="sigmoid",
                weight=settings.refinement_weight,
                learning_rate=settings.refinement_learning_rate,
                max_steps=settings.refinement_steps,
            )
        )
        progress("refining", len(refined), settings.test_images)
    _write_stacks(folder, images, targets, refined)
    cases = [
        Case.of(f"phantom {number}", image[0], result, PRIOR, target=target[0])
        for number, (image, target, result) in enumerate(zip(images, targets, refined, strict=True))
    ]
    progress("writing the report", 0, 1)
    results = _results(settings, cases)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_report(
        folder / "report.html",
        cases,
        title="Rings with gaps and islands, set right by a topological prior",
        introduction=(
            f"A small U-net was trained on {settings.training_images} phantoms that resemble short-axis slices of a "
            f"heart, and then adapted to each of {settings.test_images} others on its own (Clough et al. 2022, "
            "equation 5). What is known of each is its topology only: the wall is one component with one loop."
        ),
        configuration=asdict(settings),
    )
    progress("writing the report", 1, 1)
    return results


def _results(settings: Settings, cases: list[Case]) -> dict[str, Any]:
    summary = summarise(cases)
    keys = (
        "betti_before",
        "betti_after",
        "dice_before",
        "dice_after",
        "pixels_changed",
        "steps",
        "stop_reason",
        "seconds",
    )
    return {
        "settings": asdict(settings),
        **{
            when: {
                "topological_success": summary[f"right_{when}"] / summary["images"],
                "dice": summary[f"dice_{when}"],
            }
            for when in ("before", "after")
        },
        "cases": [{"name": case.name, **{key: getattr(case, key) for key in keys}} for case in cases],
        "environment": environment(),
    }


def _write_stacks(folder: Path, images: Tensor, targets: Tensor, refined: list[RefinementResult]) -> None:
    before = torch.cat([result.reference for result in refined])
    after = torch.cat([result.output for result in refined])
    masks = torch.cat([result.mask for result in refined])
    stacks = {
        "image": images,
        "target": targets.byte(),
        "before": before,
        "after": after,
        "mask_before": (before >= 0.5).byte(),
        "mask_after": masks.byte(),
    }
    for name, stack in stacks.items():
        np.save(folder / f"{name}.npy", stack[:, 0].numpy())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums then do not depend on the number of cores. Images this small gain little from a second one, and where other
    programs keep the cores busy, two threads that wait for each other took four times as long as one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _silent(_what: str, _done: int, _of: int) -> None:
    """No progress wanted."""


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"output must be a folder, and {folder} is a file")
    if folder.is_dir() and not overwrite and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: choose another folder, or allow files in it to be overwritten")


def seeds(settings: Settings) -> list[int]:
    """Seeds of the training images and of the test images, which differ."""
    return [int(state) for state in np.random.SeedSequence(settings.seed).generate_state(2)]


def _turn(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """A batch turned by a random quarter and mirrored half of the time."""
    quarter, mirrored = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
    turned = [stack.rot90(quarter, (2, 3)) for stack in (images, masks)]
    left, right = [stack.flip(3) for stack in turned] if mirrored else turned
    return left, right
