"""What lies outside the image: background or foreground?
======================================================

A ring that the frame cuts, and a spot that it does not. By default the outside is background: the ring is an arc,
without a loop. With ``boundary="foreground"`` the outside is one foreground cell, present at every p: the arc closes
its loop through it. The outside then counts as a component, of which everything that touches the frame is a part.
"""

import matplotlib.pyplot as plt
import numpy as np

import topoprior as tp

rows, columns = np.mgrid[:40, :56] + 0.5
distance = np.hypot(rows - 21, columns - 3)
ring = 0.85 * np.clip(2.0 - np.abs(distance - 14) / 2, 0, 1)
spot = 0.70 * np.clip(2.0 - np.hypot(rows - 13, columns - 40) / 4, 0, 1)
image = np.maximum(np.maximum(ring, spot), 0.05)

figure, axes = plt.subplots(1, 3, figsize=(10.0, 3.3), width_ratios=(1.25, 1, 1), layout="constrained")
axes[0].imshow(image, cmap="gray", vmin=0, vmax=1)
axes[0].set(xticks=[], yticks=[])
axes[0].set_title("a ring cut by the frame, and a spot", fontsize=9)
for boundary, ax in zip(("background", "foreground"), axes[1:], strict=True):
    diagrams = tp.persistence(image[None, None], boundary=boundary)
    tp.plot.barcode(diagrams, threshold=0.5, ax=ax)
    betti = diagrams.betti_numbers(0.5)[0, 0].tolist()
    ax.set_title(f'boundary="{boundary}": ({betti[0]}, {betti[1]}) at 0.5', fontsize=9)
    print(f"{boundary}: Betti numbers {betti} at 0.5")
