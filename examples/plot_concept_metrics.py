"""Nearly every pixel right, and the shape wrong
=============================================

A ring, and five masks of it. Dice asks how many pixels are common: a scratch, a speck and a pinhole cost next to
nothing of it. The Betti numbers ask what the shape is: each of the three is another one. A mask that is shifted or
blurred loses many pixels and keeps its topology. Neither number replaces the other.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import topoprior as tp

y, x = np.mgrid[-24:25, -28:29]
ring = abs(np.hypot(y, x) - 14.2) < 4
target = torch.from_numpy(ring)[None, None]
gap, speck, pinhole = ring.copy(), ring.copy(), ring.copy()
gap[24, x[0] > 0] = False
speck[2:4, 2:4] = True
pinhole[24, 42] = False
masks = {
    "the label": ring,
    "a scratch": gap,
    "a speck": speck,
    "a pinhole": pinhole,
    "shifted": np.roll(ring, (3, 3), axis=(0, 1)),
    "too thin": abs(np.hypot(y, x) - 14.2) < 2.2,
}

prior = tp.BettiPrior(1, 1)
figure, axes = plt.subplots(1, len(masks), figsize=(9.6, 1.95), layout="constrained")
for ax, (name, array) in zip(axes, masks.items(), strict=True):
    mask = torch.from_numpy(array)[None, None]
    numbers = ", ".join(map(str, tp.betti_numbers(mask)[0, 0].tolist()))
    dice, right = tp.metrics.dice(mask, target).item(), tp.metrics.topological_success(mask, prior).item()
    ax.imshow(~array, cmap="gray", vmin=-0.55, vmax=1)
    ax.contour(ring, levels=[0.5], colors="#1e88e5", linewidths=0.8)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{name}\nDice {dice:.3f}\n({numbers})", fontsize=9, color="#1b7f3b" if right else "#c62828")
    print(f"{name}: Dice {dice:.3f}, Betti numbers ({numbers}), topology {'right' if right else 'wrong'}")
