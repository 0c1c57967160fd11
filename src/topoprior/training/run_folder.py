"""The files of a run: the state to resume from, and the trained network with all that is needed to use it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from topoprior.imaging import networks
from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from torch import nn

    from topoprior.training.cases import Cases
    from topoprior.training.result import TrainingResult
    from topoprior.training.settings import Method, TrainingSettings

Fingerprint = dict[str, str]


def fingerprint(settings: TrainingSettings, stages: tuple[Method, ...], cases: list[Cases | None]) -> Fingerprint:
    """What a run must share with the one that it resumes: everything but the hardware, as text by name."""
    stated = asdict(settings)
    del stated["hardware"]
    names = ("labelled cases", "validation cases", "unlabelled cases")
    prints = {name: _digest(one) for name, one in zip(names, cases, strict=True)}
    return {**_flat(stated, ""), "phases": " ".join(stages), **prints}


class RunFolder:
    """Where a run is kept, if anywhere.

    Args:
        folder: Of the run; None to keep nothing.
        own: The fingerprint of this run.
    """

    def __init__(self, folder: str | Path | None, own: Fingerprint) -> None:
        self.folder = None if folder is None else Path(folder)
        self._own = own
        self._factory: str | None = None

    def state(self, *, resume: bool) -> dict[str, Any] | None:
        """The saved state to go on from, or None to begin anew.

        Raises:
            FileExistsError: If there is a run already and ``resume`` is False.
            ValueError: If the saved run is another one, or damaged.
        """
        if self.folder is None:
            if resume:
                raise ValueError("resume needs the folder of the run, got folder=None")
            return None
        last = self.folder / "checkpoints" / "last.pt"
        if not last.exists():
            return None
        if not resume:
            raise FileExistsError(f"{self.folder} holds a run already: resume it, or choose another folder")
        try:
            saved = torch.load(last, map_location="cpu", weights_only=True)
            state, other = saved["state"], saved["fingerprint"]
        except Exception as error:  # whatever a broken file makes torch raise
            raise ValueError(f"{last} is damaged or no state of a run: {error}") from error
        for name in sorted({*other, *self._own}):
            if other.get(name) != self._own.get(name):
                raise ValueError(
                    f"{self.folder} cannot be resumed: {name} was {other.get(name, 'not set')} and is now "
                    f"{self._own.get(name, 'not set')}"
                )
        found: dict[str, Any] = state
        return found

    def open(self, network: nn.Module, factory: str | None) -> None:
        """Make the folders, if the network is one that can be kept.

        Raises:
            TypeError: If it was built neither by ``networks.unet`` nor by the factory of the settings.
        """
        if self.folder is None:
            return
        networks.check_can_be_saved(network, factory)
        self._factory = factory
        (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state to resume from."""
        if self.folder is None:
            return
        with new_file(self.folder / "checkpoints" / "last.pt", overwrite=True) as temporary:
            torch.save({"state": state, "fingerprint": self._own}, temporary)

    def write(self, result: TrainingResult, metadata: dict[str, Any]) -> None:
        """Write the trained network, to be read by ``networks.load``."""
        if self.folder is None:
            return
        post = None if result.post_processing is None else result.post_processing.as_dict()
        networks.save(
            result.network,
            self.folder / "checkpoints" / "best.safetensors",
            activation=result.activation,  # type: ignore[arg-type]
            factory=self._factory,
            metadata={**metadata, "training": result.summary()["phases"], "post_processing": post},
            overwrite=True,
        )


def _flat(settings: dict[str, Any], prefix: str) -> Fingerprint:
    flat: Fingerprint = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat


def _digest(cases: Cases | None) -> str:
    if cases is None:
        return "none"
    digest = hashlib.sha256(repr((cases.names, cases.priors, cases.spacing)).encode())
    for values in (cases.images, cases.labels):
        if values is not None:
            digest.update(repr(tuple(values.shape)).encode())
            digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
