"""A network whose last step is the way back to the pixels of a file.

Resampling can change the topology of a mask: a wall of one pixel breaks. A prior for the mask in the file therefore has
to see the probabilities there. They depend on the network's weights as its own outputs do, so `topoprior.refine` adapts
it through the resampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from topoprior.imaging.networks import Activation
    from topoprior.imaging.preparation import Restorer


class FileGrid(nn.Module):
    """Probabilities on the grid of a file from an image prepared for a network.

    Args:
        network: Gives logits, or probabilities if ``activation`` is None.
        activation: What turns its output into probabilities.
        restorer: Of the file, see `topoprior.imaging.preparation.Preparation.restorer`.

    Examples:
        A row of 2 pixels for the network is one of 3 in the file:

        >>> from topoprior.imaging.preparation import Restorer
        >>> network = FileGrid(nn.Identity(), None, Restorer((2,), (2,), (3,)))
        >>> network(torch.tensor([[[1.0, 0.0]]]))
        tensor([[[1.0000, 0.5000, 0.0000]]])
    """

    def __init__(self, network: nn.Module, activation: Activation | None, restorer: Restorer) -> None:
        super().__init__()
        self.network, self.activation, self.restorer = network, activation, restorer

    def forward(self, images: Tensor) -> Tensor:
        """Shape ``(batch, channel, *prepared)`` to ``(batch, class, *file)``."""
        values: Tensor = self.network(images)
        if self.activation == "sigmoid":
            values = torch.sigmoid(values)
        elif self.activation == "softmax":
            values = torch.softmax(values, 1)
        return self.restorer(values).clamp(0, 1)  # sums of weights may exceed 1 by a rounding
