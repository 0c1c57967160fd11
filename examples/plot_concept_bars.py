"""What is a bar?
==============

An image of 5 x 7 pixels, small enough to count by eye. A threshold p falls from 1 to 0, and the pixels with value at
least p appear. A component or a loop is born with the pixel that makes it, and dies with the pixel that ends it: that
is a bar. The same bars are points of the persistence diagram.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import topoprior as tp

image = np.array(
    [
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1],
        [0.1, 0.9, 0.2, 0.4, 0.3, 0.7, 0.1],
        [0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1],
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    ]
)
told = {
    0.9: "a piece is born",
    0.7: "a second piece is born",
    0.4: "the gap closes: a loop is born",
    0.3: "the pieces join: the younger dies",
    0.2: "the hole is filled: the loop dies",
}
diagrams = tp.persistence(image[None, None])

figure = plt.figure(figsize=(8.0, 6.8), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(2.1, 1.0))
panels = above.subplots(2, 3).ravel()
bars, points = below.subplots(1, 2, width_ratios=(2.1, 1))

panels[0].imshow(image, cmap="gray", vmin=0, vmax=1)
panels[0].set_title("the image", fontsize=10)
for (row, column), value in np.ndenumerate(image):
    colour = "black" if value > 0.5 else "white"
    panels[0].text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=colour)
before = 1.0
for p, panel in zip(told, panels[1:], strict=True):
    state = np.where(image >= before, 1, 0) + np.where((image >= p) & (image < before), 2, 0)  # 1: old, 2: new
    panel.imshow(state, cmap=ListedColormap(["#f2f2f2", "#7f7f7f", "#e6a700"]), vmin=0, vmax=2)
    components, loops = diagrams.betti_numbers(p)[0, 0].tolist()
    panel.set_title(f"p = {p}: ({components}, {loops})\n{told[p]}", fontsize=9)
    before = p
for panel in panels:
    panel.set(xticks=np.arange(-0.5, 7), yticks=np.arange(-0.5, 5), xticklabels=[], yticklabels=[])
    panel.grid(color="#bbbbbb", linewidth=0.5)
    panel.tick_params(length=0)

tp.plot.barcode(diagrams, ax=bars)
for p in told:
    bars.axvline(p, color="#999999", linestyle=":", linewidth=1)
bars.set_title("the barcode: dotted lines are the pictures above", fontsize=10)
tp.plot.persistence_diagram(diagrams, ax=points)
points.set_title("the diagram", fontsize=10)
points.get_legend().remove()

ends = zip(diagrams.dimension.tolist(), diagrams.births.tolist(), diagrams.deaths.tolist(), strict=True)
for dimension, birth, death in ends:
    print(f"dimension {dimension}: born at {birth:.1f}, dies at {death:.1f}, persistence {birth - death:.1f}")
