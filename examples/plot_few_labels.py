"""Six labels, and forty images without
=====================================

Two networks see the same six labelled rings. The second then sees forty more images, without labels, and is told that
each of them is a ring (equation 6 of the paper). On images that neither has seen, its masks are rings more often.
"""

import matplotlib.pyplot as plt
import torch

import topoprior as tp
from topoprior.training import Cases, NetworkSettings, PriorSettings, SupervisedSettings, TrainingSettings, fit

images, masks = (torch.from_numpy(array) for array in tp.phantoms.ring_segmentation(126, size=48, seed=3))
ring = tp.BettiPrior(1, 1)


def cases(first: int, last: int, *, labels: bool) -> Cases:
    """Some of the images, with their prior and with or without their labels."""
    names = tuple(f"ring{number:03d}" for number in range(first, last))
    target = masks[first:last, 0].byte() if labels else None
    return Cases(images[first:last], target, names, priors=((ring,),) * len(names))


labelled, validation, unlabelled = cases(0, 6, labels=True), cases(6, 26, labels=True), cases(26, 66, labels=False)
network = NetworkSettings(channels=(8, 16, 32))
supervised = fit(
    TrainingSettings(network=network, supervised=SupervisedSettings(steps=150, validate_every=25)),
    labelled=labelled,
    validation=validation,
)
with_prior = fit(
    TrainingSettings(network=network, prior=PriorSettings(steps=100, validate_every=25), method="prior"),
    labelled=labelled,
    validation=validation,
    unlabelled=unlabelled,
    network=supervised.network,
)

test, truth = images[66:], masks[66:]
answers = {}
for name, trained in (("six labels", supervised.network), ("and the prior", with_prior.network)):
    with torch.no_grad():
        answers[name] = torch.sigmoid(trained(test)) >= 0.5
    right = tp.metrics.topological_success(answers[name], ring)[:, 0].double().mean()
    dice = tp.metrics.dice(answers[name], truth).mean()
    print(f"{name}: {right:.0%} of the masks have the right topology, Dice {dice:.3f}")

figure, axes = plt.subplots(2, 6, figsize=(9.6, 3.5), layout="constrained")
for row, (name, mask) in zip(axes, answers.items(), strict=True):
    row[0].set_ylabel(name, fontsize=11)
    for number, ax in enumerate(row):
        betti = tp.betti_numbers(mask[number : number + 1])[0, 0].tolist()
        ax.imshow(test[number, 0], cmap="gray")
        ax.contour(mask[number, 0], [0.5], colors="#2ca25f" if betti == [1, 1] else "#de2d26", linewidths=1.5)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"({betti[0]}, {betti[1]})", fontsize=10)
