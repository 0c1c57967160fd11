"""The figures of the myocardium experiment, numbered as in the paper: 7 examples, 8 degradation, 9 and 10 barcodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.baselines.post_processing import post_processing
from topoprior.experiments.myocardium.cells import LINES_KEPT, RING, TRAINED, Cell, cases_of, seeds
from topoprior.experiments.myocardium.tables import METHODS
from topoprior.imaging import networks
from topoprior.imaging.corrupt import remove_lines, removed_lines
from topoprior.topology.betti import betti_numbers
from topoprior.topology.diagram import persistence
from topoprior.viewing.bars import barcode
from topoprior.viewing.overlays import outline, show_grey
from topoprior.viewing.report.experiment import Figure
from topoprior.viewing.style import betti_text, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from torch import Tensor

    from topoprior.imaging.datasets.short_axis import ShortAxisSlices
    from topoprior.training import Cases

SHOWN = ("supervised", "closing", "crf", "pseudo-labels", "prior", "pseudo-labels+prior")
_LABEL, _MASK = "#00c8ff", "#ffd400"
_EXAMPLES = (0.75, 0.5, 0.25)  # of the slices that the prior sets right, by their gain in Dice


def degradation(slices: ShortAxisSlices, cell: Cell, lines: Sequence[int]) -> Figure:
    """Figure 8: a slice and its spectrum, whole and without lines.

    Args:
        slices: All of them.
        cell: The first of its test slices is shown.
        lines: How many are removed.
    """
    number = slices.names.index(cases_of(slices, cell)["test"].names[0])
    image, seed = slices.images[number][None], seeds(slices, cell)[number]
    counts = [0, *lines]
    figure = new_figure(2.4 * len(counts), 4.9)
    for column, count in zip(np.transpose(figure.subplots(2, len(counts))), counts, strict=True):
        picture = remove_lines(image, count, seed=[seed], keep_centre=LINES_KEPT)
        [(gone, _)] = removed_lines(tuple(image.shape), count, seed=[seed], keep_centre=LINES_KEPT)
        show_grey(picture[0, 0].numpy(), column[0])
        column[0].set_title(f"{count} lines removed" if count else "as it is", fontsize=9)
        spectrum = np.log(np.abs(np.fft.fftshift(np.fft.fft2(image[0, 0].numpy()))) + 1)
        column[1].imshow(spectrum, cmap="gray")
        column[1].hlines(gone, -0.5, image.shape[-1] - 0.5, colors="#c62828", linewidth=1.2)
        column[1].set(xticks=[], yticks=[], xlabel="spectrum, log scale", ylim=(image.shape[-2] - 0.5, -0.5))
    return Figure(
        f"As Figure 8: {slices.names[number]}, and its spectrum with the removed lines in red; the {LINES_KEPT} in the "
        "middle are always kept.",
        figure,
        f"A short-axis slice blurs as {' and '.join(map(str, lines))} lines of its spectrum are removed.",
    )


def results(
    slices: ShortAxisSlices, document: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Figures 7, 9 and 10, of the test slices of one cell.

    Args:
        slices: All of them.
        document: Of the cell.
        folder: Where its networks are.

    Returns:
        Name to figure, and, for what cannot be shown, name to reason.
    """
    absent = [name for name in TRAINED if not (folder / f"{name}.safetensors").is_file()]
    if absent:
        reason = f"the networks of {document['cell']['name']} were not kept"
        return {}, dict.fromkeys(("figure7", "figure9", "figure10"), reason)
    cell = Cell(*(document["cell"][name] for name in ("lines", "labelled", "seed")))
    test = cases_of(slices, cell)["test"]
    scored = document["result"]["methods"]
    before, after = (np.array(scored[name]["betti"]) for name in ("supervised", "prior"))
    gain = np.subtract(scored["prior"]["dice"], scored["supervised"]["dice"])
    right = (after == (1, 1)).all(1)

    def places(wanted: Any) -> list[int]:
        """Test slices that the prior sets right, the largest gain first."""
        chosen = np.flatnonzero(right & wanted)
        return list(chosen[np.argsort(-gain[chosen], kind="stable")])

    figures, missing = {}, {}
    repaired = places((before != (1, 1)).any(1))
    if repaired:
        chosen = list(dict.fromkeys(repaired[int((1 - share) * (len(repaired) - 1))] for share in _EXAMPLES))
        figures["figure7"] = _examples(test, chosen, _masks(test, chosen, document, folder), cell, len(repaired))
    kinds = {
        "figure9": ("extra components", (before[:, 0] > 1) & (before[:, 1] == 1), "each is one more long red bar"),
        "figure10": ("a gap", (before[:, 0] == 1) & (before[:, 1] == 0), "the green bar of the loop is too short"),
    }
    for name, (fault, wanted, words) in kinds.items():
        chosen = places(wanted)
        if chosen:
            pair = [_probabilities(folder, method, test.images[chosen[:1]]) for method in ("supervised", "prior")]
            caption = (
                f"As Figure {name[6:]}: {fault}, {test.names[chosen[0]]}. Without the prior {words}. Chosen for "
                f"the largest gain in Dice; slices with this fault that the prior sets right: {len(chosen)}."
            )
            figures[name] = _barcodes(test, chosen[0], pair, caption)
    for name in ("figure7", *kinds):
        if name not in figures:
            missing[name] = f"no test slice of {document['cell']['name']} shows such a fault that the prior sets right"
    return figures, missing


def _examples(test: Cases, chosen: list[int], masks: Mapping[str, Tensor], cell: Cell, repaired: int) -> Figure:
    assert test.labels is not None
    titles = ["image, label", *(METHODS[name] for name in masks)]
    figure = new_figure(1.7 * len(titles), 1.95 * len(chosen) + 0.2)
    grid = np.reshape(figure.subplots(len(chosen), len(titles)), (len(chosen), len(titles)))
    for row, place in enumerate(chosen):
        picture, truth = test.images[place, 0].numpy(), test.labels[place].bool().numpy()
        for axes, title in zip(grid[row], titles, strict=True):
            show_grey(picture, axes)
            if row == 0:
                axes.set_title(title.replace(" (ours)", "\n(ours)").replace("with", "with\n", 1), fontsize=8)
        outline(grid[row][0], truth, _LABEL)
        grid[row][0].set_xlabel(test.names[place], fontsize=7)
        for axes, mask in zip(grid[row][1:], masks.values(), strict=True):
            _draw(axes, mask[row])
    return Figure(
        f"As Figure 7: {cell.labelled} labelled slices, {cell.lines} lines removed. Below each mask its Betti numbers. "
        f"Of the {repaired} test slices that the prior sets right, these are at the quartiles of its gain in Dice, the "
        "largest first.",
        figure,
        "Masks of the myocardium by each method: rings with gaps or islands without the prior, whole rings with it.",
    )


def _barcodes(test: Cases, place: int, pair: list[Tensor], caption: str) -> Figure:
    figure = new_figure(7.2, 5.2)
    grid = figure.subplots(2, 2, width_ratios=(1, 1.6))
    for row, title, probability in zip(grid, ("without the prior", "with it"), pair, strict=True):
        show_grey(test.images[place, 0].numpy(), row[0])
        _draw(row[0], probability[0] >= 0.5)
        row[0].set_ylabel(title, fontsize=9)
        barcode(persistence(probability), threshold=0.5, max_bars=8, ax=row[1])
    return Figure(caption, figure, "A mask with the wrong topology above, the ring below, each beside its barcode.")


def _draw(axes: Axes, mask: Tensor) -> None:
    """The outline of a mask of shape ``(1, height, width)``, and its Betti numbers."""
    outline(axes, mask[0].numpy(), _MASK)
    axes.set_xlabel(betti_text(betti_numbers(mask[None])[0, 0].tolist()), fontsize=8)


def _masks(test: Cases, chosen: list[int], document: Mapping[str, Any], folder: Path) -> dict[str, Tensor]:
    """Those of the methods shown, for some of the test slices."""
    images = test.images[chosen]
    base = _probabilities(folder, "supervised", images)
    masks = {}
    for name in SHOWN:
        if name in TRAINED:
            masks[name] = _probabilities(folder, name, images) >= 0.5
        else:
            post = post_processing(document["result"]["methods"][name]["details"])
            masks[name] = post(base, image=images, prior=RING)
    return masks


@torch.no_grad()
def _probabilities(folder: Path, method: str, images: Tensor) -> Tensor:
    return torch.sigmoid(networks.load(folder / f"{method}.safetensors").network(images))
