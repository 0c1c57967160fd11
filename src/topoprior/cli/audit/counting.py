"""From the files named to what ``topoprior audit`` finds in them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.stated_priors import BACKGROUND
from topoprior.cli.audit.findings import AuditFindings
from topoprior.cli.audit.judged_priors import judged_priors, places_of, priors_of_cases
from topoprior.cli.audit.label_counter import FOREGROUND, Counted, LabelCounter, audits
from topoprior.cli.output.alike import alike
from topoprior.cli.output.progress import progress
from topoprior.evaluation.connectivity import Setting
from topoprior.imaging.datasets.pairs import files_at, labelled_images
from topoprior.jobs import Failure, for_each
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_table import read_class_prior_table


def label_files(labels: Sequence[Path]) -> list[Path]:
    """The files named, those in folders, and those under patterns that no shell has expanded."""
    patterns = [bool({"*", "?"} & set(str(place))) and not place.exists() for place in labels]
    named = [
        path
        for place, pattern in zip(labels, patterns, strict=True)
        for path in (files_at(place) if pattern else [place])
    ]
    return images_of(named)


def image_of(images: Path | None, labels: Sequence[Path]) -> dict[str, Path]:
    """Label to image, where there are images."""
    if images is None:
        return {}
    if len(labels) > 1:
        raise ValueError(f"--images belong to one folder or pattern of labels, got {len(labels)}: put quotes round it")
    return {str(each.label): each.path for each in labelled_images(images, labels[0])}


def count(
    counter: LabelCounter, files: list[Path], *, journal: Path | None, **workers: Any
) -> tuple[dict[str, Counted], list[Failure]]:
    """What is in the files, by their names; those with another number of axes than the first count as failures."""
    with progress("Counting", len(files)) as advance:
        outcome = for_each(
            counter,
            files,
            reads=lambda path: [path],
            journal=journal,
            settings={"command": "audit", **asdict(counter)},
            record=Counted.as_dict,
            restore=lambda content: Counted(**content),
            advance=advance,
            **workers,
        )
    return alike(outcome.results, outcome.failures, axes=lambda each: each.axes)


def findings_of(
    counter: LabelCounter,
    counted: dict[str, Counted],
    *,
    given: Mapping[str | None, BettiPrior],
    table: Path | None,
    share: float,
    setting: Setting,
) -> AuditFindings:
    """All that is told of what was counted.

    Args:
        counter: That counted it.
        counted: By the names of the files; at least one.
        given: What ``--prior`` says.
        table: What ``--priors`` names.
        share: Of the labels that a proposed prior must hold for.
        setting: For which priors are proposed and judged.

    Raises:
        OSError, ValueError: If a class occurs nowhere, or the priors do not fit the labels.
    """
    axes = next(iter(counted.values())).axes
    held = {name for each in counted.values() for case in each.cases for name in case}
    if counter.threshold is not None:
        names = [FOREGROUND]
    elif counter.classes is not None:
        names = list(counter.classes)
    else:
        names = [str(value) for value in sorted({value for each in counted.values() for value in each.values})]
    _check_occurrence(counter, counted, names, held)
    places = places_of({name: len(each.cases) for name, each in counted.items()}, cut=counter.slices is not None)
    judged: Any = judged_priors(given, names, axes=axes, boundary=setting.boundary)
    if table is not None:
        read = read_class_prior_table(table, (BACKGROUND, *names))
        judged = priors_of_cases(read, places, axes=axes, boundary=setting.boundary)
    every = audits(counted, names, slices=counter.slices, largest=counter.largest)
    return AuditFindings(every, setting, share, judged, places)


def _check_occurrence(counter: LabelCounter, counted: dict[str, Counted], names: Sequence[str], held: set[str]) -> None:
    """Refuse classes without a pixel: nothing can be said of them, and they are a slip."""
    where = f"the {len(counted)} labels" if len(counted) > 1 else next(iter(counted))
    values = sorted({value for each in counted.values() for value in each.values})
    if not held and counter.threshold is not None:
        raise ValueError(f"no value reaches the threshold {counter.threshold} in {where}")
    if not values and counter.threshold is None:
        raise ValueError(f"there is nothing to count: {where} hold{'s' * (len(counted) == 1)} 0 everywhere")
    for name in names:
        if name not in held and counter.classes is not None:
            label = " or ".join(map(str, counter.classes[name]))
            listed = ", ".join(map(str, values[:20])) + (f" and {len(values) - 20} more" if len(values) > 20 else "")
            raise ValueError(f"the class {name!r} (label {label}) occurs nowhere in {where}: there are {listed}")
