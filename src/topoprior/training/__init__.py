"""Training with the prior: the supervised phase, and the one with unlabelled images (equation 6)."""

from topoprior.training.cases import Cases
from topoprior.training.settings import TrainingSettings

__all__ = ["Cases", "TrainingSettings"]
