"""Put what is known about a shape's topology into image segmentation.

The public names are loaded when they are first used, so that ``import topoprior`` (and ``topoprior --help``)
costs milliseconds and does not import torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topoprior import baselines, doctor, training
    from topoprior.doctor.diagnosis import diagnose
    from topoprior.evaluation import metrics, statistics
    from topoprior.evaluation.class_topology import ClassTopology, class_topology
    from topoprior.imaging import corrupt, networks, phantoms
    from topoprior.losses import functional
    from topoprior.losses.betti_prior_loss import BettiPriorLoss
    from topoprior.losses.class_prior_loss import ClassPriorLoss, class_prior_loss
    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import betti_prior_loss
    from topoprior.priors import presets
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.guarantee import guarantee
    from topoprior.refinement.many import refine_many
    from topoprior.refinement.network import refine
    from topoprior.refinement.probability_map import refine_map
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology import exchange
    from topoprior.topology.betti import betti_numbers
    from topoprior.topology.diagram import PersistenceDiagrams, persistence
    from topoprior.viewing import plot

# Where each public name lives; a module stands for itself.
_HOMES = {
    "BettiPrior": "topoprior.priors.betti_prior",
    "BettiPriorLoss": "topoprior.losses.betti_prior_loss",
    "ClassPriorLoss": "topoprior.losses.class_prior_loss",
    "ClassPriors": "topoprior.priors.class_priors",
    "ClassTopology": "topoprior.evaluation.class_topology",
    "Economy": "topoprior.losses.economy",
    "PersistenceDiagrams": "topoprior.topology.diagram",
    "RefinementResult": "topoprior.refinement.result",
    "baselines": "topoprior",
    "betti_numbers": "topoprior.topology.betti",
    "betti_prior_loss": "topoprior.losses.functional",
    "class_prior_loss": "topoprior.losses.class_prior_loss",
    "class_topology": "topoprior.evaluation.class_topology",
    "corrupt": "topoprior.imaging",
    "diagnose": "topoprior.doctor.diagnosis",
    "doctor": "topoprior",
    "exchange": "topoprior.topology",
    "functional": "topoprior.losses",
    "guarantee": "topoprior.refinement.guarantee",
    "metrics": "topoprior.evaluation",
    "networks": "topoprior.imaging",
    "persistence": "topoprior.topology.diagram",
    "phantoms": "topoprior.imaging",
    "plot": "topoprior.viewing",
    "presets": "topoprior.priors",
    "refine": "topoprior.refinement.network",
    "refine_many": "topoprior.refinement.many",
    "refine_map": "topoprior.refinement.probability_map",
    "statistics": "topoprior.evaluation",
    "training": "topoprior",
}

__all__ = [
    "BettiPrior",
    "BettiPriorLoss",
    "ClassPriorLoss",
    "ClassPriors",
    "ClassTopology",
    "Economy",
    "PersistenceDiagrams",
    "RefinementResult",
    "baselines",
    "betti_numbers",
    "betti_prior_loss",
    "class_prior_loss",
    "class_topology",
    "corrupt",
    "diagnose",
    "doctor",
    "exchange",
    "functional",
    "guarantee",
    "metrics",
    "networks",
    "persistence",
    "phantoms",
    "plot",
    "presets",
    "refine",
    "refine_many",
    "refine_map",
    "statistics",
    "training",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("topoprior")
    if name not in _HOMES:
        raise AttributeError(f"module 'topoprior' has no attribute {name!r}")
    home = _HOMES[name]
    try:
        return importlib.import_module(f"{home}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{home}.{name}":
            raise
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
