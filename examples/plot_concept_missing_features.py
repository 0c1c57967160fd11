"""Why does a missing loop get no push?
=====================================

A ring with a gap, twice: with a trace of the missing wall, and without. The gradient of the loss lies on the pixels
that set bars. Where the gap holds 0.2 the loop has a bar, and its birth, a pixel in the gap, is raised. Where the gap
holds 0 there is no bar, so no pixel of the gap is pushed, and refinement fails. ``push`` and ``guarantee`` look for
the nearest map with a loop instead.
"""

import matplotlib.pyplot as plt
import torch

import topoprior as tp

ring = torch.zeros(1, 1, 20, 23)
ring[..., 3:16, 4:19], ring[..., 6:13, 7:16] = 0.9, 0.0
prior = tp.BettiPrior(1, 1)

figure, axes = plt.subplots(2, 5, figsize=(9.6, 4.2), layout="constrained")
for row, (name, trace) in zip(axes, (("a trace of 0.2", 0.2), ("no trace", 0.0)), strict=True):
    image = ring.clone()
    image[..., 8:11, 16:19] = trace
    slopes = {}
    for power in (2, 1):
        pixels = image.clone().requires_grad_()
        tp.betti_prior_loss(pixels, prior, power=power).backward()
        slopes[power] = -pixels.grad[0, 0]
    results = {
        "refine_map": tp.refine_map(image, prior),
        "with push=1": tp.refine_map(image, prior, push=1),
        "guarantee": tp.guarantee(image, prior),
    }
    row[0].imshow(image[0, 0], cmap="gray", vmin=0, vmax=1)
    row[0].set_title(f"{name} in the gap", fontsize=9)
    row[1].imshow(image[0, 0], cmap="gray", vmin=0, vmax=2.5)
    for (r, c), value in zip(slopes[2].nonzero().tolist(), slopes[2][slopes[2] != 0].tolist(), strict=True):
        up = value > 0
        row[1].plot(c, r, "^" if up else "v", color="#ff8f00" if up else "#4fc3f7", markersize=7)
    row[1].set_title("what is pushed", fontsize=9)
    for ax, (call, result) in zip(row[2:], results.items(), strict=True):
        ax.imshow(result.output.detach()[0, 0], cmap="gray", vmin=0, vmax=1)
        ax.contour(result.mask[0, 0].float(), levels=[0.5], colors="#e6a700", linewidths=1)
        b = result.betti_after[0, 0].tolist()
        ax.set_title(f"{call}: ({b[0]}, {b[1]})", fontsize=9)
    print(name, {p: int((s != 0).sum()) for p, s in slopes.items()}, {c: r.stop_reason for c, r in results.items()})
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
