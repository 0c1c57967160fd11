"""The tables of the myocardium experiment: Table 2 beside the paper's, what ours gains, how good the images are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.evaluation.aggregate import summarise
from topoprior.evaluation.statistics import compare
from topoprior.experiments.myocardium.cells import Cell, degraded
from topoprior.experiments.myocardium.paper import QUALITY, TABLE_2
from topoprior.imaging.quality import gradient_magnitude, signal_to_noise
from topoprior.viewing.report.experiment import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topoprior.evaluation.result_table import Row
    from topoprior.evaluation.statistics import Comparison
    from topoprior.imaging.datasets.short_axis import ShortAxisSlices

    Documents = Sequence[Mapping[str, Any]]  # of cells
    Setting = tuple[int, int]  # lines removed, labelled slices

MEASURES = ("dice", "topological_success")
METHODS = {
    "supervised": "Supervised",
    "longer": "Supervised, longer",
    "components": "+ largest component, holes filled",
    "closing": "+ closing",
    "crf": "+ CRF",
    "pseudo-labels": "Pseudo-labels",
    "prior": "Prior (ours)",
    "pseudo-labels+prior": "Prior with pseudo-labels (ours)",
}
OURS = ("prior", "pseudo-labels+prior")
BASELINES = tuple(name for name in METHODS if name not in OURS)
OF_THE_PAPER = tuple(name for name in BASELINES if name in TABLE_2)
FEWEST_RUNS = 10  # for tests over runs, as the paper's; with fewer, tests are over people
SIGNIFICANT = 0.05
_NONE = "-"


def table_2(documents: Documents) -> dict[Setting, Table]:
    """Dice and share of right topologies of all methods, tested against the prior; one table for each setting."""
    return {setting: _table_of(setting, members) for setting, members in by_setting(documents).items()}


def records(table_2: Mapping[Setting, Table]) -> list[dict[str, str]]:
    """All rows of the tables in one list, with their setting."""
    return [
        {"lines": str(lines), "labelled": str(labelled), **row}
        for (lines, labelled), table in table_2.items()
        for row in table.records()
    ]


def _table_of(setting: Setting, members: Documents) -> Table:
    rows, means = [], []
    for method, title in METHODS.items():
        summaries = summarise(_rows(members, method), columns=MEASURES)
        means.append([summary.mean for summary in summaries])
        tests = [_p(one.p_holm) for one in _against(members, method, "prior")] if method != "prior" else [_NONE, _NONE]
        printed = TABLE_2.get(method, {}).get(setting, (_NONE, _NONE))
        shown = [_percent(summary.mean, summary.standard_error) for summary in summaries]
        rows.append([title, shown[0], tests[0], printed[0], shown[1], tests[1], printed[1]])
    best = np.argmax(means, axis=0).tolist()
    unit = "runs" if len(members) >= FEWEST_RUNS else "people"
    return Table(
        f"{setting[0]} lines removed, {setting[1]} labelled slices, {len(members)} runs: mean ± standard error, %",
        ["method", "Dice", "p", "paper's Dice", "topology right", "p of it", "paper's topology right"],
        rows,
        note=f"p: against {METHODS['prior']}, two-sided Wilcoxon over {unit}, Holm for two measures. Paper: UK "
        "Biobank, * significantly different from the prior.",
        emphasised={(best[0], 1), (best[1], 4)},
    )


def verdicts(documents: Documents) -> list[dict[str, Any]]:
    """For each setting and method of ours: is topology right more often than by every baseline, and Dice kept?

    Returns:
        For each: ``lines``, ``labelled``, ``method``; ``strongest``, the baseline that is most often right, ``gain``
        over it and ``p``, the largest over all baselines; ``above_all``; ``above_the_papers`` and ``p_of_the_papers``,
        the same over the paper's own baselines; ``dice_gain`` over pseudo-labels and ``dice_p``. Shares and Dice in
        points.
    """
    found = []
    for (lines, labelled), members in by_setting(documents).items():
        for method in OURS:
            against = {name: _against(members, method, name) for name in BASELINES}
            strongest = min(BASELINES, key=lambda name, against=against: against[name][1].difference)  # type: ignore[misc]
            overlap = against["pseudo-labels"][0]
            found.append(
                {
                    "lines": lines,
                    "labelled": labelled,
                    "method": method,
                    "strongest": strongest,
                    "gain": 100 * against[strongest][1].difference,
                    "p": max(against[name][1].p_holm for name in BASELINES),
                    "above_all": all(against[name][1].difference > 0 for name in BASELINES),
                    "p_of_the_papers": max(against[name][1].p_holm for name in OF_THE_PAPER),
                    "above_the_papers": all(against[name][1].difference > 0 for name in OF_THE_PAPER),
                    "dice_gain": 100 * overlap.difference,
                    "dice_p": overlap.p_holm,
                }
            )
    return found


def verdict_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """What `verdicts` found."""
    rows = [
        [
            METHODS[one["method"]],
            str(one["lines"]),
            str(one["labelled"]),
            METHODS[one["strongest"]],
            f"{one['gain']:+.1f}",
            _p(one["p"]),
            _in_words(one["above_all"], one["p"]),
            _in_words(one["above_the_papers"], one["p_of_the_papers"]),
            f"{one['dice_gain']:+.1f}",
            _p(one["dice_p"]),
        ]
        for one in sorted(found, key=lambda one: OURS.index(one["method"]))
    ]
    return Table(
        "Topology against the strongest baseline, Dice against pseudo-labels; in points",
        [
            "ours",
            "lines",
            "labelled",
            "strongest baseline",
            "topology",
            "largest p",
            "above all",
            "above the paper's",
            "Dice",
            "p of it",
        ],
        rows,
        note="Largest p: of the tests against all baselines. The paper's baselines: supervised, closing, CRF, "
        "pseudo-labels.",
    )


def _in_words(above: bool, p: float) -> str:
    if not above:
        return "no"
    return "yes" if p < SIGNIFICANT else "yes, not significantly"


def quality(slices: ShortAxisSlices, lines: Sequence[int], *, seed: int) -> dict[int, tuple[float, float]]:
    """Median signal to noise (in decibels, inside the myocardium) and mean length of the gradient of all slices.

    Args:
        slices: Those with a label count.
        lines: Removed; 0, the images as they are, is added.
        seed: Of the cells whose lines are removed.
    """
    known = torch.from_numpy(slices.labelled)
    found = {}
    for count in sorted({0, *lines}):
        images, walls = degraded(slices, Cell(count, 0, seed))[known], slices.labels[known][:, None]
        noise = signal_to_noise(images, walls).median()
        found[count] = (float(noise), float(gradient_magnitude(images).mean()))
    return found


def quality_table(found: Mapping[int, tuple[float, float]]) -> Table:
    """What `quality` found, beside the paper's."""
    rows = [
        [str(count), f"{noise:.2f}", printed[0], f"{slope:.4f}", printed[1]]
        for count, (noise, slope) in found.items()
        for printed in [QUALITY.get(count, (_NONE, _NONE))]
    ]
    return Table(
        "Quality of the images by lines removed",
        ["lines removed", "median SNR / dB", "paper's SNR / dB", "mean gradient", "paper's gradient"],
        rows,
        note="SNR: 20 log10(mean / standard deviation) inside the label of the myocardium. Gradient: its mean length "
        "by central differences, images scaled to a largest value of 1. The paper defines neither.",
    )


def by_setting(documents: Documents) -> dict[Setting, list[Mapping[str, Any]]]:
    """The cells of each number of lines and of labelled slices."""
    groups: dict[Setting, list[Mapping[str, Any]]] = {}
    for document in sorted(documents, key=lambda one: _place(one["cell"])):
        groups.setdefault(_place(document["cell"])[:2], []).append(document)
    return groups


def _place(cell: Mapping[str, int]) -> tuple[int, int, int]:
    return cell["lines"], cell["labelled"], cell["seed"]


def rows_of(document: Mapping[str, Any], method: str) -> list[Row]:
    """The result table of one method in one cell, one row for each test slice."""
    result = document["result"]
    scored = result["methods"][method]
    return [
        {
            "case": name,
            "repeat": document["cell"]["seed"],
            "patient": name.partition(" ")[0],
            "dice": overlap,
            "topological_success": int(tuple(betti) == (1, 1)),
        }
        for name, overlap, betti in zip(result["test"], scored["dice"], scored["betti"], strict=True)
    ]


def _rows(documents: Documents, method: str) -> list[Row]:
    return [row for document in documents for row in rows_of(document, method)]


def _against(members: Documents, first: str, second: str) -> list[Comparison]:
    """Dice and topology of the first method less the second's."""
    pair_by = ["repeat"] if len(members) >= FEWEST_RUNS else ["patient"]
    return compare(_rows(members, first), _rows(members, second), columns=MEASURES, pair_by=pair_by)


def _percent(mean: float, error: float) -> str:
    return f"{100 * mean:.1f}" if np.isnan(error) else f"{100 * mean:.1f} ± {100 * error:.1f}"


def _p(value: float) -> str:
    return f"{value:.2g}"
