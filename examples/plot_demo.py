"""Before and after
================

A small U-net finds the wall of a heart-like phantom, but its mask has the wrong topology. Told only that the wall is
one component with one loop, it adapts to this image until the mask is right. This is the picture of the README.
"""

import torch

import topoprior as tp
from topoprior.experiments import demo

settings = demo.Settings(seed=0)
network = demo.train(settings)
images, targets = tp.phantoms.ring_segmentation(settings.test_images, seed=demo.seeds(settings)[1])
with torch.no_grad():
    masks = torch.sigmoid(network(torch.from_numpy(images))) >= 0.5
prior = tp.BettiPrior(1, 1)
wrong = (~tp.metrics.topological_success(masks, prior)[:, 0]).nonzero().flatten().tolist()
print(f"{len(wrong)} of {len(images)} masks have the wrong topology: {wrong}")


def overlaps(number: int) -> tuple[float, float, tp.RefinementResult]:
    """Dice before and after the refinement of one image, and the refinement."""
    image, target = torch.from_numpy(images[number])[None], torch.from_numpy(targets[number])[None]
    result = tp.refine(network, image, prior, activation="sigmoid", learning_rate=settings.refinement_learning_rate)
    before, after = (tp.metrics.dice(mask, target).item() for mask in (result.reference >= 0.5, result.mask))
    return before, after, result


# Not the best case: the one in the middle by what the refinement did to Dice.
refined = sorted(((*overlaps(number), number) for number in wrong), key=lambda case: case[1] - case[0])
before, after, result, number = refined[len(refined) // 2]
print(f"phantom {number}: Dice {before:.3f} before, {after:.3f} after {result.steps} steps")
figure = tp.plot.before_after(images[number, 0], result.reference[0, 0], result.output[0, 0], target=targets[number, 0])
