"""Components, tunnels and cavities
================================

In 3-D there is one more dimension: a hollow ball encloses a cavity, a pipe open at both ends has a tunnel. Bars tell
them apart, under noise too.
"""

import matplotlib.pyplot as plt
import numpy as np

import topoprior as tp

volumes = {"a hollow ball, cut open": tp.phantoms.shell(size=16), "a pipe": tp.phantoms.tube(size=16)}
noise = np.random.default_rng(0).normal(0, 0.07, (16, 16, 16))

figure = plt.figure(figsize=(8.4, 6.2), layout="constrained")
for column, (name, mask) in enumerate(volumes.items()):
    shown = mask.copy()
    if column == 0:
        shown[:, :8] = False
    above = figure.add_subplot(2, 2, column + 1, projection="3d")
    above.voxels(shown, facecolors="#b9d3e6", edgecolors="#4a708b", linewidth=0.2)
    above.view_init(elev=28, azim=-60)
    above.set_axis_off()
    above.set_box_aspect((1, 1, 1), zoom=1.15)
    above.set_title(name, fontsize=11)

    volume = np.clip(np.where(mask, 0.85, 0.15) + noise, 0, 1)
    diagrams = tp.persistence(volume[None, None])
    tp.plot.barcode(diagrams, threshold=0.5, max_bars=4, ax=figure.add_subplot(2, 2, column + 3))
    print(f"{name}: components, tunnels, cavities: {diagrams.betti_numbers(0.5)[0, 0].tolist()}")
