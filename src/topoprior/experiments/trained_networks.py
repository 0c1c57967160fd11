"""The networks of an experiment: trained once, each in a folder of its own, told apart by a digest of their weights."""

from __future__ import annotations

import shutil
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from topoprior.imaging import networks
from topoprior.training import fit

if TYPE_CHECKING:
    from pathlib import Path

    from topoprior.experiments.demo import Progress
    from topoprior.imaging.networks import LoadedNetwork
    from topoprior.training import Cases, TrainingSettings


def train_once(
    folder: Path,
    settings: TrainingSettings,
    *,
    labelled: Cases,
    validation: Cases,
    metadata: dict[str, Any],
    overwrite: bool = False,
    tell: Progress | None = None,
) -> dict[str, Any]:
    """Train a network, or go on with one that was begun.

    Args:
        folder: Its own; its name is what ``tell`` calls it.
        settings: As `topoprior.training.fit` takes them.
        labelled: To learn from.
        validation: To choose the state by.
        metadata: Kept with the network.
        overwrite: Begin anew where a training with other settings or cases was begun.
        tell: Called as ``tell(what, step, steps)``.

    Returns:
        ``training``, how it went, and ``weights``, their digest.

    Raises:
        ValueError: If a training with other settings or cases was begun there, and ``overwrite`` is false.
    """
    fitted = partial(
        fit,
        settings,
        labelled=labelled,
        validation=validation,
        folder=folder,
        resume=True,
        progress=None if tell is None else lambda _phase, step, of, _values: tell(f"training {folder.name}", step, of),
        metadata=metadata,
    )
    try:
        result = fitted()
    except ValueError:
        if not overwrite:
            raise
        shutil.rmtree(folder)
        result = fitted()
    [phase] = result.summary()["phases"]
    return {"training": phase, "weights": networks.weights_digest(result.network)}


@lru_cache(maxsize=2)
def trained_network(folder: Path, weights: str) -> LoadedNetwork:
    """What `train_once` trained in a folder: read once for all images, and anew if it was trained again.

    Args:
        folder: Its own.
        weights: Their digest.

    Raises:
        OSError, ValueError: If it cannot be read, or has other weights than those.
    """
    checkpoint = folder / "checkpoints" / "best.safetensors"
    loaded = networks.load(checkpoint)
    found = networks.weights_digest(loaded.network)
    if found != weights:
        raise ValueError(f"{checkpoint} holds other weights than were trained: {found}, not {weights}")
    return loaded
