"""The smallest edit
=================

A map of a ring with a gap of probability 0 and three specks. No gradient can close the gap, for the map shows no trace
of the wall there. ``guarantee`` needs no gradient: it edits the map by the smallest change found until the mask has
the Betti numbers of the prior. What it turned is blue where it was added and orange where it was removed.
"""

import matplotlib.pyplot as plt
import numpy as np

import topoprior as tp

rows, columns = np.mgrid[:44, :52]
radius = np.hypot(rows - 22, columns - 26)
ring = np.where(abs(radius - 13.3) < 3, 0.9, 0.05)
ring[(abs(radius - 13.3) < 3) & (abs(rows - 22) < 3) & (columns > 26)] = 0.0  # the gap
for row, column in ((4, 5), (38, 46), (22, 24)):  # the specks
    ring[row : row + 2, column : column + 3] = 0.7

before = ring >= 0.5
figure, axes = plt.subplots(1, 4, figsize=(9.4, 2.3), layout="constrained")
axes[0].imshow(ring, cmap="gray", vmin=0, vmax=1)
axes[0].set_title(f"the map: {tuple(tp.betti_numbers(before[None, None])[0, 0].tolist())}", fontsize=10)
for ax, prior in zip(axes[1:], (tp.BettiPrior(1, 1), tp.BettiPrior(2, 1), tp.BettiPrior(1, 0)), strict=True):
    result = tp.guarantee(ring[None, None], prior)
    after = result.mask[0, 0].numpy()
    shown = np.repeat(np.where(after, 0.85, 0.0)[..., None], 3, axis=2)
    shown[after & ~before], shown[before & ~after] = (0.31, 0.76, 0.97), (1.0, 0.56, 0.0)
    ax.imshow(shown)
    ax.set_title(f"prior {prior}: {result.pixels_changed} pixels", fontsize=10)
    cost = result.history["cost"][-1]
    print(f"{prior}: {result.pixels_changed} pixels, cost {cost:.2f}, {result.stop_reason}")
for ax in axes:
    ax.set(xticks=[], yticks=[])
