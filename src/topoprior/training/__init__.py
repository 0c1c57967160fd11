"""Training with the prior: the supervised phase, and the one with unlabelled images (equation 6).

The names are loaded when they are first used: reading the settings does not import torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior.training.cases import Cases
    from topoprior.training.fitting import fit
    from topoprior.training.result import TrainingResult
    from topoprior.training.settings import (
        AugmentationSettings,
        HardwareSettings,
        NetworkSettings,
        PriorSettings,
        PseudoLabelSettings,
        SupervisedSettings,
        TrainingSettings,
    )

_HOMES = {
    "AugmentationSettings": "settings",
    "Cases": "cases",
    "HardwareSettings": "settings",
    "NetworkSettings": "settings",
    "PriorSettings": "settings",
    "PseudoLabelSettings": "settings",
    "SupervisedSettings": "settings",
    "TrainingResult": "result",
    "TrainingSettings": "settings",
    "fit": "fitting",
}

__all__ = [
    "AugmentationSettings",
    "Cases",
    "HardwareSettings",
    "NetworkSettings",
    "PriorSettings",
    "PseudoLabelSettings",
    "SupervisedSettings",
    "TrainingResult",
    "TrainingSettings",
    "fit",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'topoprior.training' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"topoprior.training.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
