"""Bars of an image: Figure 1 of the paper
=======================================

A threshold p falls from 1 to 0 and the pixels with value at least p appear. Each bar is a component (red) or a loop
(green), drawn from the p at which it appears to the p at which it is gone. Left: three blobs and a loop, so four long
red bars and one green. Right: a ring under noise, so one long bar in each dimension, and a short one for every accident
of the noise. Clough et al. (2022), IEEE TPAMI 44(12); the paper does not state its arrays, these are ours.
"""

import matplotlib.pyplot as plt

import topoprior as tp

images = {
    "(a) three blobs and a loop": tp.phantoms.blobs_and_loop(),
    "(b) a noisy ring": tp.phantoms.noisy_ring(seed=0),
}

figure, axes = plt.subplots(2, 2, figsize=(8.0, 6.4), height_ratios=(1.1, 1.0), layout="constrained")
for (title, image), (above, below) in zip(images.items(), axes.T, strict=True):
    above.imshow(image, cmap="gray", vmin=0, vmax=1)
    above.set(xticks=[], yticks=[], title=title)
    diagrams = tp.persistence(image[None, None])
    tp.plot.barcode(diagrams, threshold=0.5, ax=below)
    for dimension in (0, 1):
        lengths = [round(length, 2) for length in diagrams.select(dimension=dimension).persistence.tolist()]
        print(f"{title}, dimension {dimension}: {len(lengths)} bars, the longest {lengths[:5]}")
