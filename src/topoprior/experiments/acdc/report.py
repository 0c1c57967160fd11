"""The report of the ACDC experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from topoprior.experiments.acdc.figures import examples, patients_plot, positions_plot
from topoprior.experiments.acdc.refinement import PAPER_WEIGHT, WAYS
from topoprior.experiments.acdc.tables import (
    aims_table,
    by_position,
    by_prior,
    choice_table,
    main_table,
    wrong_table,
)
from topoprior.experiments.acdc.training import LONGER
from topoprior.experiments.cell_documents import provenance
from topoprior.experiments.folder import write_figure
from topoprior.viewing.report.experiment import Figure, Section, Table, write_experiment_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from topoprior.experiments.acdc.refinement import Work

    Document = Mapping[str, Any]

OFFICIAL_SLICES = 1076  # of the 50 test patients, both phases
OFFICIAL_VALIDATION = 190  # about as many have the 10 of the 100 training patients that are set aside
_TITLES = {
    "myocardium": "Myocardium, binary cross-entropy",
    "heart": "Three classes, softmax",
}


def write_page(
    folder: Path,
    results: Mapping[str, Any],
    work: Work,
    trained: Sequence[Document],
    chosen: Sequence[Document],
    refined: Sequence[Document],
    *,
    command: str | None,
) -> None:
    """Draw the figures and write ``report.html``, in place of earlier ones, from the documents of all cells."""
    sections = []
    for variant, summaries in results["summary"].items():
        members = [one for one in refined if one["cell"]["variant"] == variant]
        sections += _sections(variant, summaries, members, folder, work)
    sections.append(Section("Choosing λ and the learning rate", _CHOICE, [choice_table(chosen)]))
    sections.append(
        Section(
            "Crops and time",
            _crops(refined),
            [_time_table(trained, chosen, refined, official="official" in trained[0]["cell"]["name"])],
        )
    )
    write_experiment_report(
        folder / "report.html",
        title="The myocardium of unseen patients, refined slice by slice",
        introduction=(
            f"The third experiment of Clough et al. (2022), IEEE TPAMI 44(12), on {results['source']}: a U-net learns "
            "the myocardium of short-axis stacks by cross-entropy. It is then adapted to each slice of patients that "
            "it has not seen (equation 5), with the prior of that slice: a ring (1,1), an open wall (1,0), or nothing "
            "(0,0). The paper reports Dice alone; its test labels were not public then. They are now, so topological "
            "success is reported too."
        ),
        sections=sections,
        deviations=_deviations(results),
        missing=results["missing"],
        configuration={
            "preset": results["preset"],
            "data": results["source"],
            **{name: str(value) for name, value in results["settings"].items()},
            **provenance([*trained, *chosen, *refined]),
        },
        command=command,
        overwrite=True,
    )


def _sections(
    variant: str, summaries: Mapping[str, Any], documents: Sequence[Document], folder: Path, work: Work
) -> list[Section]:
    ways = list(WAYS)
    tables: list[Table | Figure] = [main_table(documents, summaries)]
    scored = summaries["network"]["dice_ED"] is not None
    if scored and summaries["network"]["wrong_before"]:
        tables.append(aims_table(summaries))
    if variant == "heart":
        tables.append(_all_right_table(summaries))
    found = [Section(_TITLES[variant], _WAYS_TEXT if variant == "myocardium" else _HEART_TEXT, tables)]
    parts: list[Table | Figure] = [by_prior(documents, ways), by_position(documents, ways)]
    parts.append(
        write_figure(
            folder,
            f"positions_{variant}",
            Figure(
                "Share of slices with the right topology by position in the stack.",
                positions_plot(documents, ways),
                "Bars of topological success for each position in the stack and each way",
            ),
        )
    )
    still_wrong = wrong_table(documents)
    if still_wrong is not None:
        parts.append(still_wrong)
    found.append(Section(f"{_TITLES[variant]}: topology slice by slice", "", parts))
    pictures: list[Table | Figure] = []
    if scored:
        pictures.append(
            write_figure(
                folder,
                f"patients_{variant}",
                Figure(
                    "Dice of each patient's myocardium before and after refinement; above the line it rose.",
                    patients_plot(documents),
                    "Scatter plots of Dice before and after, one for each phase",
                ),
            )
        )
    drawing = examples(documents, work)
    if drawing is not None:
        pictures.append(
            write_figure(
                folder,
                f"examples_{variant}",
                Figure(
                    "Slices whose topology was wrong, from the largest loss in Dice by refine to the largest gain, "
                    "evenly spaced. Yellow: the mask; blue: the ground truth.",
                    drawing,
                    "Slices with outlines of mask and ground truth: U-net, refine, and the last fallback",
                ),
            )
        )
    if pictures:
        found.append(Section(f"{_TITLES[variant]}: pictures", "", pictures))
    return found


_WAYS_TEXT = f"""
Every slice gets its own copy of the network; slices that are right already are left as they are. "refine" has the λ
and learning rate that were chosen on validation patients; "refine, λ = {PAPER_WEIGHT}" the λ of the paper. Two
fallbacks follow: where refine left the topology wrong, refine_map moves the pixels themselves ("+ refine_map"), and
where it is wrong still, guarantee edits them ("+ guarantee"). "guarantee alone" edits the U-net's own map.

The topology is that of the mask in the file, on the pixels of the original image: the network's probabilities are
resampled to them inside the loss, so what is refined is what is written.

A prior (0,0) tells that a slice holds no myocardium. That is knowledge of the slice's place in the heart, not of shape
alone, and it accounts for a part of what refinement gains.
"""
_HEART_TEXT = """
The network tells right ventricle, myocardium and cavity apart. The priors of a slice are the Betti numbers of all three
classes and of all pairs of classes in its ground truth. The numbers below are those of the myocardium.
"""
_CHOICE = """
On the validation patients of each network, who are neither among those it learnt from nor among the unseen ones, all
combinations are tried. Those within two slices of the most right slices are taken for equally good, and of these the
one with the largest gain in Dice is taken.
"""


def _crops(documents: Sequence[Document]) -> str:
    known = [one["result"]["inside"] for one in documents if one["result"]["inside"] is not None]
    if not known:
        return "The stacks have no ground truth, so nobody knows whether a heart was cut off."
    return (
        "Stacks are cropped about where the two phases differ, without any label. The myocardium of the ground truth "
        f"lies wholly inside the crop in {sum(known)} of {len(known)} stacks."
    )


def _time_table(
    trained: Sequence[Document], chosen: Sequence[Document], refined: Sequence[Document], *, official: bool
) -> Table:
    """What it took, and what the official 100 and 50 patients would take."""
    slices = sum(len(one["result"]["priors"]) for one in refined)
    judged = sum(one["result"]["slices"] for one in chosen) / len(chosen)
    kinds = {
        "the clock on the wall": lambda one: one["seconds"],
        "the processor": lambda one: one["result"]["processor_seconds"],
    }
    columns = []
    for seconds in kinds.values():
        training = sum(map(seconds, trained)) / len(trained)
        choosing = sum(map(seconds, chosen)) / len(chosen)
        one_slice = sum(map(seconds, refined)) / slices
        longer = training if official else training * LONGER / 2
        whole = longer + OFFICIAL_VALIDATION * choosing / judged + OFFICIAL_SLICES * one_slice
        columns.append(
            [f"{training / 60:.1f} min", f"{choosing / 60:.1f} min", f"{one_slice:.2f} s", f"{whole / 60:.0f} min"]
        )
    names = [
        "training, a network",
        "choosing λ, a network",
        "a slice: refined in all ways, scored, written",
        "extrapolated: 100 training and 50 test patients",
    ]
    note = (
        "Of one process. The first is longer by what other programs took at the same time, the second by the number of "
        "threads. With 100 patients the training has 2.5 times as many steps as in folds."
    )
    rows = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
    return Table("Time", ["", *kinds], rows, note=note)


def _all_right_table(summaries: Mapping[str, Any]) -> Table:
    rows = [
        [WAYS[way], f"{100 * one['all_right'] / one['slices']:.1f} % ({one['all_right']} of {one['slices']})"]
        for way, one in summaries.items()
    ]
    return Table("Slices in which all priors of classes and pairs hold", ["", "right"], rows)


def _deviations(results: Mapping[str, Any]) -> list[str]:
    settings = results["settings"]
    unstated = (
        f"Not stated in the paper and chosen here: resampling to {settings['spacing']:g} mm, crops of "
        f"{settings['size']} x {settings['size']} pixels, slices normalised each by itself, a U-net of MONAI with "
        f"batch normalisation, AdamW, {settings['steps']} steps of {settings['batch_size']} slices, random rotation, "
        "scale, shift and contrast; for the refinement Adam, its learning rate, and at most "
        f"{settings['max_steps']} steps, until the topology is right with a margin."
    )
    return [
        unstated,
        "λ is chosen on validation patients; the row with the paper's λ is beside it.",
        "One network, no ensemble and no test-time augmentation.",
        "Dice and Hausdorff distance are computed here, per patient in 3-D, not by the challenge's server.",
    ]
