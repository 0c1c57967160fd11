"""The tables of the 3-D experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.evaluation.paired_tests import wilcoxon
from topoprior.experiments.placenta.refinement import WAYS
from topoprior.viewing.report.experiment import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]

PAPER_GAIN = 0.024
"""Mean gain of Clough et al. (2022), experiment 4, on 67 private volumes of 17 patients; positive in all 13 folds."""

_NONE = "\N{EN DASH}"


def summary(documents: Sequence[Document], way: str) -> dict[str, Any]:
    """What a way makes of all volumes, beside what the network made of them.

    Args:
        documents: Of the volumes.
        way: One of `WAYS`.
    """
    before, after = (np.array([one["result"]["ways"][name]["dice"] for one in documents]) for name in ("network", way))
    right = [[one["result"]["ways"][name]["right"] for one in documents] for name in ("network", way)]
    folds = fold_gains(documents, way)
    patients = _means(documents, "patient", before), _means(documents, "patient", after)
    return {
        "volumes": len(documents),
        "dice": float(after.mean()),
        "gain": float((after - before).mean()),
        "p_over_volumes": wilcoxon(before, after)[1],
        "p_over_patients": wilcoxon(list(patients[0].values()), list(patients[1].values()))[1],
        "fold_gains": folds,
        "folds_better": sum(gain > 0 for gain in folds.values()),
        "folds_worse": sum(gain < 0 for gain in folds.values()),
        "volumes_better": int((after > before).sum()),
        "volumes_worse": int((after < before).sum()),
        "right_before": sum(right[0]),
        "right": sum(right[1]),
    }


def fold_gains(documents: Sequence[Document], way: str) -> dict[str, float]:
    """Mean gain in Dice of the volumes of each fold."""
    gains = [one["result"]["ways"][way]["dice"] - one["result"]["ways"]["network"]["dice"] for one in documents]
    return _means(documents, "fold", gains)


def _means(documents: Sequence[Document], by: str, values: Sequence[float] | np.ndarray) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for one, value in zip(documents, values, strict=True):
        groups.setdefault(one["cell"][by], []).append(float(value))
    return {name: float(np.mean(groups[name])) for name in sorted(groups)}


def main_table(summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """The paper's numbers, the network's and those of every way."""
    header = ["", "mean Dice", "Dice gain", "p", "p, patients", "folds better", "folds worse", "topology right"]
    rows = [["paper (private volumes)", _NONE, f"+{PAPER_GAIN:.3f}", _NONE, _NONE, "13 of 13", "0", _NONE]]
    for way, one in summaries.items():
        right = f"{100 * one['right'] / one['volumes']:.1f} % ({one['right']} of {one['volumes']})"
        if way == "network":
            rows.append([WAYS[way], f"{one['dice']:.4f}", _NONE, _NONE, _NONE, _NONE, _NONE, right])
            continue
        numbers = [f"{one['dice']:.4f}", f"{one['gain']:+.4f}", _p(one["p_over_volumes"]), _p(one["p_over_patients"])]
        folds = f"{one['folds_better']} of {len(one['fold_gains'])}", str(one["folds_worse"])
        rows.append([WAYS[way], *numbers, *folds, right])
    note = (
        "p: two-sided Wilcoxon signed rank test of Dice before and after, paired over volumes; and over patients, "
        "whose volumes are averaged first, as volumes of one patient are alike. Volumes that were right already stay "
        "as they are, and count for neither side."
    )
    return Table("Unseen volumes", header, rows, note=note)


def aims_table(summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """What was to be reached, and whether it was."""
    rows = []
    for way in (way for way in WAYS if way != "network"):
        one = summaries[way]
        positive = one["gain"] > 0 and one["p_over_volumes"] < 0.05
        rows += [
            [f"{WAYS[way]}: mean Dice gain positive, p < 0.05", "yes" if positive else "no",
             f"{one['gain']:+.4f}, p {_compared(one['p_over_volumes'])}"],
            [f"{WAYS[way]}: no fold worse", "no" if one["folds_worse"] else "yes",
             f"least gain of a fold {min(one['fold_gains'].values()):+.4f}"],
        ]  # fmt: skip
    return Table("What was to be reached", ["", "reached", "value"], rows)


def fold_table(trained: Sequence[Document], refined: Sequence[Document]) -> Table:
    """Every fold: its volumes, the rate that was chosen for it, Dice and topology before and after."""
    rows = []
    for network in trained:
        name = network["cell"]["name"]
        members = [one for one in refined if one["cell"]["fold"] == name]
        ways = [[one["result"]["ways"][way] for one in members] for way in ("network", "refine")]
        before, after = (float(np.mean([one["dice"] for one in way])) for way in ways)
        right = [sum(one["right"] for one in way) for way in ways]
        patients = len({one["cell"]["patient"] for one in members})
        rows.append(
            [name.removeprefix("fold").lstrip("0"), f"{len(members)} of {patients}",
             f"{network['result']['chosen']:g}", f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}",
             f"{right[0]}", f"{right[1]}"]
        )  # fmt: skip
    header = ["fold", "volumes of patients", "learning rate", "Dice, U-net", "Dice, refine", "gain", "right before",
              "right after"]  # fmt: skip
    return Table("Every fold", header, rows, note="Right: volumes whose mask has the Betti numbers (1, 0, 0).")


def volume_table(refined: Sequence[Document]) -> Table:
    """Every volume whose topology was wrong."""
    rows = []
    for one in refined:
        ways = one["result"]["ways"]
        if ways["network"]["right"]:
            continue
        betti = [one["result"]["label"], ways["network"]["betti"], ways["refine"]["betti"]]
        rows.append(
            [one["cell"]["volume"], one["cell"]["fold"].removeprefix("fold").lstrip("0"), *map(_betti, betti),
             f"{ways['network']['dice']:.4f}", f"{ways['refine']['dice'] - ways['network']['dice']:+.4f}",
             f"{one['result']['voxels_changed']['refine']}", f"{one['result']['steps']}"]
        )  # fmt: skip
    header = ["volume", "fold", "label", "U-net", "refine", "Dice, U-net", "gain", "voxels changed", "steps"]
    note = "Betti numbers are those of the mask on the voxels of the file, 26-connected: components, tunnels, cavities."
    return Table(f"The {len(rows)} volumes whose topology was wrong", header, rows, note=note)


def cost_table(trained: Sequence[Document], refined: Sequence[Document]) -> Table:
    """Time and memory of a volume; of those that were refined."""
    moved = [one["result"] for one in refined if one["result"]["steps"]] or [one["result"] for one in refined]
    rows = [["training a network and choosing its rate", *_three([one["seconds"] for one in trained], "s")]]
    for name, what in (
        ("topology_per_step", "topology of a step (loss with its gradient)"),
        ("topology_in_all", "topology of all steps of a volume"),
        ("refinement", "refinement of a volume in all"),
        ("guarantee", "guarantee, after it"),
    ):
        rows.append([what, *_three([one["seconds"][name] for one in moved], "s")])
    rows.append(["steps of a volume", *_three([one["steps"] for one in moved], "")])
    peaks = [one["peak_bytes"] / 1e9 for one in moved if one["peak_bytes"] is not None]
    if peaks:
        rows.append(["largest resident size of the process", *_three(peaks, "GB")])
    shapes = sorted({tuple(one["result"]["shape"]) for one in refined})
    sides = " x ".join(map(str, shapes[-1]))
    note = (
        f"Of the volumes that took a step; the largest has {sides} voxels. Topology is timed on the maps before and "
        "after, by itself, and times the number of states in all. Times are those of this run on this machine, with "
        "whatever else ran on it. The paper's topology took about 6 s a volume of 96 x 240 x 256."
    )
    return Table("Time and memory", ["", "median", "least", "most"], rows, note=note)


def choice_table(trained: Sequence[Document]) -> Table:
    """What the validation volumes said of each learning rate."""
    rows = [
        [one["cell"]["name"].removeprefix("fold").lstrip("0"), f"{row['learning_rate']:g}",
         f"{row['right']} of {len(one['cell']['validation'])} (before: {one['result']['right_before']})",
         f"{row['gain']:+.4f}", "chosen" if row["learning_rate"] == one["result"]["chosen"] else ""]
        for one in trained for row in one["result"]["rows"]
    ]  # fmt: skip
    return Table("Validation volumes", ["fold", "learning rate", "right", "Dice gain", ""], rows)


def _three(values: Sequence[float], unit: str) -> list[str]:
    return [f"{value:.3g} {unit}".strip() for value in (np.median(values), min(values), max(values))]


def _betti(numbers: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, numbers)) + ")"


def _compared(value: float) -> str:
    shown = _p(value)
    return shown if shown.startswith("<") else f"= {shown}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
