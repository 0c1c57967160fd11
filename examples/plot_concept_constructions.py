"""Which pixels touch?
====================

Three masks, read in both constructions. In T pixels are closed squares, and squares that share a corner are
connected. In V pixels are points, and only points side by side are connected. Lines join the pixels that touch; what
the mask encloses is green.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

import topoprior as tp

y, x = np.mgrid[-3:4, -4:5]
masks = {
    "two blocks": (abs(x + 2) < 2) & (abs(y + 0.5) < 1) | (abs(x - 1.5) < 2) & (abs(y - 1.5) < 1),
    "a diamond": abs(x) + abs(y) == 3,
    "a thin and a thick ring": ((abs(x + 2) + abs(y)) == 1) | (np.maximum(abs(x - 2), abs(y)) == 1),
}
all_sides, faces = np.ones((3, 3), dtype=int), ndimage.generate_binary_structure(2, 1)

figure, axes = plt.subplots(2, 3, figsize=(8.0, 4.9), layout="constrained")
for row, (construction, structure, other) in enumerate((("T", all_sides, faces), ("V", faces, all_sides))):
    for ax, (title, mask) in zip(axes[row], masks.items(), strict=True):
        outside = ndimage.label(np.pad(~mask, 1, constant_values=True), structure=other)[0]
        holes = (outside > 0)[1:-1, 1:-1] & (outside != outside[0, 0])[1:-1, 1:-1]
        ax.imshow(np.where(holes, 0.35, np.nan), cmap="Greens", vmin=0, vmax=1)
        for r, c in np.argwhere(mask):
            if construction == "T":
                ax.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor="#bdbdbd", edgecolor="white"))
            ax.plot(c, r, "o", color="#333333", markersize=3 if construction == "T" else 7)
            for dr, dc in np.argwhere(structure) - 1:
                if 0 <= r + dr < mask.shape[0] and 0 <= c + dc < mask.shape[1] and mask[r + dr, c + dc]:
                    ax.plot([c, c + dc], [r, r + dr], color="#c62828", linewidth=1.2, zorder=3)
        components, loops = tp.betti_numbers(mask[None, None], construction=construction)[0, 0].tolist()
        ax.set_title(f"{title}, {construction}: ({components}, {loops})", fontsize=9)
        ax.set(xticks=[], yticks=[], xlim=(-0.6, 8.6), ylim=(6.6, -0.6))
        print(f"{title}, construction {construction}: Betti numbers ({components}, {loops})")
