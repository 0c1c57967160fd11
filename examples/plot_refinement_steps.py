"""Refinement, step by step
========================

A map of a ring with a gap and a speck beside it moves until its mask is one component with one loop, and has otherwise
changed as little as possible. First row: the map and the outline of its mask. Second row: what was raised (blue) and
lowered (red) since the start; only pixels that set a bar move, at each step. Third row: the bars. The longest green one
grows until it crosses the threshold, and the second red one shrinks. A bare map knows no anatomy: what was left of the
speck was tied to the ring by a bridge, because that was cheap. A network that is refined has the image to go by.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import topoprior as tp

rows, columns = np.mgrid[:48, :56]
radius, angle = np.hypot(rows - 24, columns - 28), np.arctan2(rows - 24, columns - 28)
ring = 1 / (1 + np.exp(abs(radius - 14) - 4)) * np.where(abs(angle - 0.4) < 0.25, 0.35, 1)
speck = np.exp(-((rows - 7) ** 2 + (columns - 50) ** 2) / 12)
noise = tp.corrupt.blur(torch.from_numpy(np.random.default_rng(5).normal(size=(1, 1, 48, 56))), 1.5)
start = (torch.from_numpy(0.9 * ring + 0.75 * speck) + 0.25 * noise).clamp(0, 1)
prior = tp.BettiPrior(1, 1)

whole = tp.refine_map(start, prior)
figure, axes = plt.subplots(3, 4, figsize=(9.6, 7.4), height_ratios=(1, 1, 0.9), layout="constrained")
for steps, (top, middle, bottom) in zip((0, 3, 8, whole.steps), axes.T, strict=True):
    state = tp.refine_map(start, prior, max_steps=steps, patience=None).output
    top.imshow(state[0, 0], cmap="gray", vmin=0, vmax=1)
    top.contour(state[0, 0], [0.5], colors="#e6a700", linewidths=1.4)
    top.set_title(f"step {steps}", fontsize=11)
    middle.imshow((state - start)[0, 0], cmap="RdBu", vmin=-0.5, vmax=0.5)
    for ax in (top, middle):
        ax.set(xticks=[], yticks=[])
    tp.plot.barcode(tp.persistence(state), threshold=0.5, max_bars=7, ax=bottom)
    bottom.set_title(bottom.get_title(), fontsize=9)
print(f"{whole.stop_reason} after {whole.steps} steps, {whole.pixels_changed} pixels of the mask changed")
