"""At home in MONAI: losses, metrics, transforms and a handler, under the names that its configurations look for.

    from topoprior.integrations.monai import BettiPriorLoss, KeepTopologyd, TopologicalSuccessMetric

Needs MONAI, and the handler pytorch-ignite too: ``pip install 'topoprior[monai]'``. docs/how-to/monai.md shows them at
work.
"""

from topoprior.evaluation.cumulative import BettiErrorMetric, ClDiceMetric, TopologicalSuccessMetric
from topoprior.integrations.monai.dictionary import KeepTopologyd, RefineTopologyd
from topoprior.integrations.monai.prior_handler import TopologyPriorHandler
from topoprior.integrations.monai.transforms import KeepTopology, RefineTopology
from topoprior.losses.betti_prior_loss import BettiPriorLoss
from topoprior.losses.class_prior_loss import ClassPriorLoss

# MONAI's other spellings of the same transforms.
KeepTopologyD = KeepTopologyDict = KeepTopologyd
RefineTopologyD = RefineTopologyDict = RefineTopologyd

__all__ = [
    "BettiErrorMetric",
    "BettiPriorLoss",
    "ClDiceMetric",
    "ClassPriorLoss",
    "KeepTopology",
    "KeepTopologyD",
    "KeepTopologyDict",
    "KeepTopologyd",
    "RefineTopology",
    "RefineTopologyD",
    "RefineTopologyDict",
    "RefineTopologyd",
    "TopologicalSuccessMetric",
    "TopologyPriorHandler",
]
