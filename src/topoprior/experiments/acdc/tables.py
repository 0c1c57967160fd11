"""The tables of the ACDC experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from topoprior.experiments.acdc.refinement import PAPER_WEIGHT, WAYS
from topoprior.experiments.acdc.scores import POSITIONS, mean, slice_rows
from topoprior.imaging.datasets.acdc import PHASES
from topoprior.viewing.report.experiment import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Document = Mapping[str, Any]

PAPER = {"ED": 0.8994, "ES": 0.9068}
"""Mean Dice of the myocardium, 50 test patients (Clough et al. 2022, section 4.3); no other number is published."""
PAPER_NAME = "paper: 100 training and 50 test patients"
AIM = 0.99
_MOST_WRONG = 25
_OVERLAPS = ("network", "guarantee")  # whose Dice is shown by groups of slices
_PRIORS = ("1,1", "1,0", "0,0")


def main_table(documents: Sequence[Document], summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """As the challenge scores it, and topological success; the paper's numbers on top."""
    rows = [[PAPER_NAME, *(f"{PAPER[phase]:.4f}" for phase in PHASES), *["-"] * 6]]
    for way, one in summaries.items():
        share = f"{100 * one['right'] / one['slices']:.1f} % ({one['right']} of {one['slices']})"
        refined = _shown(one["refined_dice"], 4)
        counts = "" if way == "network" else f"{one['rose']} / {one['fell']}"
        p = "" if way == "network" else _shown(one["p"], 2)
        rows.append(
            [
                WAYS[way],
                *(_shown(one[f"dice_{phase}"], 4) for phase in PHASES),
                *(_distance(one, phase) for phase in PHASES),
                share,
                refined,
                counts,
                p,
            ]
        )
    header = ["", "Dice ED", "Dice ES", "Hausdorff ED", "Hausdorff ES", "topology right", "Dice of wrong slices"]
    header += ["rose / fell", "p"]
    patients = len({one["cell"]["patient"] for one in documents})
    wrong = summaries["network"]["wrong_before"]
    return Table(
        f"Myocardium of {patients} unseen patients: three-dimensional scores as in the challenge, means over patients",
        header,
        rows,
        note=f"Hausdorff: 95 %, in mm. Topology: of all slices. Wrong are the {wrong} slices whose topology the U-net "
        "has wrong; the others are left as they are. Of the wrong ones Dice rose or fell in so many; two empty slices "
        "have Dice 1. p: two-sided Wilcoxon signed rank test of the patients' Dice, mean of both phases, against the "
        "U-net's, not corrected. -: not reported.",
    )


def grouped_table(
    caption: str, documents: Sequence[Document], ways: Sequence[str], key: str, groups: Sequence[str]
) -> Table:
    """Topological success of each way in groups of slices."""
    rows = []
    for group in groups:
        members = [[row for row in slice_rows(documents, way) if row[key] == group] for way in ways]
        if not members[0]:
            continue
        rows.append(
            [
                f"({group})" if key == "prior" else group,
                str(len(members[0])),
                *(_share([row["right"] for row in of_way]) for of_way in members),
                *(
                    _shown(mean(row["dice"] for row in of_way if row["dice"] is not None), 4)
                    for of_way in (members[ways.index(way)] for way in _OVERLAPS)
                ),
            ]
        )
    short = [WAYS[way] for way in ways]
    return Table(caption, ["", "slices", *short, *(f"Dice, {WAYS[way]}" for way in _OVERLAPS)], rows)


def by_prior(documents: Sequence[Document], ways: Sequence[str]) -> Table:
    """By topology class."""
    found = {row["prior"] for row in slice_rows(documents, ways[0])}
    groups = [*_PRIORS, *sorted(found - set(_PRIORS))]
    return grouped_table("Topology right, by the wanted (components, loops)", documents, ways, "prior", groups)


def by_position(documents: Sequence[Document], ways: Sequence[str]) -> Table:
    """By position in the stack."""
    caption = "Topology right, by position in the stack"
    return grouped_table(caption, documents, ways, "position", POSITIONS)


def aims_table(summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """What was to be reached, and whether it was."""
    before = summaries["network"]
    checks: dict[str, Callable[[Mapping[str, Any]], tuple[str, bool]]] = {
        f"at least {100 * AIM:.0f} % of slices right": lambda one: (
            f"{100 * one['right'] / one['slices']:.1f} %",
            one["right"] >= AIM * one["slices"],
        ),
        **{
            f"Dice {phase} not below the U-net's": lambda one, phase=phase: (  # type: ignore[misc]
                f"{one[f'dice_{phase}'] - before[f'dice_{phase}']:+.4f}",
                one[f"dice_{phase}"] >= before[f"dice_{phase}"],
            )
            for phase in PHASES
        },
        **{
            f"mean Dice of the refined slices higher{words}": lambda one, key=key: (  # type: ignore[misc]
                ("none", True)
                if one[key] is None
                else (f"{one[key] - one[f'{key}_before']:+.4f}", one[key] > one[f"{key}_before"])
            )
            for key, words in (
                ("refined_dice", ""),
                ("refined_dice_of_some", ", of those that hold myocardium alone"),
            )
        },
    }
    ways = [way for way in summaries if way != "network"]
    rows = []
    for name, check in checks.items():
        cells = []
        for way in ways:
            text, met = check(summaries[way]) if before["dice_ED"] is not None else ("", False)
            cells.append(f"{text} ({'met' if met else 'missed'})")
        rows.append([name, *cells])
    return Table("What was to be reached", ["", *(WAYS[way] for way in ways)], rows)


def wrong_table(documents: Sequence[Document]) -> Table | None:
    """The slices that are still wrong after refine, and what set them right; None if there is none."""
    each = zip(*(slice_rows(documents, way) for way in ("refine", "map", "guarantee")), strict=True)
    rows = [
        [
            f"{after['patient']} {after['phase']}, slice {after['slice']}",
            f"({after['prior']})",
            f"({','.join(map(str, after['betti']))})",
            "refine_map" if mapped["right"] else "guarantee" if edited["right"] else "nothing",
            *(_shown(value, 3) for value in (after["dice_before"], after["dice"], edited["dice"])),
        ]
        for after, mapped, edited in each
        if not after["right"]
    ]
    if not rows:
        return None
    header = ["slice", "wanted", "has", "set right by", "Dice of the U-net", "after refine", "at the end"]
    note = f"{len(rows) - _MOST_WRONG} more are in the raw results." if len(rows) > _MOST_WRONG else ""
    return Table("Still wrong after refine", header, rows[:_MOST_WRONG], note)


def choice_table(documents: Sequence[Document]) -> Table:
    """What the validation patients said about weight and learning rate."""
    rows = [
        [
            document["cell"]["network"].rpartition("_")[2],
            f"{row['weight']:g}",
            f"{row['learning_rate']:g}",
            f"{row['right']} of {document['result']['slices']} (U-net {document['result']['right_before']})",
            f"{100 * row['gain']:+.2f}",
            ", ".join(
                word
                for name, word in (("chosen", "taken"), ("paper", f"taken for λ = {PAPER_WEIGHT}"))
                if document["result"][name] == {key: row[key] for key in ("weight", "learning_rate")}
            ),
        ]
        for document in documents
        for row in document["result"]["rows"]
    ]
    header = ["network", "λ", "learning rate", "slices right", "gain in Dice (points)", ""]
    return Table("Validation patients: λ and learning rate of refine", header, rows)


def _distance(one: Mapping[str, Any], phase: str) -> str:
    absent = one[f"without_distance_{phase}"]
    return _shown(one[f"hausdorff95_{phase}"], 2) + (f" ({absent} empty)" if absent else "")


def _share(values: Sequence[bool]) -> str:
    return f"{100 * sum(values) / len(values):.1f} % ({sum(values)})"


def _shown(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}g}" if digits == 2 and abs(value) < 0.1 else f"{value:.{digits}f}"
