"""Which lambda?
=============

Ten blurred and noisy probability maps of rings, repaired by gradient descent on equation 5: the distance to the map,
plus lambda times the topological loss. All settings of lambda run side by side as one batch. Too small a lambda
leaves the topology wrong; too large a one pays for it with Dice.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import topoprior as tp

prior, steps = tp.BettiPrior(1, 1), 60
lambdas = torch.tensor([0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
_, rings = tp.phantoms.ring_segmentation(10, size=48, seed=3)
random = np.random.default_rng(0)
logits = []
for ring in rings[:, 0]:
    noise = gaussian_filter(random.standard_normal(ring.shape), 1.2)
    logits.append(6 * gaussian_filter(ring.astype(float), 0.8) - 3 + 1.5 * noise / noise.std())
count, target = len(logits), torch.from_numpy(rings).repeat(len(lambdas), 1, 1, 1)

moved = torch.from_numpy(np.stack(logits))[:, None].float().repeat(len(lambdas), 1, 1, 1).requires_grad_()
reference = moved.detach().sigmoid()
optimiser = torch.optim.Adam([moved], lr=0.5)
for _ in range(steps):
    optimiser.zero_grad()
    maps = moved.sigmoid()
    fidelity = (maps - reference).square().mean(dim=(1, 2, 3))
    topology = tp.betti_prior_loss(maps, prior, reduction="none")[:, 0]
    (fidelity + lambdas.repeat_interleave(count) * topology).sum().backward()
    optimiser.step()

masks = moved.detach() >= 0
right = tp.metrics.topological_success(masks, prior).reshape(len(lambdas), count).float().mean(1)
dice = tp.metrics.dice(masks, target).reshape(len(lambdas), count).mean(1)
for each in zip(lambdas.tolist(), right.tolist(), dice.tolist(), strict=True):
    print("lambda {:6.4f}: topology right in {:4.0%}, Dice {:.3f}".format(*each))

figure, axes = plt.subplot_mosaic("AAAA;bcde", figsize=(8.0, 5.6), height_ratios=(1.3, 1), layout="constrained")
curves = axes["A"]
curves.semilogx(lambdas[1:], right[1:], "o-", color="#c62828", label="share with the right topology")
curves.semilogx(lambdas[1:], dice[1:], "s-", color="#1e5fb4", label="Dice")
curves.axhline(dice[0], color="#1e5fb4", linestyle=":", linewidth=1, label="Dice before")
curves.set(xlabel="lambda", ylim=(-0.03, 1.05))
curves.legend(fontsize=9, frameon=False, loc="center left")
curves.spines[["top", "right"]].set_visible(False)
shown = (("b", 0, "before"), ("c", 2, "too small"), ("d", 5, "in between"), ("e", 9, "too large"))
for name, place, text in shown:
    first = place * count
    axes[name].imshow(moved.detach().sigmoid()[first, 0], cmap="gray", vmin=0, vmax=1)
    axes[name].contour(target[first, 0], levels=[0.5], colors="#e6a700", linewidths=1)
    title = text if place == 0 else f"{text}: {lambdas[place]:g}"
    axes[name].set_title(title, fontsize=9)
    axes[name].set(xticks=[], yticks=[])
