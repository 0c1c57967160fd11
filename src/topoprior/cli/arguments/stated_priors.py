"""Priors as the command line states them: numbers, numbers of classes and unions, words about classes, presets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topoprior.cli.arguments.options import Preset
from topoprior.priors import presets
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import Classes, ClassPriors
from topoprior.priors.feasibility import check_asks, check_feasible
from topoprior.priors.table_file import are_numbers, prior_columns
from topoprior.topology.filtration import Boundary

BACKGROUND = "BG"


def given_priors(words: Sequence[str] | None) -> dict[str | None, BettiPrior]:
    """What ``--prior`` says: ``1,1`` for every class (None), ``MYO+LV=1,0`` for one class or union.

    Raises:
        ValueError: If a word is not of this form, or names a class twice.

    Examples:
        >>> given_priors(["RV=1,0", "MYO+LV=1,0-1"])
        {'RV': BettiPrior(1, 0), 'MYO+LV': BettiPrior(1, (0, 1))}
    """
    priors: dict[str | None, BettiPrior] = {}
    for word in words or ():
        name, equals, numbers = word.rpartition("=")
        key = name.strip() if equals else None
        if key in priors:
            raise ValueError(f"--prior must be given once for each class, got {word!r} too")
        priors[key] = BettiPrior.parse(numbers)
    return priors


def resolved(given: Mapping[str | None, BettiPrior], classes: Sequence[str]) -> ClassPriors:
    """The same for channels with these names, background first.

    Raises:
        ValueError: If nothing is given, there is no such class, or they are no class priors.

    Examples:
        >>> print(resolved(given_priors(["1,0", "wall=1,1"]), ("BG", "wall", "lumen")))
        wall 1,1; lumen 1,0
    """
    entries: dict[Classes, BettiPrior] = {}
    if None in given:
        entries = {(name,): given[None] for name in classes[1:]}
    for union, prior in given.items():
        if union is not None:
            entries[tuple(name.strip() for name in union.split("+"))] = prior
    return ClassPriors(entries, classes=classes)


def stated_priors(
    prior: Sequence[str] | None,
    *,
    relation: Sequence[str] | None = None,
    preset: Preset | None = None,
    classes: Sequence[str] | None = None,
) -> BettiPrior | ClassPriors:
    """What ``--prior``, ``--relation``, ``--preset`` and ``--classes`` say together.

    Args:
        prior: Numbers for one channel or, with names, for classes.
        relation: Sentences about classes.
        preset: In place of both.
        classes: Names of all channels, background first; None if nobody said.

    Raises:
        ValueError: If they do not go together, or are wrong.
    """
    if (prior is None) == (preset is None):
        raise ValueError("say what is wanted with --prior or --preset, one of the two")
    if preset is not None:
        if relation:
            raise ValueError("--relation needs the numbers of --prior; a preset has its own relations")
        return _preset(preset, classes)
    given = given_priors(prior)
    if not relation and classes is None and set(given) == {None}:
        return given[None]
    names = named(classes)
    found = resolved(given, names)
    return ClassPriors.from_words(relation, found.as_dict(), classes=names) if relation else found


def speaks_of_classes(
    prior: Sequence[str] | None, relation: Sequence[str] | None, preset: Preset | None, table: Path | None
) -> bool:
    """Whether the words of the command are about classes, and not about one channel.

    Raises:
        FileNotFoundError, ValueError: If there is a table that cannot be read.
    """
    if table is not None:
        return not are_numbers(prior_columns(table)) and len(prior_columns(table)) > 0
    return bool(relation) or preset == "short-axis-heart" or any("=" in word for word in prior or ())


def named(classes: Sequence[str] | None) -> Sequence[str]:
    """The classes, which somebody must have said.

    Raises:
        ValueError: If nobody did.
    """
    if classes is None:
        raise ValueError(
            "say with --classes which class each channel is, background first, as in --classes BG RV MYO LV"
        )
    return classes


def check_reachable(place: str, prior: BettiPrior | ClassPriors, axes: int | None, boundary: Boundary) -> None:
    """Refuse a prior that no image of so many axes can have, or that every one has.

    Args:
        place: Where it is written, for the error.
        prior: The prior, or all of several classes.
        axes: Of the image; None if that is not known yet.
        boundary: What lies outside.

    Raises:
        ValueError: If that is so.
    """
    for name, each in _entries(prior):
        try:
            check_feasible(each, axes or each.dimensions, boundary=boundary)
            check_asks(each, boundary=boundary)
        except ValueError as error:
            slices = "; of a stack of slices say the axis, --slices" if (axes, each.dimensions) == (3, 2) else ""
            raise ValueError(f"{place}{name}: {error}{slices}") from error


def _entries(prior: BettiPrior | ClassPriors) -> Iterator[tuple[str, BettiPrior]]:
    if isinstance(prior, BettiPrior):
        yield "", prior
    else:
        yield from ((f" {name}={one}", one) for name, one in zip(prior.names, prior.priors, strict=True))


def _preset(name: Preset, classes: Sequence[str] | None) -> BettiPrior | ClassPriors:
    if name == "short-axis-heart":
        return presets.short_axis_heart() if classes is None else presets.short_axis_heart(classes)
    prior: BettiPrior = getattr(presets, name.replace("-", "_"))()
    if classes is not None:
        raise ValueError(f"--preset {name} is the prior of one class: give --prior {classes[-1]}={prior}")
    return prior
