"""The page about the myocardium experiment, from the results of its runs, each in a folder of its own.

topoprior reproduce myocardium -o benchmarks/results/myocardium/phantom
topoprior reproduce myocardium --preset paper --source crops --data FILE --repeats 3 -o [...]/myocardium/acdc_crops
python benchmarks/myocardium.py
"""

import json
from pathlib import Path

from markdown_table import markdown_table

FOLDER = Path(__file__).parent / "results" / "myocardium"
HEAD = """# Few labelled heart slices, many unlabelled ones: methods side by side

The second experiment of Clough et al. (2022). Each part below has a folder with `report.html` (tables, figures,
deviations from the paper), `results.json`, and in `cells/` Dice and Betti numbers of every test slice by every method.
Dice and the share of test slices with one component and one loop are in per cent, mean over the runs ± standard error.
p: two-sided Wilcoxon signed rank test against "Prior (ours)", corrected after Holm for the two measures; over the means
of the test people where there are fewer than ten runs. The paper's numbers are of UK Biobank; * is its mark for a
significant difference from the prior.
"""


def main() -> None:
    """Write ``results.md`` from every ``results.json`` below it."""
    parts = [_part(file) for file in sorted(FOLDER.glob("*/results.json"))]
    (FOLDER / "results.md").write_text("\n".join([HEAD, *parts]), encoding="utf-8")


def _part(file: Path) -> str:
    found = json.loads(file.read_text(encoding="utf-8"))
    gains = [
        {
            "lines": one["lines"],
            "labelled": one["labelled"],
            "method": one["method"],
            "strongest baseline": one["strongest"],
            "topology": f"{one['gain']:+.1f}",
            "largest p": f"{one['p']:.2g}",
            "above all": "yes" if one["above_all"] else "no",
            "above the paper's": "yes" if one["above_the_papers"] else "no",
            "Dice against pseudo-labels": f"{one['dice_gain']:+.1f}",
            "p of it": f"{one['dice_p']:.2g}",
        }
        for one in found["verdicts"]
    ]
    origin = ", ".join(f"{name}: {found[name]}" for name in ("preset", "recipe", "cells", "computed", "commit"))
    return "\n".join(
        [
            f"## {file.parent.name}",
            f"\n{found['data']}. {origin}.\n",
            markdown_table(found["table"]),
            "\nTopology of ours against the strongest baseline and the largest p over all of them, in points:\n",
            markdown_table(gains),
            f"\nNot there, of the paper's table: {' '.join(found['missing']) or 'nothing.'}\n",
        ]
    )


if __name__ == "__main__":
    main()
