"""Which numbers has this shape?
=============================

Shapes that organs have, with their Betti numbers counted: components and loops in the plane; components, tunnels and
cavities in space. A tunnel is what a loop of string can be threaded through, a cavity is a bubble inside. The volumes
are cut open to be looked into, and were counted whole.
"""

import matplotlib.pyplot as plt
import numpy as np

import topoprior as tp

y, x = np.mgrid[-16:17, -20:21]


def disc(row, column, radius):
    return np.hypot(y - row, x - column) < radius


planes = {
    "a ventricle": disc(0, 0, 11),
    "two kidneys": disc(0, -9, 7) | disc(0, 9, 7),
    "a heart's wall, in short axis": disc(0, 0, 12) & ~disc(0, 0, 6),
    "an 8": (disc(-6, 0, 8) & ~disc(-6, 0, 4)) | (disc(6, 0, 8) & ~disc(6, 0, 4)),
}
z, v, u = np.mgrid[-8:9, -8:9, -8:9]
radius = np.sqrt(z**2 + v**2 + u**2)
wall = (radius < 8) & (radius > 5)
volumes = {
    "a solid organ": radius < 8,
    "a tube, open at both ends": wall & (abs(z) < 5),
    "a bag, open at one end": wall & (z < 4),
    "a closed shell": wall,
}

figure = plt.figure(figsize=(9.4, 5.0), layout="constrained")
for place, (name, mask) in enumerate((planes | volumes).items(), start=1):
    numbers = tp.betti_numbers(mask[None, None])[0, 0].tolist()
    if mask.ndim == 2:
        ax = figure.add_subplot(2, 4, place, xticks=[], yticks=[])
        ax.imshow(~mask, cmap="gray", vmin=-0.55, vmax=1)
    else:
        ax = figure.add_subplot(2, 4, place, projection="3d", xticks=[], yticks=[], zticks=[])
        shown = np.moveaxis(mask, 0, 2).copy()  # its first axis upright
        shown[:, :8] = False
        ax.voxels(shown, facecolors="#b9d3e6", edgecolors="#4a708b", linewidth=0.2)
        ax.view_init(elev=24, azim=-70)
        ax.set_axis_off()
        ax.set_box_aspect((1, 1, 1), zoom=1.25)
    ax.set_title(f"{name}\n{','.join(map(str, numbers))}", fontsize=10)
    print(f"{name}: {numbers}")
