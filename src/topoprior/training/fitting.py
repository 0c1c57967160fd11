"""The public calls: train a network by one of the methods, and keep everything that is needed to use it."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from topoprior.baselines.crf import DenseCRF
from topoprior.baselines.post_processing import post_processing
from topoprior.baselines.pseudo_label import pseudo_label_phases
from topoprior.imaging import networks
from topoprior.training import draws
from topoprior.training.checks import check_cases, check_shares
from topoprior.training.device import chosen_device
from topoprior.training.feed import Place
from topoprior.training.loop import Loop
from topoprior.training.records import Records
from topoprior.training.result import TrainingResult
from topoprior.training.run_folder import RunFolder, fingerprint
from topoprior.training.semisupervised import prior_phase
from topoprior.training.settings import TrainingSettings
from topoprior.training.supervised import supervised_phase

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_fabric import Fabric

    from topoprior.baselines.post_processing import PostProcessing
    from topoprior.training.cases import Cases
    from topoprior.training.loop import Progress
    from topoprior.training.phase import Phase
    from topoprior.training.settings import Method


def fit(
    settings: TrainingSettings,
    *,
    labelled: Cases,
    validation: Cases,
    unlabelled: Cases | None = None,
    network: nn.Module | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    metadata: dict[str, Any] | None = None,
) -> TrainingResult:
    """Train a network by the method that the settings name.

    Every method begins with the supervised phase. The others then go on from the network that it kept, with the
    unlabelled images: ``prior`` through their topology, ``pseudo-labels`` through the network's own predictions,
    ``pseudo-labels+prior`` through both. To compare methods, run the supervised phase once and give its network to
    ``fit`` again as ``network``: the other methods then leave that phase out.

    With a folder the run writes ``metrics.jsonl``, ``tensorboard/``, ``checkpoints/last.pt`` (from which it can be
    resumed after it was stopped at any moment, to the same end) and ``checkpoints/best.safetensors`` with its
    ``best.json`` (which :func:`topoprior.networks.load` reads).

    Args:
        settings: What is done; see :class:`topoprior.training.TrainingSettings`.
        labelled: Images with labels.
        validation: Images with labels, to choose states by; with priors, their topology is looked at too.
        unlabelled: Images whose labels, if they have any, are not used; with priors for the method ``prior``.
        network: Trained already: a copy goes on from its weights, with the phase of the method alone.
        folder: Where the run is kept; None to write nothing. It may exist.
        resume: Go on from ``checkpoints/last.pt`` if it is there.
        progress: Called as ``progress(phase, step, steps, values)`` after each step.
        metadata: Written into ``best.json``; anything that JSON can hold.

    Returns:
        The trained network, how each phase went, and the log.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If settings and cases do not fit together, a class has no labelled pixel, a loss becomes infinite,
            or a run cannot be resumed with these settings and cases.
        FileExistsError: If the folder holds a run already and ``resume`` is False.
        ImportError: If Lightning Fabric, MONAI or TensorBoard is missing: ``pip install 'topoprior[train]'``.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 3.3, equation 6. PMC9721526.

    Examples:
        Two labelled rings, two more to choose by, and two of which no more is known than that they are rings:

        >>> import topoprior as tp
        >>> from topoprior.training import Cases, NetworkSettings, PriorSettings, SupervisedSettings
        >>> images, masks = map(torch.from_numpy, tp.phantoms.ring_segmentation(6, size=40, seed=0))
        >>> rings = Cases(images, masks[:, 0].byte(), tuple("abcdef"), ((tp.BettiPrior(1, 1),),) * 6)
        >>> settings = TrainingSettings(  # far too short to learn much
        ...     method="prior",
        ...     network=NetworkSettings(channels=(4, 8)),
        ...     supervised=SupervisedSettings(steps=4, batch_size=2),
        ...     prior=PriorSettings(steps=2, batch_size=2, unlabelled_batch_size=2, keep="last"),
        ... )
        >>> labelled, validation, unlabelled = (rings.select([k, k + 1]) for k in (0, 2, 4))
        >>> result = tp.training.fit(settings, labelled=labelled, validation=validation, unlabelled=unlabelled)
        >>> [(phase.name, phase.steps) for phase in result.phases]
        [('supervised', 4), ('prior', 2)]
        >>> result.masks(unlabelled.images).shape
        torch.Size([2, 1, 40, 40])
    """
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"settings must be TrainingSettings, got {type(settings).__name__}")
    stages: tuple[Method, ...] = (settings.method,)
    if network is None and settings.method != "supervised":
        stages = ("supervised", settings.method)
    began = time.perf_counter()
    classes = check_cases(settings, stages, labelled, validation, unlabelled)
    check_shares(settings, stages)
    fabric = _fabric(settings)
    channels = 1 if classes == 1 else classes + 1
    with torch.random.fork_rng():
        trained = _network(settings, labelled, channels) if network is None else copy.deepcopy(network)
        keeper = RunFolder(folder, fingerprint(settings, stages, [labelled, validation, unlabelled]))
        state = keeper.state(resume=resume)
        fabric.barrier()  # no process writes before all have read
        keeper.open(trained, settings.network.factory)
        place = Place(
            rank=fabric.global_rank,
            processes=fabric.world_size,
            device=fabric.device,
            seed=settings.seed,
            augmentation=settings.augmentation,
        )
        records = Records(keeper.folder if fabric.is_global_zero else None, keep=state["records"] if state else 0)
        loop = Loop(
            fabric=fabric,
            network=trained,
            validation=validation,
            scoring=settings.prior,
            seed=settings.seed,
            records=records,
            save=keeper.save,
            progress=progress if fabric.is_global_zero else None,
        )
        phases = _phases(settings, stages, labelled, unlabelled, place, channels)
        try:
            finished = loop.run(phases, state)
        finally:
            records.close()
    result = TrainingResult(
        network=trained.cpu().eval(),
        activation="sigmoid" if channels == 1 else "softmax",
        phases=finished,
        history=tuple(records.all),
        post_processing=None,
        seconds=0.0,
        folder=keeper.folder,
    )
    result = replace(result, post_processing=_post_processing(settings, result, validation))
    if fabric.is_global_zero:
        keeper.write(result, metadata or {})
    fabric.barrier()
    return replace(result, seconds=time.perf_counter() - began)


def _fabric(settings: TrainingSettings) -> Fabric:
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise ImportError("training needs Lightning Fabric: pip install 'topoprior[train]'") from error
    hardware = settings.hardware
    fabric = Fabric(
        accelerator=chosen_device(hardware.device).type,
        devices=hardware.devices,
        strategy="ddp" if hardware.devices > 1 else "auto",
        precision=hardware.precision,
    )
    fabric.launch()
    return fabric


def _network(settings: TrainingSettings, labelled: Cases, channels: int) -> nn.Module:
    torch.manual_seed(draws.number(settings.seed, "network"))
    axes = {"spatial_dims": len(labelled.spatial), "in_channels": labelled.images.shape[1], "out_channels": channels}
    if settings.network.factory is not None:
        return networks.build(settings.network.factory, axes)
    return networks.unet(**axes, channels=settings.network.channels, residual_units=settings.network.residual_units)


def _phases(
    settings: TrainingSettings,
    stages: tuple[Method, ...],
    labelled: Cases,
    unlabelled: Cases | None,
    place: Place,
    channels: int,
) -> list[Phase]:
    phases = []
    threads = settings.hardware.threads
    if "supervised" in stages:
        phases.append(supervised_phase(settings.supervised, labelled, place, channels))
    if "prior" in stages:
        assert unlabelled is not None
        phases.append(prior_phase(settings.prior, labelled, unlabelled, place, channels, threads))
    if stages[-1].startswith("pseudo-labels"):
        assert unlabelled is not None
        prior = settings.prior if stages[-1].endswith("prior") else None
        phases += pseudo_label_phases(
            settings.pseudo_labels, labelled, unlabelled, place, channels, prior=prior, threads=threads
        )
    return phases


def _post_processing(settings: TrainingSettings, result: TrainingResult, validation: Cases) -> PostProcessing | None:
    if settings.post_processing["name"] == "none":
        return None
    if settings.post_processing == {"name": "crf"}:
        assert validation.labels is not None
        pixels = tuple(size / min(validation.spacing) for size in validation.spacing)  # distances in smallest sides
        probabilities = result.probabilities(validation.images)
        return DenseCRF(spacing=pixels).fitted_to(probabilities, validation.images, (validation.labels == 1)[:, None])
    return post_processing(settings.post_processing)
