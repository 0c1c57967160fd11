"""The priors that ``topoprior audit`` holds labels against."""

from collections.abc import Mapping, Sequence

from topoprior.cli.arguments.stated_priors import BACKGROUND, check_reachable, resolved
from topoprior.cli.audit.label_counter import case_name
from topoprior.evaluation.connectivity import prior_for
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.priors.class_table import ClassPriorTable
from topoprior.topology.filtration import Boundary

Priors = ClassPriors | Mapping[str, ClassPriors]
"""Of all cases, or for each case."""


def judged_priors(
    given: Mapping[str | None, BettiPrior], names: Sequence[str], *, axes: int | None, boundary: Boundary
) -> ClassPriors | None:
    """What ``--prior`` says for classes with these names; None if nothing was given.

    Args:
        given: From `topoprior.cli.arguments.stated_priors.given_priors`.
        names: Of the classes.
        axes: Of the labels, if known by now.
        boundary: What lies outside.

    Raises:
        ValueError: If there is no such class, or no label could have a prior, or every label has it.
    """
    if not given:
        return None
    priors = resolved(given, (BACKGROUND, *names))
    check_reachable("--prior", priors, axes, boundary)
    return priors


def priors_of_cases(
    table: ClassPriorTable, places: Mapping[str, tuple[str, int | None]], *, axes: int, boundary: Boundary
) -> dict[str, ClassPriors]:
    """What ``--priors`` says of each case.

    Args:
        table: The file.
        places: Name of each case to its file and slice.
        axes: Of the labels.
        boundary: What lies outside.

    Raises:
        ValueError: If a case has no prior or one that cannot be.
    """
    found = {}
    checked = set()
    for case, (file, index) in places.items():
        priors = table.prior(file, slice_index=index)
        if priors not in checked:
            check_reachable(table.place(file, slice_index=index), priors, axes, boundary)
            checked.add(priors)
        found[case] = priors
    return found


def places_of(counts: Mapping[str, int], *, cut: bool) -> dict[str, tuple[str, int | None]]:
    """Name of each case to its file and slice; counts are the slices of each file, 1 if files are not cut."""
    return {
        case_name(file, index if cut else None): (file, index if cut else None)
        for file, count in counts.items()
        for index in range(count)
    }


def shifted(priors: Priors, boundary: Boundary, written_for: Boundary) -> Priors:
    """The same priors where the outside counts, or no longer counts, as one more component."""
    if boundary == written_for:
        return priors
    if isinstance(priors, ClassPriors):
        return ClassPriors(
            {
                union: prior_for(prior, boundary, written_for=written_for)  # type: ignore[misc]  # one for one
                for union, prior in zip(priors.unions, priors.priors, strict=True)
            },
            classes=priors.classes,
        )
    made = {one: shifted(one, boundary, written_for) for one in dict.fromkeys(priors.values())}
    return {case: made[one] for case, one in priors.items()}  # type: ignore[misc]  # one for one
