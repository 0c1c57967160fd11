"""What do unions of classes say?
==============================

Three label maps with the same Betti numbers in each class: the wall is a ring, the lumen is one piece. Only in the
first does the lumen fill the ring. The union of both tells them apart: where the lumen fills the wall it is one piece
without a loop; a moat between them makes two pieces and leaves the loop; where the lumen leans on the outside of the
wall, the loop is left as well.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap

import topoprior as tp

y, x = np.mgrid[-16:17, -20:27]
wall, inside = abs(np.hypot(y, x) - 12.2) < 3, np.hypot(y, x) < 9.5
maps = {
    "the lumen fills the wall": inside & ~wall,
    "a moat between them": np.hypot(y, x) < 6,
    "the lumen beside the wall": np.hypot(y, x - 18) < 5,
}
priors = tp.ClassPriors({"wall": (1, 1), "lumen": (1, 0), ("wall", "lumen"): (1, 0)}, classes=("BG", "wall", "lumen"))

figure, axes = plt.subplots(2, 3, figsize=(8.4, 4.6), layout="constrained")
for (above, below), (name, lumen) in zip(axes.T, maps.items(), strict=True):
    labels = wall + 2 * (lumen & ~wall)
    topology = tp.class_topology(torch.from_numpy(labels)[None], priors)
    of_wall, of_lumen, of_union = (tuple(numbers) for numbers in topology.betti[0].tolist())
    above.imshow(labels, cmap=ListedColormap(["#f2f2f2", "#43a047", "#c62828"]), vmin=0, vmax=2)
    above.set_title(f"{name}\nwall {of_wall}, lumen {of_lumen}", fontsize=10)
    below.imshow(labels == 0, cmap="gray", vmin=-0.55, vmax=1)
    right = bool(topology.success[0].all())
    below.set_title(f"wall+lumen {of_union}", fontsize=10, color="#1b7f3b" if right else "#c62828")
    for ax in (above, below):
        ax.set(xticks=[], yticks=[])
    print(f"{name}: wall {of_wall}, lumen {of_lumen}, together {of_union}: {'right' if right else 'wrong'}")
