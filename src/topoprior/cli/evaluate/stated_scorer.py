"""From the options of ``topoprior evaluate`` to what scores a pair of files."""

from pathlib import Path

from topoprior.cli.evaluate.scorer import Priors, Scorer
from topoprior.evaluation.score import MEASURES, Measure
from topoprior.imaging.datasets.classes import Classes, find_classes
from topoprior.imaging.datasets.settings import check_classes
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table import read_prior_table
from topoprior.topology.filtration import Boundary, Construction


def scorer(
    labels: Path,
    *,
    prior: list[str] | None,
    priors: Path | None,
    label: int | None,
    predicted_label: int | None,
    classes: list[int] | None,
    slices: int | None,
    measures: list[Measure] | None,
    construction: Construction,
    boundary: Boundary,
) -> Scorer:
    """The scorer that the options describe.

    Args:
        labels: Where the labels are; nnU-Net's dataset.json may be beside it.
        prior: Betti numbers, for all classes or for each.
        priors: A table of them.
        label: The one class.
        predicted_label: Its value in the predictions.
        classes: Several classes.
        slices: The axis along which images are cut, or None.
        measures: Beside the topology; None: all.
        construction: Which pixels touch.
        boundary: What lies outside the images.

    Raises:
        OSError: If the table of priors cannot be read.
        ValueError: If options contradict each other, or a prior cannot be read.
    """
    found = _classes(labels, label, classes)
    predicted = found
    if predicted_label is not None:
        if found is None or len(found) > 1:
            raise ValueError("--predicted-label is for one class: choose it with --label")
        predicted = dict.fromkeys(found, (predicted_label,))
    wanted = _priors(prior, priors, 1 if found is None else len(found))
    chosen = tuple(name for name in MEASURES if measures is None or name in measures)
    return Scorer(found, predicted, wanted, slices, construction, boundary, chosen)


def _classes(labels: Path, label: int | None, numbers: list[int] | None) -> Classes | None:
    """Name of each class to its values, or None for masks."""
    if label is not None and numbers:
        raise ValueError("say which labels to judge with --label or --classes, one of the two")
    chosen = [label] if label is not None else numbers
    if chosen:
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"--classes must differ, got {' '.join(map(str, chosen))}")
        classes: dict[str, tuple[int, ...]] = {str(number): (number,) for number in chosen}
        check_classes(classes)
        return classes
    return find_classes(None, images=labels, labels=[]) if (labels.parent / "dataset.json").is_file() else None


def _priors(prior: list[str] | None, table: Path | None, classes: int) -> Priors:
    if prior and table is not None:
        raise ValueError("say what is wanted with --prior or --priors, one of the two")
    if table is not None:
        if classes > 1:
            raise ValueError(f"--priors are those of one class, got {classes}: choose one with --label")
        return read_prior_table(table)
    if not prior:
        return None
    if len(prior) not in (1, classes):
        raise ValueError(f"--prior must be given once, or once for each of {classes} classes, got {len(prior)}")
    each = tuple(BettiPrior.parse(text) for text in prior)
    return each * classes if len(each) == 1 else each
