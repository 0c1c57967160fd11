"""What does a bar cost?
=====================

Equation 3 of the paper, bar by bar. A wanted bar costs 1 when it is missing and nothing when it is full; an unwanted
one costs nothing when it is gone and 1 when it is full. The gradient of a bar is the slope of its curve. With squares
(``power=2``, as in the paper) it is twice the length: long bars are pushed hard, and a bar of length 0 not at all.
"""

import matplotlib.pyplot as plt
import torch

import topoprior as tp

lengths = torch.linspace(0, 1, 51)
images = torch.stack((lengths, torch.zeros(51)), dim=1)[:, None]  # one bright pixel and a dark one: one bar
wanted, unwanted = tp.BettiPrior(1), tp.BettiPrior(0)

figure, axes = plt.subplots(1, 2, figsize=(8.0, 3.2), layout="constrained")
for ax, prior, title in zip(axes, (wanted, unwanted), ("a wanted bar", "an unwanted bar"), strict=True):
    for power, style in ((2, "-"), (1, "--")):
        pixels = images.clone().requires_grad_()
        costs = tp.betti_prior_loss(pixels, prior, power=power, reduction="none")[:, 0]
        (slopes,) = torch.autograd.grad(costs.sum(), pixels)
        ax.plot(lengths, costs.detach(), style, color="#c62828", label=f"cost, power={power}")
        ax.plot(lengths, slopes[:, 0, 0].abs(), style, color="#555555", linewidth=1, label=f"push, power={power}")
        print(f"{title}, power={power}: cost {costs[10]:.2f}, push {slopes[10, 0, 0].abs():.2f} at length 0.2")
    ax.set(xlabel="length of the bar", title=title)
    ax.set_title(title, fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
