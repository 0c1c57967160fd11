"""The figures of the ACDC experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.experiments.acdc.refinement import WAYS, prediction
from topoprior.experiments.acdc.scores import POSITIONS, slice_rows
from topoprior.imaging.datasets.acdc import MYOCARDIUM, PHASES, Stack, read_patient
from topoprior.imaging.io import read_image
from topoprior.viewing.orientation import View
from topoprior.viewing.overlays import OUTLINE, TARGET, outline, show_grey
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from topoprior.experiments.acdc.refinement import Work

    Document = Mapping[str, Any]

_SHOWN = ("network", "refine", "guarantee")
_COLOURS = ("#8a96a3", "#b9c2cb", "#1e5fb4", "#5f93d6", "#1b7f3b", "#c9a227")
_MOST_EXAMPLES = 7


def positions_plot(documents: Sequence[Document], ways: Sequence[str]) -> Figure:
    """Share of right slices by position in the stack, a bar for each way."""
    figure = new_figure(9.0, 3.4)
    ax = figure.subplots()
    width = 0.8 / len(ways)
    for place, way in enumerate(ways):
        rows = list(slice_rows(documents, way))
        found = [[row["right"] for row in rows if row["position"] == name] for name in POSITIONS]
        shares = [100 * np.mean(right) if right else 0.0 for right in found]
        ax.bar(np.arange(len(POSITIONS)) + (place + 0.5) * width - 0.4, shares, width, color=_COLOURS[place])
    ax.set_xticks(range(len(POSITIONS)), POSITIONS)
    names = [WAYS[way] for way in ways]
    ax.legend(ax.containers, names, fontsize=7, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    ax.set_ylabel("topology right (%)")
    ax.set_ylim(0, 102)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def patients_plot(documents: Sequence[Document], way: str = "guarantee") -> Figure:
    """Dice of each patient, before against after, a panel for each phase."""
    figure = new_figure(8.0, 4.0)
    for ax, phase in zip(figure.subplots(1, len(PHASES)), PHASES, strict=True):
        pairs = [
            [one["result"]["ways"][name]["dice"]["MYO"] for name in ("network", way)]
            for one in documents
            if one["cell"]["phase"] == phase and one["result"]["ways"][way]["dice"]
        ]
        before, after = np.array(pairs).T
        low = max(0.0, min(before.min(), after.min()) - 0.02)
        ax.plot([low, 1], [low, 1], color="#9aa7b5", linewidth=0.8)
        ax.scatter(before, after, s=18, color="#1e5fb4", alpha=0.8, linewidths=0)
        ax.set(
            title=phase,
            xlabel="Dice of the U-net",
            ylabel="Dice at the end",
            xlim=(low, 1),
            ylim=(low, 1),
            aspect="equal",
        )
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def examples(documents: Sequence[Document], work: Work) -> Figure | None:
    """Slices that were wrong before, with masks and ground truth; None if there is none.

    From the largest fall of Dice to the largest rise, evenly spaced.
    """
    rows = [row for row in slice_rows(documents, "refine") if not row["right_before"]]
    rows.sort(key=lambda row: 0.0 if row["dice"] is None else row["dice"] - row["dice_before"])
    if not rows:
        return None
    chosen = [rows[k] for k in dict.fromkeys(np.linspace(0, len(rows) - 1, _MOST_EXAMPLES).round().astype(int))]
    variant = documents[0]["cell"]["variant"]
    figure = new_figure(2.0 * len(chosen), 2.15 * len(_SHOWN) + 0.4)
    axes = figure.subplots(len(_SHOWN), len(chosen), squeeze=False)
    for column, row in enumerate(chosen):
        stack = _stack(row, work)
        view = View.of(stack.image.affine, (0, 1), spacing=stack.image.spacing)
        cut = (*stack.region, row["slice"])
        for line, way in enumerate(_SHOWN):
            labels = read_image(prediction(work.predictions, variant, way, stack.frame.name)).array
            labels = labels.reshape(stack.image.array.shape)
            ax = axes[line, column]
            picture = stack.image.array[cut].astype(float)
            show_grey(view(np.clip(picture / max(np.percentile(picture, 99.5), 1e-6), 0, 1)), ax)
            if stack.labels is not None:
                outline(ax, view(stack.labels[cut] == MYOCARDIUM), TARGET, linewidth=0.8)
            outline(ax, view(labels[cut] == MYOCARDIUM), OUTLINE, linewidth=1.0)
            ax.set_aspect(view.aspect)
            if line == 0:
                name = f"{row['patient'].removeprefix('patient')} {row['phase']} slice {row['slice']}"
                ax.set_title(f"{name}\nwanted ({row['prior']})", fontsize=7)
            if column == 0:
                ax.set_ylabel({"guarantee": "guarantee at the end"}.get(way, WAYS[way]), fontsize=8)
    return figure


def _stack(row: Mapping[str, Any], work: Work) -> Stack:
    stacks = read_patient(work.patients[row["patient"]], side=work.settings.side)
    return next(stack for stack in stacks if stack.frame.phase == row["phase"])
