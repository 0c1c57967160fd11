"""The report of the MNIST experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from topoprior.experiments.folder import write_figure
from topoprior.experiments.mnist import figures
from topoprior.experiments.mnist.tables import (
    ceiling_table,
    controls_table,
    digit_table,
    error_table,
    table_1,
)
from topoprior.experiments.mnist.variants import PRIOR_OF, PRIORS, SHARE_OF_A_WAY
from topoprior.viewing.report.experiment import Figure, Section, write_experiment_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from topoprior.experiments.mnist.bench import Bench


def write_page(
    folder: Path,
    results: Mapping[str, Any],
    bench: Bench,
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    *,
    command: str | None,
) -> None:
    """Draw the figures and write ``report.html``, in place of earlier ones, from the documents of all cells."""
    drawn = {
        name: write_figure(folder, name, figure) for name, figure in _drawings(results, bench, before, after).items()
    }
    write_experiment_report(
        folder / "report.html",
        title="Digits from broken spectra, set right by their topology",
        introduction=(
            f"The first experiment of Clough et al. (2022), IEEE TPAMI 44(12), on {results['source']}: digits lose m "
            f"rows and m columns of their spectrum. A U-net trained on {bench.settings.labelled} pairs cleans them. "
            f"It is then adapted to each of {bench.settings.test_digits} test digits on its own (equation 5), "
            "towards the topology that its prior states. A classifier that has seen clean digits only reads them "
            "before and after."
        ),
        sections=_sections(results, drawn),
        deviations=_deviations(results, bench),
        missing=results["missing"],
        configuration={"preset": results["preset"], "data": results["source"], **_flat(results["settings"])},
        command=command,
        overwrite=True,
    )


def missing(preset: str, source: str, bench: Bench) -> list[str]:
    """What the paper has and this run has not, in words."""
    found = []
    if source != "MNIST":
        found.append(f"MNIST: it was not to be had. These are {source}; compare nothing with the paper's numbers.")
    if preset == "quick":
        found.append(
            f"The paper's size: this is the quick preset, {bench.settings.test_digits} test digits and "
            f"{len(bench.settings.lines)} numbers of lines, where the paper has 1000 and six."
        )
    if not bench.recipe.controls:
        found.append("The controls: every digit was refined towards its own prior only.")
    return found


def _sections(results: Mapping[str, Any], drawn: Mapping[str, Figure]) -> list[Section]:
    wide = [digit for digit, prior in results["ranges"].items() if prior != str(PRIOR_OF[int(digit)])]
    return [
        Section("Table 1", parts=[table_1(results), *_some(drawn, "accuracy")]),
        Section(
            "Topology, or the label?",
            "The paper's prior is that of the true digit, so it tells something of the label. The controls part the "
            "two. The prior of the digit as read uses no label at all, nor do one prior for all and the surest of "
            "three readings: what they gain is due to topology. Reading limited to the digits that have the true prior "
            "refines nothing: it is what the label's leak is worth to a reader who is told. A shuffled or wrong prior "
            "shows what the same machinery does when it is misled.",
            [controls_table(results), error_table(results)],
        ),
        Section(
            "The ceiling",
            "Clean digits do not all have the topology of the paper's priors: pens slip, and some digits are written "
            f"in two ways. Of the training digits, at least {100 * SHARE_OF_A_WAY:.0f} % of "
            + (f"{' and '.join(wide)} each" if wide else "no digit")
            + " have another number of loops than the paper's prior; the range prior allows both.",
            [ceiling_table(results), digit_table(results)],
        ),
        Section(
            "Figures of the paper, with our digits",
            "Figure 2: corruption. Figures 4 and 5: a loop too many is filled, a gap is closed, and the digit is read "
            "right. Figure 6: the same corrupted digit with three priors.",
            _some(drawn, "figure2", "figure4", "figure5", "figure6"),
        ),
    ]


def _drawings(
    results: Mapping[str, Any],
    bench: Bench,
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
) -> dict[str, Figure]:
    """By file name."""
    lines = [row["lines"] for row in results["lines"]]
    middle = [number for number in (4, 6, 8) if number in lines] or lines[:3]
    found = {
        "accuracy": Figure(
            "Digits read right against the number of lines removed.",
            figures.accuracy(results),
            "Curves that fall with the number of lines: denoiser alone, priors, controls, and the paper's two.",
        ),
        "figure2": Figure(
            "Figure 2: the same digits, clean, without lines, and denoised.",
            figures.corruption(bench, middle),
            "Rows of digits, ever more blurred, and what the denoiser makes of them.",
        ),
    }
    labels = bench.test.labels.tolist()
    cells = {(one["cell"]["lines"], one["cell"]["prior"]): one["result"] for one in after}
    chosen = figures.worth_showing(cells, {one["cell"]["lines"]: one["result"] for one in before}, labels)
    classifier = bench.classifier()
    for name, (number, place) in chosen.items():
        corrupted, clean, label = bench.corrupted(number)[2][place], bench.test.images[place], labels[place]
        if name == "6":
            outcomes = bench.refined(number, corrupted.expand(len(PRIORS), 1, *corrupted.shape[1:]), PRIORS)
            found["figure6"] = Figure(
                f"Figure 6: a {label} without {number} rows and columns, refined towards each of the three priors.",
                figures.three_priors(outcomes, corrupted, classifier),
                "One digit with no, one and two loops, with a barcode each.",
            )
        else:
            [outcome] = bench.refined(number, corrupted[None], [PRIOR_OF[label]])
            found[f"figure{name}"] = Figure(
                f"Figure {name}: a {label} without {number} rows and columns, before and after its prior is asked for.",
                figures.repaired(outcome, corrupted, clean, classifier),
                "A digit, corrupted, denoised, and refined, with the barcodes of the last two.",
            )
    return found


def _deviations(results: Mapping[str, Any], bench: Bench) -> list[str]:
    """What was done otherwise than in the paper, or where it does not say."""
    denoiser, refinement = bench.recipe.denoiser, bench.recipe.refinement
    steps = f"by Adam, {refinement.learning_rate:g}, {refinement.max_steps} steps, of which the last state is kept"
    common = (
        "Which 1000 test digits the paper took is unknown: ours are drawn at random from the test set.",
        "Corrupted images are divided by their largest value, as in the authors' code; no line is protected.",
        f"The classifier is a CNN of ours, trained on the last {bench.settings.classifier_digits} training digits.",
        f"The paper does not tell how it minimises equation 5: here {steps}.",
    )
    official = (
        "The authors' loss sits on the Freudenthal triangulation, which this engine does not have: T stands in.",
        "The authors trained the classifier on 40,000 digits; it is the same as with the recipe paper here.",
        "The authors' code predicts all 10,000 test digits and adapts to one.",
    )
    features = ", ".join(map(str, denoiser.channels))
    error = f"mean squared error on {bench.settings.validation} other training digits, of which the paper tells nothing"
    paper = (
        f"The U-net ({features} features, {denoiser.steps} steps of Adam) keeps the state of lowest {error}.",
        "Network, learning rates and steps were chosen on training digits from 1000 on, which nothing else uses.",
        "The steps of the refinement were chosen at m = 8 only, the last of some twenty choices on 300 digits.",
    )
    return [*(official if results["settings"]["recipe"] == "official" else paper), *common]


def _some(drawn: Mapping[str, Figure], *names: str) -> list[Figure]:
    return [drawn[name] for name in names if name in drawn]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as names with dots."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
