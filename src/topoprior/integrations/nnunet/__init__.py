"""At home in nnU-Net v2: a trainer with the prior, and refinement of its predictions and its networks.

    export nnUNet_extTrainer="$(python -m topoprior.integrations.nnunet)"
    nnUNetv2_train 1 2d 0 -tr nnUNetTrainerBettiPrior

docs/how-to/nnunet.md shows all of it at work. Only the trainer and `Model` need nnU-Net itself:
``pip install 'topoprior[nnunet]'``.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.integrations.nnunet.loss import PriorLoss
    from topoprior.integrations.nnunet.model import Model
    from topoprior.integrations.nnunet.predictions import (
        Prediction,
        read_prediction,
        refine_prediction,
        write_prediction,
    )
    from topoprior.integrations.nnunet.settings import PriorSettings
    from topoprior.integrations.nnunet.training import BettiPriorMixin
    from topoprior.integrations.nnunet.windows import InWindows

TRAINERS = Path(__file__).parent / "trainers"
"""The folder for nnU-Net's environment variable ``nnUNet_extTrainer``."""

_HOMES = {
    "BettiPriorMixin": "training",
    "InWindows": "windows",
    "Labels": "labels",
    "Model": "model",
    "Prediction": "predictions",
    "PriorLoss": "loss",
    "PriorSettings": "settings",
    "read_prediction": "predictions",
    "refine_prediction": "predictions",
    "write_prediction": "predictions",
}

__all__ = [
    "TRAINERS",
    "BettiPriorMixin",
    "InWindows",
    "Labels",
    "Model",
    "Prediction",
    "PriorLoss",
    "PriorSettings",
    "read_prediction",
    "refine_prediction",
    "write_prediction",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use: the path of the trainers is asked for in shells, which should not wait."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
