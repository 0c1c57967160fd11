"""The figures of the 3-D experiment, after Figures 11 and 12 of the paper, and its volumes to scroll and to turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.experiments.placenta.refinement import prediction
from topoprior.experiments.placenta.tables import fold_gains
from topoprior.experiments.placenta.volumes import read_volume
from topoprior.imaging.io import read_image
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import ADDED, OUTLINE, REMOVED, TARGET, outline, show_grey, tint
from topoprior.viewing.report.volume import Volume as Turnable
from topoprior.viewing.style import COLOURS, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.experiments.placenta.training import Work
    from topoprior.imaging.image import Image

    Document = Mapping[str, Any]

_NAMES = ("components", "tunnels", "cavities")


def gains_plot(documents: Sequence[Document]) -> Figure:
    """Dice gain of each fold, a large dot, among those of its volumes, small ones."""
    means = fold_gains(documents, "refine")
    figure = new_figure(7.5, 3.4)
    ax = figure.subplots()
    ax.axhline(0, color="#9aa7b5", linewidth=0.8)
    for place, (fold, mean) in enumerate(means.items(), start=1):
        gains = [gain(one) for one in documents if one["cell"]["fold"] == fold]
        ax.scatter([place] * len(gains), gains, s=12, color="#9db9dd", linewidths=0, zorder=2)
        ax.scatter([place], [mean], s=60, color="#1e5fb4" if mean >= 0 else "#b3261e", linewidths=0, zorder=3)
    overall = float(np.mean([gain(one) for one in documents]))
    ax.axhline(overall, color="#1e5fb4", linewidth=0.8, linestyle="--")
    ax.annotate(f"mean {overall:+.4f}", (1.0, overall), xycoords=("axes fraction", "data"), fontsize=8, color="#1e5fb4",
                xytext=(4, 0), textcoords="offset points", va="center")  # fmt: skip
    ax.set_xticks(range(1, len(means) + 1))
    ax.set(xlabel="fold", ylabel="Dice after less Dice before")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def gain(document: Document, way: str = "refine") -> float:
    """Of a volume, in Dice."""
    ways = document["result"]["ways"]
    return float(ways[way]["dice"] - ways["network"]["dice"])


def shown(documents: Sequence[Document], most: int = 3) -> list[Document]:
    """Volumes that were changed, from the largest gain in Dice to the smallest, evenly spaced."""
    changed = sorted(
        (one for one in documents if one["result"]["voxels_changed"]["refine"]), key=lambda one: -gain(one)
    )
    if not changed:
        return []
    return [changed[k] for k in dict.fromkeys(np.linspace(0, len(changed) - 1, most).round().astype(int).tolist())]


def examples(documents: Sequence[Document], work: Work) -> Figure | None:
    """Contours on a slice and barcodes, before and after, of some volumes; None if none was changed."""
    chosen = shown(documents)
    if not chosen:
        return None
    figure = new_figure(11.5, 3.1 * len(chosen))
    axes = figure.subplots(len(chosen), 4, squeeze=False, width_ratios=(1, 1, 0.9, 0.9))
    for line, one in zip(axes, chosen, strict=True):
        image, label, masks = _read(one, work)
        ways = one["result"]["ways"]
        axis, plane = _busiest(*masks.values())
        others = [other for other in range(3) if other != axis]
        view = View.of(image.affine, (others[0], others[1]), spacing=image.spacing or (1, 1, 1))
        picture = np.take(image.array, plane, axis).astype(float)
        low, high = np.percentile(picture, [0.5, 99.5])
        cut = {way: view(np.take(mask, plane, axis)) for way, mask in masks.items()}
        for ax, way in zip(line, masks, strict=False):
            show_grey(view(np.clip((picture - low) / max(high - low, 1e-6), 0, 1)), ax)
            if way == "refine":
                tint(ax, cut["refine"] & ~cut["network"], ADDED, opacity=0.7)
                tint(ax, cut["network"] & ~cut["refine"], REMOVED, opacity=0.7)
            outline(ax, view(np.take(label, plane, axis)), TARGET, linewidth=0.8)
            outline(ax, cut[way], OUTLINE, linewidth=1.1)
            ax.set_aspect(view.aspect)
            numbers = ", ".join(map(str, ways[way]["betti"]))
            ax.set_title(
                f"{'U-net' if way == 'network' else 'refine'}: ({numbers}), Dice {ways[way]['dice']:.4f}", fontsize=8
            )
        line[0].set_ylabel(one["cell"]["volume"], fontsize=8)
        for ax, way in zip(line[2:], masks, strict=True):
            _barcode(ax, one["result"]["bars"][way], "before" if way == "network" else "after")
    return figure


def turnable(document: Document, work: Work) -> Turnable:
    """A volume to scroll and to turn."""
    image, label, masks = _read(document, work)
    ways = document["result"]["ways"]
    before, after = (", ".join(map(str, ways[way]["betti"])) for way in ("network", "refine"))
    caption = (
        f"{document['cell']['volume']}: Betti numbers ({before}) before and ({after}) after, Dice "
        f"{ways['network']['dice']:.4f} and {ways['refine']['dice']:.4f}. "
        "Yellow: mask; after: blue is gained, orange lost."
    )
    return Turnable(
        caption,
        image.array,
        masks["network"],
        masks["refine"],
        label,
        affine=image.affine,
        spacing=image.spacing or (1.0, 1.0, 1.0),
    )


def _read(document: Document, work: Work) -> tuple[Image, NDArray[np.bool_], dict[str, NDArray[np.bool_]]]:
    """Image, label, and masks before and after."""
    name = document["cell"]["volume"]
    image, label = read_volume(work.volumes[name])
    masks = {
        way: read_image(prediction(work.predictions, way, name)).array.reshape(label.shape) > 0
        for way in ("network", "refine")
    }
    return image, label > 0, masks


def _busiest(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[int, int]:
    """Axis and plane in which two masks differ most."""
    changed = before != after
    counts = [changed.sum(tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    axis = int(np.argmax([count.max() for count in counts]))
    return axis, int(counts[axis].argmax())


def _barcode(ax: Axes, bars: Sequence[Sequence[Sequence[float]]], title: str) -> None:
    """The longest bars of each dimension, from 1 on the left to 0; dashed: where the mask is cut."""
    row = 0.0
    for dimension, group in enumerate(bars):
        ax.text(0.99, row + 0.55, _NAMES[dimension], color=COLOURS[dimension], fontsize=7, va="center")
        rows = row + 1.5 + np.arange(len(group))
        ends = np.array(group).reshape(-1, 2)
        ax.hlines(rows, ends[:, 0], ends[:, 1], colors=COLOURS[dimension], linewidth=2.0)
        row += len(group) + 1.4
    ax.axvline(0.5, color="0.25", linestyle="--", linewidth=0.9, zorder=0)
    ax.set(xlim=(1, 0), ylim=(row + 0.5, -0.3), yticks=[])
    ax.set_title(f"barcode {title}", fontsize=8)
    ax.set_xlabel("threshold p", fontsize=7)
    ax.tick_params(labelsize=7)
    ax.spines[["left", "right", "top"]].set_visible(False)
