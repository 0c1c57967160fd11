"""The page about the myocardium experiment: what is said around its tables and figures."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from topoprior.experiments.myocardium.cells import MOST_UNLABELLED, SHARES
from topoprior.viewing.report.experiment import Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topoprior.experiments.myocardium.cells import Cell
    from topoprior.experiments.myocardium.recipes import Recipe
    from topoprior.imaging.datasets.short_axis import ShortAxisSlices
    from topoprior.viewing.report.experiment import Figure, Table

_ACDC = "Images: ACDC, several slices of a patient, both phases; the paper has UK Biobank, one slice of each subject."
_IMAGES = {
    "phantom": "Images: phantoms, one of each person; the paper has UK Biobank.",
    "acdc": _ACDC,
    "crops": _ACDC,
    "biobank": "Images: those of the folder; which subjects the paper chose is not stated.",
}


def introduction(slices: ShortAxisSlices, document: Mapping[str, Any]) -> str:
    """What was done; the numbers are those of one cell."""
    cases = document["result"]["cases"]
    return (
        f"The second experiment of Clough et al. (2022). Data: {slices.note}. In each cell of the table networks learn "
        f"from the labelled slices and from {cases['unlabelled']} unlabelled ones: by pseudo-labels, by the prior that "
        f"each shows one component with one loop, or by both. About {cases['validation']} slices serve to choose "
        f"states, and {cases['test']}, of other people, to test. All methods of a cell begin with the same supervised "
        "network. A mask has the right topology if it has one component and one loop where the probability is at least "
        "0.5; corners connect."
    )


def sections(
    verdicts: Table, table_2: Sequence[Table], quality: Table, pictures: Mapping[str, Figure]
) -> list[Section]:
    """Tables and figures, the answer first."""
    examples = [pictures[name] for name in ("figure7", "figure9", "figure10") if name in pictures]
    gain = (
        "The prior is on topology, so topology is what it should gain. Against pseudo-labels the paper finds no "
        "significant difference in Dice in any cell of its Table 2."
    )
    return [
        Section("What the prior gains", gain, [verdicts]),
        Section("Table 2", "", list(table_2)),
        *([Section("Examples", "", examples)] if examples else []),
        Section("The images", "", [quality, pictures["figure8"]]),
    ]


def deviations(recipe: Recipe, source: str, seeds_tuned_on: int) -> list[str]:
    """What was done otherwise than in the paper, or is not stated there."""
    training = recipe.training
    supervised, prior, pseudo = training.supervised, training.prior, training.pseudo_labels
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    channels = ", ".join(map(str, training.network.channels))
    network = (
        f"Network: a U-net of {channels} features, {training.network.residual_units} residual units a level, AdamW; "
        "images of mean 0 and standard deviation 1. The paper states neither depth nor optimiser nor scaling."
    )
    common = [
        _IMAGES[source],
        f"People: {shares} to train, to validate and to test, with at most {MOST_UNLABELLED} unlabelled slices.",
        network,
        "CRF: the parameters of highest Dice on the validation slices. The paper has those of another work.",
        "Tests: over people where there are fewer than ten runs; p-values corrected after Holm for two measures.",
        "Beyond the paper: longer supervised training, largest component with holes filled, prior with pseudo-labels.",
    ]
    if recipe.name == "paper":
        unknown = (
            f"Not stated in the paper: the learning rate, here {supervised.learning_rate:g}; augmentation, here none; "
            f"the rounds of pseudo-labels, here {pseudo.rounds} of at most {pseudo.steps} steps. The paper has at most "
            f"3000 epochs, here {supervised.steps} supervised steps of all labelled images and {prior.steps} with the "
            "prior."
        )
        return [*common, unknown]
    phases = (
        f"Training: Dice + cross-entropy, batches of {supervised.batch_size}, strong augmentation, of unlabelled "
        f"images too; {supervised.steps} supervised steps, then {prior.steps} with the prior or {pseudo.rounds} rounds "
        f"of {pseudo.steps} with pseudo-labels. The paper has Dice alone, and all labelled images in each batch."
    )
    equation = (
        f"Prior: one update for the sum of equation 6, not two by turns; lambda {prior.weight:g}, not 0.01; the state "
        "of lowest topological loss on the validation slices is kept, not the one of highest Dice."
    )
    return [
        *common,
        phases,
        equation,
        "Pseudo-labels: soft, which was the stronger choice.",
        f"The recipe was chosen on ACDC crops, on splits that are in no table (seeds before {seeds_tuned_on}).",
    ]


def missing(cells: Sequence[Cell], lines: Sequence[int], labelled: Sequence[int], repeats: int) -> list[str]:
    """The cells of the paper's table that are not all there.

    Args:
        cells: Those there are.
        lines: The paper's.
        labelled: The paper's.
        repeats: The paper's.
    """
    have = [(cell.lines, cell.labelled) for cell in cells]
    return [
        f"{count} lines removed, {number} labelled slices: {have.count((count, number))} of {repeats} runs."
        for count, number in itertools.product(lines, labelled)
        if have.count((count, number)) < repeats
    ]
