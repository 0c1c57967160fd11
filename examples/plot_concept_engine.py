"""How does the engine find bars without a matrix?
================================================

Whether a pixel changes the topology can be read off its neighbours: which of them have entered before it? Most pixels
have one run of earlier neighbours, and nothing happens. Only the others are sorted, joined and paired. Here the same
is done in Python for the V-construction, and counted against the engine's bars.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from scipy.ndimage import gaussian_filter

import topoprior as tp

AROUND = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
KINDS = {"peak": "#c62828", "saddle": "#e6a700", "pit": "#43a047"}


def runs_of_earlier(earlier: np.ndarray) -> int:
    """Runs among the eight neighbours, going around; 0 if none or all are earlier. A corner needs both its sides."""
    axis = earlier[0::2]
    corner = earlier[1::2] & axis & np.roll(axis, -1)
    return int((axis & ~np.roll(corner, 1)).sum())


noise = gaussian_filter(np.random.default_rng(4).standard_normal((44, 60)), 2.6)
image = (noise - noise.min()) / (noise.max() - noise.min())
padded = np.pad(image, 1, constant_values=-1)
found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
merges = 0
for place, value in np.ndenumerate(image):
    earlier = np.array([padded[place[0] + 1 + dy, place[1] + 1 + dx] > value for dy, dx in AROUND])
    runs = runs_of_earlier(earlier)
    if not earlier[0::2].any():
        found["peak"].append(place)
    elif earlier.all():
        found["pit"].append(place)
    elif runs > 1:
        found["saddle"].append(place)
        merges += runs - 1

bars = tp.persistence(image[None, None], construction="V")
components, loops = (len(bars.select(dimension=dimension)) for dimension in (0, 1))
assert (components, loops) == (len(found["peak"]), len(found["pit"]))
assert merges == components - 1 + loops
print(f"{image.size} pixels: {len(found['peak'])} peaks, {len(found['saddle'])} saddles, {len(found['pit'])} pits")

figure = plt.figure(figsize=(8.0, 6.6), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1, 2.2))
neighbourhoods = {
    "peak: none is earlier,\na component is born": [],
    "regular: one run,\nnothing happens": [0, 1, 2],
    "saddle: two runs,\nthey join, or a loop is born": [0, 1, 2, 4, 5],
    "pit: all are earlier,\na loop is filled": range(8),
}
for ax, (title, ones) in zip(above.subplots(1, 4), neighbourhoods.items(), strict=True):
    cells = np.zeros((3, 3))
    cells[1, 1] = 2
    for one in ones:
        cells[1 + AROUND[one][0], 1 + AROUND[one][1]] = 1
    ax.imshow(cells, cmap=ListedColormap(["#f2f2f2", "#7f7f7f", "#4fc3f7"]), vmin=0, vmax=2)
    ax.set(xticks=[-0.5, 0.5, 1.5], yticks=[-0.5, 0.5, 1.5], xticklabels=[], yticklabels=[])
    ax.grid(color="white", linewidth=2)
    ax.tick_params(length=0)
    ax.set_title(title, fontsize=9)

left, right = below.subplots(1, 2, width_ratios=(1.7, 1))
left.imshow(image, cmap="gray", vmin=-0.3, vmax=1.3)
for (kind, colour), marker in zip(KINDS.items(), "osv", strict=True):
    rows, columns = np.array(found[kind]).T
    left.plot(columns, rows, marker, color=colour, markersize=6, label=f"{len(rows)} {kind}s", linestyle="none")
left.set(xticks=[], yticks=[])
share = sum(map(len, found.values())) / image.size
left.set_title(f"{image.size} pixels, {share:.1%} of them do anything", fontsize=9)
left.legend(fontsize=9, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.01), frameon=False)

steps = (
    "values to integer keys,\none layer of padding",
    "earlier neighbours of every pixel\n(vectorised, nothing sorted)",
    "sort the saddles only",
    "join components: peaks\n(union-find, elder rule)",
    "join background: pits\n(the same, upside down)",
    "3-D: pair what is left,\nloops, by reduction over F2",
    "two pixel indices for each bar",
)
right.set(xlim=(0, 1), ylim=(len(steps) - 0.4, -0.6))
right.axis("off")
for i, step in enumerate(steps):
    box = {"boxstyle": "round,pad=0.4", "facecolor": "#e3f2fd", "edgecolor": "#1e5fb4"}
    right.text(0.5, i, step, ha="center", va="center", fontsize=8, bbox=box)
    if i:
        right.annotate("", (0.5, i - 0.28), (0.5, i - 0.72), arrowprops={"arrowstyle": "->", "color": "#1e5fb4"})
