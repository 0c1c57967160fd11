"""The page about the MNIST experiment, from the results of its runs, each in a folder named after its recipe.

topoprior reproduce mnist --preset paper --data DIR --jobs 2 -o benchmarks/results/mnist/paper
topoprior reproduce mnist --preset paper --recipe official --lines 8 --data DIR --jobs 2 -o [...]/mnist/official
topoprior reproduce mnist --preset paper --no-controls --seed 1 --data DIR -o [...]/mnist/seed1 (and 2 to 4)
python benchmarks/mnist.py
"""

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from markdown_table import markdown_table

from topoprior.experiments.cell_documents import provenance, read_cells
from topoprior.experiments.mnist.paper import TABLE_1
from topoprior.experiments.mnist.variants import LEAKS, TITLES

FOLDER = Path(__file__).parent / "results" / "mnist"
HEAD = """# Digits from broken spectra, set right by their topology

The first experiment of Clough et al. (2022) on MNIST. Each part below has a folder with `report.html` (all tables,
figures, deviations from the paper), `results.json`, and in `cells/` what every test digit was read as, with its squared
error and Betti numbers. The prior is that of the true digit, as in the paper: it gives away something of the label, and
the second table tells how much. McNemar's exact test and Wilcoxon's signed rank test, not corrected for the number of
rows; * is the paper's mark for a significant difference.
"""


def main() -> None:
    """Write ``results.md`` from every ``results.json`` below it."""
    paper, official = (_part(FOLDER / recipe / "results.json") for recipe in ("paper", "official"))
    (FOLDER / "results.md").write_text("\n".join([HEAD, paper, _seeds(), official]), encoding="utf-8")


def _seeds() -> str:
    """The first recipe with other test digits, other noise and other networks."""
    files = [FOLDER / "paper" / "results.json", *sorted(FOLDER.glob("seed*/results.json"))]
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    rows = []
    for place, line in enumerate(runs[0]["lines"]):
        variants = [run["lines"][place]["variants"] for run in runs]
        before, after = ([100 * each[name]["accuracy"] for each in variants] for name in ("denoised", "prior"))
        gains = [b - a for a, b in zip(before, after, strict=True)]
        error = [each["prior"]["error"] - each["denoised"]["error"] for each in variants]
        paper = TABLE_1[line["lines"]]
        rows.append({
            "lines m": line["lines"],
            "read right %": f"{fmean(before):.1f}",
            "read right with prior %": f"{fmean(after):.1f}",
            "gain, points": f"{fmean(gains):+.1f} ± {stdev(gains) / len(gains) ** 0.5:.1f}",
            "gain of each run": ", ".join(f"{gain:+.1f}" for gain in gains),
            "the paper: gain": f"{paper[1] - paper[0]:+.1f}",
            "errors that the prior removes %": f"{100 * fmean(gains) / (100 - fmean(before)):.0f}",
            "the paper: errors removed %": f"{100 * (paper[1] - paper[0]) / (100 - paper[0]):.0f}",
            "MSE, change": f"{fmean(error):+.4f}",
        })  # fmt: skip
    told = provenance([document for file in files[1:] for document in read_cells(file.parent / "cells")])
    return "\n".join([
        f"## Recipe paper, {len(runs)} runs\n",
        "A gain of one run has a standard error of about one point: so the same was run again with other test digits, "
        "other lines removed, another classifier and other denoisers. Mean ± standard error over the runs; the first "
        "is the run above. Of the others: " + ", ".join(f"{name}: {value}" for name, value in told.items()) + ".\n",
        markdown_table(rows),
    ]) + "\n"  # fmt: skip


def _part(file: Path) -> str:
    found = json.loads(file.read_text(encoding="utf-8"))
    how = found["settings"]
    refinement = how["refinement"]
    documents = read_cells(file.parent / "cells")
    lines = [
        f"## Recipe {file.parent.name}\n",
        f"{how['test_digits']} test digits; lambda {refinement['weight']:g}, Adam {refinement['learning_rate']:g}, "
        f"{refinement['max_steps']} steps. "
        + ", ".join(f"{name}: {value}" for name, value in provenance(documents).items())
        + ".\n",
        markdown_table(found["table"]),
    ]
    if "read" in found["lines"][0]["variants"]:
        lines += [
            "\nDigits read right, in per cent, by what the refinement is given:\n",
            markdown_table([_row(found, name) for name in TITLES]),
        ]
    return "\n".join(lines) + "\n"


def _row(found: dict[str, Any], variant: str) -> dict[str, Any]:
    scores = {f"m = {one['lines']}": f"{100 * one['variants'][variant]['accuracy']:.1f}" for one in found["lines"]}
    return {"given": TITLES[variant], "knows of the label": "yes" if variant in LEAKS else "no", **scores}


if __name__ == "__main__":
    main()
