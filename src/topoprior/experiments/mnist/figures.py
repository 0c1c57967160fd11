"""The figures of the MNIST experiment: the paper's 2, 4, 5 and 6, and accuracy against the number of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from topoprior.experiments.mnist.networks import denoised, digit_probabilities
from topoprior.experiments.mnist.paper import TABLE_1
from topoprior.experiments.mnist.variants import PRIOR_OF, PRIORS
from topoprior.topology.diagram import persistence
from topoprior.viewing.bars import barcode
from topoprior.viewing.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from topoprior.experiments.mnist.bench import Bench
    from topoprior.refinement.result import RefinementResult

_BARS = 8  # of each dimension that are drawn
_SHOWN = 6  # digits in a row
_CURVES = {
    "denoised": ("denoiser alone", "#555555", "o-"),
    "prior": ("prior of the true digit", "#c62828", "o-"),
    "read": ("prior of the digit as read: no label", "#1e5fb4", "s-"),
    "told": ("no refinement, reading limited by the true prior", "#8d6e63", "^:"),
    "wrong": ("wrong prior", "#43a047", "v:"),
}


def corruption(bench: Bench, lines: Sequence[int]) -> Figure:
    """Figure 2: the same digits, clean and without ever more lines; below each what the denoiser makes of it."""
    shown = list(range(min(_SHOWN, len(bench.test))))
    rows: list[tuple[str, Tensor]] = [("clean", bench.test.images[shown])]
    for number in lines:
        corrupted = bench.corrupted(number)[2][shown]
        rows += [(f"m = {number}", corrupted), ("denoised", denoised(bench.denoiser(number), corrupted))]
    figure = new_figure(1.1 * len(shown) + 0.9, 1.1 * len(rows))
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    for row, (name, images) in zip(axes, rows, strict=True):
        for place, ax in enumerate(row):
            _image(ax, images[place, 0])
        row[0].set_ylabel(name, fontsize=9)
    return figure


def repaired(result: RefinementResult, corrupted: Tensor, clean: Tensor, classifier: Any) -> Figure:
    """Figures 4 and 5: one digit, and its barcode before and after."""
    figure = new_figure(9.6, 4.6)
    axes = figure.subplots(2, 3, width_ratios=(1, 1, 2.2))
    reads = digit_probabilities(classifier, torch.cat([result.reference, result.output])).argmax(1).tolist()
    _image(axes[0, 0], clean[0], "true digit")
    _image(axes[1, 0], corrupted[0], "corrupted")
    for row, (name, output, read) in enumerate(
        zip(("denoised", "with prior"), (result.reference, result.output), reads, strict=True)
    ):
        _image(axes[row, 1], output[0, 0], f"{name}: read as {read}")
        barcode(persistence(output), threshold=0.5, max_bars=_BARS, ax=axes[row, 2])
    return figure


def three_priors(results: Sequence[RefinementResult], corrupted: Tensor, classifier: Any) -> Figure:
    """Figure 6: one corrupted digit, refined towards each of the three priors."""
    figure = new_figure(10.8, 4.4)
    axes = figure.subplots(2, 2 + len(results))
    reference = results[0].reference
    outputs = torch.cat([reference, *(result.output for result in results)])
    reads = digit_probabilities(classifier, outputs).argmax(1).tolist()
    _image(axes[0, 0], corrupted[0], "corrupted")
    axes[1, 0].axis("off")
    names = ["denoised", *(f"prior ({prior})" for prior in PRIORS)]
    for column, (name, output, read) in enumerate(zip(names, outputs, reads, strict=True), start=1):
        _image(axes[0, column], output[0], f"{name}\nread as {read}")
        barcode(persistence(output[None]), threshold=0.5, max_bars=_BARS, ax=axes[1, column])
    return figure


def accuracy(results: Mapping[str, Any]) -> Figure:
    """Digits read right against lines removed, ours and the paper's."""
    figure = new_figure(7.0, 4.2)
    ax = figure.subplots()
    lines = [row["lines"] for row in results["lines"]]
    for name, (title, colour, style) in _CURVES.items():
        known = [row for row in results["lines"] if name in row["variants"]]
        if known:
            shares = [100 * row["variants"][name]["accuracy"] for row in known]
            ax.plot([row["lines"] for row in known], shares, style, color=colour, label=title, markersize=5)
    theirs = [number for number in lines if number in TABLE_1]
    for column, colour, name in ((0, "#555555", "the paper: before"), (1, "#c62828", "the paper: after")):
        if theirs:
            ax.plot(theirs, [TABLE_1[number][column] for number in theirs], "x--", color=colour, alpha=0.5, label=name)
    ax.set(xlabel="lines removed, m", ylabel="digits read right, %", xticks=lines)
    ax.spines[["right", "top"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return figure


def worth_showing(
    cells: Mapping[tuple[int, str], Mapping[str, Any]], before: Mapping[int, Mapping[str, Any]], labels: Sequence[int]
) -> dict[str, tuple[int, int]]:
    """Digits for figures 4 to 6, as ``(lines, place)``: misread before, right after, as near the paper's as there are.

    Args:
        cells: Results of the refined cells by lines and prior.
        before: Results of the denoised cells by lines.
        labels: The true digits.

    Returns:
        ``"4"`` (a 0 that was read as 8), ``"5"`` (a 6 that was read as 5) and ``"6"`` (a 3 that takes all three
        priors); each is there if such a digit, or one somewhat like it, is.
    """
    repairs = []
    for (lines, prior), cell in cells.items():
        for row, place in enumerate(cell["places"]):
            label, old = labels[place], int(before[lines]["read"][place])
            new = int(cell["refined"]["read"][row])
            if str(PRIOR_OF[label]) == prior and old != label == new and cell["succeeded"][row]:
                repairs.append((lines, place, old))
    chosen = {}
    for figure, (digit, misread) in {"4": (0, 8), "5": (6, 5)}.items():
        # Too many loops in Figure 4, too few in Figure 5; the paper's digits first, then the fewest lines.
        fitting = [
            (labels[place] != digit, old != misread, abs(lines - 8), lines, place)
            for lines, place, old in repairs
            if (before[lines]["loops"][place] - PRIOR_OF[labels[place]].lower[1]) * (1 if figure == "4" else -1) > 0
        ]
        if fitting:
            chosen[figure] = min(fitting)[-2:]
    takes = [
        (labels[place] != 3, int(before[lines]["read"][place]) != 3, abs(lines - 8), lines, place)
        for lines in before
        if all((lines, str(prior)) in cells for prior in PRIORS)
        for place in range(len(labels))
        if all(_took(cells[lines, str(prior)], place) for prior in PRIORS)
    ]
    return chosen | ({"6": min(takes)[-2:]} if takes else {})


def _took(cell: Mapping[str, Any], place: int) -> bool:
    return place in cell["places"] and bool(cell["succeeded"][cell["places"].index(place)])


def _image(ax: Axes, image: Tensor, title: str = "") -> None:
    ax.imshow(image.cpu().numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)
