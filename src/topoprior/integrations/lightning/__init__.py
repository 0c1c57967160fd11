"""At home in Lightning: a callback that logs how right the topology is, and a mixin that trains with the prior.

    from topoprior.integrations.lightning import TopologyMetrics, TopologyPriorMixin

Works with ``lightning`` and with ``pytorch_lightning``: ``pip install 'topoprior[lightning]'``.
docs/how-to/lightning.md shows them at work.
"""

from topoprior.integrations.lightning.metrics import TopologyMetrics
from topoprior.integrations.lightning.prior import TopologyPriorMixin

__all__ = ["TopologyMetrics", "TopologyPriorMixin"]
