"""What is said of a refined network once its map is back on the grid of the image file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.integrations.nnunet.regions import painted
from topoprior.priors.unions import most_probable

if TYPE_CHECKING:
    from topoprior.imaging.image import Array
    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult


def on_the_grid(
    found: RefinementResult,
    reference: Array,
    output: Array,
    prior: ClassPriors,
    labels: Labels,
    conventions: dict[str, Any],
) -> RefinementResult:
    """A refinement with its maps, and all that is counted, on another grid.

    Args:
        found: On the grid of the network.
        reference: Probabilities before, shape ``(channel, *spatial)``, on the other grid.
        output: Probabilities after.
        prior: What was wanted.
        labels: What the channels are.
        conventions: Construction, boundary and threshold.
    """
    maps = [torch.from_numpy(np.ascontiguousarray(each))[None] for each in (reference, output)]
    if labels.has_regions:
        mask = maps[1] >= conventions["threshold"]
        return painted(replace(found, reference=maps[0], output=maps[1], mask=mask), prior, labels, conventions)
    reference_, output_ = (each / each.sum(1, keepdim=True) for each in maps)  # rounding of the way back
    before, after = most_probable(reference_), most_probable(output_)
    options = conventions["construction"], conventions["boundary"]
    topology = [topology_of_labels(numbers, prior, *options) for numbers in (before, after)]
    return replace(
        found,
        reference=reference_,
        output=output_,
        mask=torch.nn.functional.one_hot(after, len(labels.classes)).movedim(-1, 1).bool(),
        betti_before=topology[0].betti,
        betti_after=topology[1].betti,
        pixels_changed=int((before != after).sum()),
        succeeded=bool(topology[1].success),
    )
