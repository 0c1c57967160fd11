"""The paper's second experiment: few labelled heart slices, many unlabelled ones, and the prior of a ring.

Five ways to segment the left ventricle's myocardium on degraded short-axis slices are trained side by side: supervised
learning alone, followed by a morphological closing, followed by a fully connected conditional random field,
pseudo-label bootstrapping, and the prior on the unlabelled images (equation 6). Three more rows tell what else could
explain a gain, and what the prior adds to the strongest of the others: supervised training on as many more images as
the prior sees, the largest component with its holes filled, and pseudo-labels and prior at once.

The paper's images are private (UK Biobank, one slice per subject). Here short-axis slices of the ACDC challenge stand
in for them (Bernard et al., IEEE TMI 37(11), 2018): the middle part of each stack, both phases, those whose label is
one component with one loop. Training, validation and test patients are different people.

    python -m topoprior.experiments.myocardium --data sax_crops80_training.npz --output results

Every cell of the table, one number of labelled slices, one degradation and one split, is a JSON file of its own: what
is there already is not computed again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import shlex
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from topoprior.baselines.closing import Closing
from topoprior.baselines.components import Components
from topoprior.baselines.crf import DenseCRF
from topoprior.evaluation.aggregate import summarise
from topoprior.evaluation.metrics import dice
from topoprior.evaluation.statistics import compare
from topoprior.imaging.corrupt import remove_lines
from topoprior.imaging.networks import normalise
from topoprior.imaging.new_file import new_file
from topoprior.priors.betti_prior import BettiPrior
from topoprior.topology.betti import betti_numbers
from topoprior.training import Cases, TrainingResult, TrainingSettings, fit
from topoprior.training.settings import PriorSettings, PseudoLabelSettings, SupervisedSettings
from topoprior.viewing.report import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topoprior.evaluation.result_table import Row

RING = BettiPrior(1, 1)
MYOCARDIUM = 2
MIDDLE = (0.3, 0.7)  # of a stack, from its first slice to its last
LINES_KEPT = 8
SHARES = (0.6, 0.1, 0.3)  # of the patients: training, validation, test
MOST_UNLABELLED = 400

RECIPE = TrainingSettings(
    supervised=SupervisedSettings(steps=800, batch_size=10, learning_rate=3e-3),
    prior=PriorSettings(steps=400, batch_size=10, unlabelled_batch_size=10, learning_rate=2e-3, weight=0.1),
    pseudo_labels=PseudoLabelSettings(
        rounds=4, steps=100, batch_size=10, unlabelled_batch_size=10, learning_rate=2e-3, labels="soft"
    ),
)
# As many images as the phase with the prior sees, all of them labelled.
LONGER = SupervisedSettings(steps=800, batch_size=10, learning_rate=2e-3, patience=6)

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


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes:
        lines: Lines of k-space removed, of 80.
        labelled: Number of labelled slices, of different patients as far as there are so many.
        seed: Of the split, of the labelled slices and of the training.
    """

    lines: int
    labelled: int
    seed: int

    @property
    def name(self) -> str:
        """As files are named."""
        return f"lines{self.lines}_labelled{self.labelled}_seed{self.seed}"


@dataclass(frozen=True, eq=False)
class Slices:
    """Short-axis slices.

    Attributes:
        images: Shape ``(slices, 1, 80, 80)``, at least 0.
        labels: Shape ``(slices, 80, 80)``, uint8, 1 is myocardium.
        patients: One number for each slice.
        names: One for each slice.
    """

    images: Tensor
    labels: Tensor
    patients: np.ndarray[Any, np.dtype[np.int64]]
    names: tuple[str, ...]


def read_slices(path: str | Path) -> Slices:
    """The slices of the experiment from the crops of the ACDC training set.

    Args:
        path: An npz with ``image`` and ``label`` (slices, 80, 80), ``patient``, ``phase``, ``slice``, ``nslices`` and
            ``betti_crop8``, the 8-connected Betti numbers of the myocardium.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks one of the arrays.
    """
    try:
        with np.load(path) as file:
            wanted = ("image", "label", "patient", "phase", "slice", "nslices", "betti_crop8")
            stored = {name: file[name] for name in wanted}
    except KeyError as error:
        raise ValueError(f"{path} must be the npz of short-axis crops, but lacks {error}") from error
    place = (stored["slice"] + 0.5) / stored["nslices"]
    ring = (stored["betti_crop8"] == (1, 1)).all(1)
    chosen = np.flatnonzero((place > MIDDLE[0]) & (place < MIDDLE[1]) & ring)
    patients, phases, indices = (stored[name][chosen] for name in ("patient", "phase", "slice"))
    return Slices(
        torch.from_numpy(stored["image"][chosen]).float()[:, None],
        torch.from_numpy((stored["label"][chosen] == MYOCARDIUM).astype(np.uint8)),
        patients.astype(np.int64),
        tuple(
            f"patient{patient:03d} {phase} slice {index}"
            for patient, phase, index in zip(patients.tolist(), phases.tolist(), indices.tolist(), strict=True)
        ),
    )


def cases_of(slices: Slices, cell: Cell) -> dict[str, Cases]:
    """The slices of a cell, degraded and normalised: ``labelled``, ``unlabelled``, ``validation`` and ``test``.

    A slice loses the same lines in all cells of a seed and number of lines. The labelled slices of a smaller number
    are among those of a larger one; no patient has two of them before each has one.
    """
    random = np.random.default_rng(cell.seed)
    order = random.permutation(np.unique(slices.patients))
    first, second = (round(share * len(order)) for share in itertools.accumulate(SHARES[:2]))
    training, validation, test = np.split(order, [first, second])
    one_each = np.array([random.choice(np.flatnonzero(slices.patients == patient)) for patient in training])
    rest = random.permutation(np.flatnonzero(np.isin(slices.patients, training)))
    if cell.labelled >= len(rest):
        raise ValueError(f"labelled must be less than the {len(rest)} training slices, got {cell.labelled}")
    labelled = np.concatenate([one_each, rest[~np.isin(rest, one_each)]])[: cell.labelled]
    unlabelled = rest[~np.isin(rest, labelled)][:MOST_UNLABELLED]
    seeds = [cell.seed * len(slices.names) + k for k in range(len(slices.names))]
    degraded = remove_lines(slices.images, cell.lines, seed=seeds, keep_centre=LINES_KEPT)
    every = Cases(
        normalise(degraded, "standard"), slices.labels, slices.names, ((RING,),) * len(slices.names), (1.8, 1.8)
    )
    chosen = {
        "labelled": labelled,
        "unlabelled": unlabelled,
        "validation": np.flatnonzero(np.isin(slices.patients, validation)),
        "test": np.flatnonzero(np.isin(slices.patients, test)),
    }
    parts = {name: every.select(torch.from_numpy(places)) for name, places in chosen.items()}
    return {**parts, "unlabelled": replace(parts["unlabelled"], labels=None)}


def run_cell(
    slices: Slices, cell: Cell, recipe: TrainingSettings = RECIPE, known: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Train the methods of one cell and score them on its test slices.

    The supervised phase is shared: all methods go on from the network that it kept. Methods that are ``known`` from an
    earlier run with the same recipe are not trained again.

    Returns:
        What JSON can hold: Dice and Betti numbers of each test slice by each method, and how they came about.
    """
    cases = cases_of(slices, cell)
    test = cases["test"]
    recipe = replace(recipe, seed=cell.seed)
    train = partial(fit, labelled=cases["labelled"], validation=cases["validation"], unlabelled=cases["unlabelled"])

    def entry(masks: Tensor, details: Any, began: float) -> dict[str, Any]:
        assert test.labels is not None
        return {
            "dice": [round(value, 4) for value in dice(masks, test.labels[:, None])[:, 0].tolist()],
            "betti": betti_numbers(masks)[:, 0].tolist(),
            "details": details,
            "seconds": round(time.perf_counter() - began, 1),
        }

    began = time.perf_counter()
    base = train(recipe)
    methods = {"supervised": entry(base.masks(test.images), base.summary()["phases"], began)}
    for name, settings in {
        "longer": replace(recipe, supervised=LONGER, seed=cell.seed + 1000),  # other batches than before
        "pseudo-labels": replace(recipe, method="pseudo-labels"),
        "prior": replace(recipe, method="prior"),
        "pseudo-labels+prior": replace(recipe, method="pseudo-labels+prior"),
    }.items():
        if name in known:
            methods[name] = known[name]
            continue
        began = time.perf_counter()
        result = train(settings, network=base.network)
        methods[name] = entry(result.masks(test.images), result.summary()["phases"], began)
    probabilities = base.probabilities(test.images)
    for post in (Components(), Closing(), _fitted_crf(base, cases["validation"])):
        began = time.perf_counter()
        masks = post(probabilities, image=test.images, prior=RING)
        methods[post.name] = entry(masks, post.as_dict(), began)
    return {
        "cell": asdict(cell),
        "cases": {name: len(part) for name, part in cases.items()},
        "test": list(test.names),
        "recipe": asdict(recipe),
        "methods": methods,
        "environment": environment(),
    }


def _fitted_crf(base: TrainingResult, validation: Cases) -> DenseCRF:
    assert validation.labels is not None
    return DenseCRF().fitted_to(base.probabilities(validation.images), validation.images, validation.labels[:, None])


def rows_of(found: dict[str, Any], method: str) -> list[Row]:
    """The result table of one method in one cell, one row for each test slice."""
    scored = found["methods"][method]
    return [
        {
            "case": name,
            "repeat": found["cell"]["seed"],
            "patient": name.partition(" ")[0],
            "dice": overlap,
            "topological_success": int(tuple(betti) == (1, 1)),
        }
        for name, overlap, betti in zip(found["test"], scored["dice"], scored["betti"], strict=True)
    ]


def page(cells: Sequence[dict[str, Any]], command: str) -> str:
    """What came out, in Markdown, with what it takes to judge it."""
    recipe, where = cells[0]["recipe"], cells[0]["environment"]
    seeds = sorted({found["cell"]["seed"] for found in cells})
    counts = [found["cases"] for found in cells]
    tests = f"{min(count['test'] for count in counts)} to {max(count['test'] for count in counts)}"
    return f"""# Few labelled heart slices, many unlabelled ones: methods side by side

The second experiment of Clough et al. (2022) with a stand-in for its private images: short-axis slices of the ACDC
challenge, 80x80, from the middle part of each stack. {len(seeds)} splits of the patients (seeds
{", ".join(map(str, seeds))}); {counts[0]["unlabelled"]} unlabelled slices, {tests} test slices. Dice and the share of
test slices with one component and one loop at 0.5 are in per cent, mean over the splits ± standard error. p: two-sided
Wilcoxon signed-rank test against "{METHODS["prior"]}" on the means of the test patients, corrected after Holm for the
two measures.

{table(cells)}
What the prior does to Dice and topology beside pseudo-labels, the strongest of the others: difference to
"{METHODS["pseudo-labels"]}" in points, and the p of the same test.

{beside_pseudo_labels(cells)}
## How it was done

- Recipe, with every setting: `recipe` in the JSON files, one for each cell, with Dice and Betti numbers of every test
  slice. {recipe["supervised"]["steps"]} supervised steps; then {recipe["prior"]["steps"]} steps with the prior, or
  {recipe["pseudo_labels"]["rounds"]} rounds of {recipe["pseudo_labels"]["steps"]} steps with pseudo-labels, or both at
  once. All methods of a cell begin with the same supervised network.
- Other than in the paper: several slices of a patient, both phases of the heart; {len(seeds)} splits, not 10; a U-net
  of half a million weights with residual units; strong augmentation, of unlabelled images too; Dice + cross-entropy;
  one update for the sum of equation 6, not two by turns; lambda {recipe["prior"]["weight"]} on the means of batches of
  {recipe["prior"]["batch_size"]}; the state of lowest topological loss on the validation slices is kept; pseudo-labels
  are soft, which was the stronger choice; the parameters of the CRF are those of highest Dice on the validation slices.
- The recipe was chosen on other splits of the same patients (seeds 0 to 2).
- {dt.date.today()}, {os.cpu_count()} processors, {where["system"]}, Python {where["python"]}, torch {where["torch"]},
  MONAI {where["monai"]}, one thread for each cell:

      {command}
"""


def table(cells: Sequence[dict[str, Any]]) -> str:
    """Dice and share of right topologies of all methods, tested against the prior."""
    lines = [
        "| lines removed | labelled | method | Dice | topology right | Dice: p | topology: p |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting, members in _by_setting(cells).items():
        ours = _rows(members, "prior")
        for method, title in METHODS.items():
            rows = _rows(members, method)
            shown = [
                f"{100 * summary.mean:.1f} ± {100 * summary.standard_error:.1f}"
                for summary in summarise(rows, columns=MEASURES)
            ]
            against = [] if method == "prior" else compare(rows, ours, columns=MEASURES, pair_by=["patient"])
            tests = [f"{one.p_holm:.2g}" for one in against] or ["", ""]
            lines.append("| " + " | ".join([*map(str, setting), title, *shown, *tests]) + " |")
    return "\n".join(lines) + "\n"


def beside_pseudo_labels(cells: Sequence[dict[str, Any]]) -> str:
    """The two methods with the prior against pseudo-labels."""
    lines = [
        "| lines removed | labelled | method | Dice | p | topology right | p |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting, members in _by_setting(cells).items():
        others = _rows(members, "pseudo-labels")
        for method in ("prior", "pseudo-labels+prior"):
            against = compare(_rows(members, method), others, columns=MEASURES, pair_by=["patient"])
            shown = [text for one in against for text in (f"{100 * one.difference:+.1f}", f"{one.p_holm:.2g}")]
            lines.append("| " + " | ".join([*map(str, setting), METHODS[method], *shown]) + " |")
    return "\n".join(lines) + "\n"


def _by_setting(cells: Sequence[dict[str, Any]]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """The cells of each number of lines and labelled slices."""
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for found in sorted(cells, key=lambda one: tuple(one["cell"].values())):
        groups.setdefault((found["cell"]["lines"], found["cell"]["labelled"]), []).append(found)
    return groups


def _rows(cells: Sequence[dict[str, Any]], method: str) -> list[Row]:
    return [row for found in cells for row in rows_of(found, method)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the cells that are missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the npz of short-axis crops")
    parser.add_argument("--output", type=Path, required=True, help="a folder for the cells and the page")
    parser.add_argument("--lines", type=int, nargs="+", default=[20, 60])
    parser.add_argument("--labelled", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    folder: Path = options.output / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    slices = read_slices(options.data)
    for seed, lines, labelled in itertools.product(options.seeds, options.lines, options.labelled):
        cell = Cell(lines, labelled, seed)
        file = folder / f"{cell.name}.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"methods": {}}
        if not set(METHODS) <= set(known["methods"]):
            print(f"{cell.name} ...", flush=True)
            found = run_cell(slices, cell, known=known["methods"])
            with new_file(file, overwrite=True) as temporary:
                temporary.write_text(json.dumps(found) + "\n", encoding="utf-8")
            print(brief(found), flush=True)
    cells = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "topoprior.experiments.myocardium", *words])
    with new_file(options.output / "results.md", overwrite=True) as temporary:
        temporary.write_text(page(cells, command), encoding="utf-8")
    print(table(cells))


def brief(found: dict[str, Any]) -> str:
    """Dice and share of right topologies of each method of a cell."""
    lines = []
    for name, method in found["methods"].items():
        overlap, right = (statistics.fmean(row[measure] for row in rows_of(found, name)) for measure in MEASURES)  # type: ignore[misc]
        lines.append(f"  {name:14} Dice {overlap:.3f}   topology right {right:.3f}   {method['seconds']:.0f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
