"""Which topology is wanted of an image or of each of its slices: one for all, or what a table says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from topoprior.cli.arguments.options import Preset
from topoprior.cli.arguments.stated_priors import check_reachable, named, speaks_of_classes, stated_priors
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.priors.class_table import read_class_prior_table
from topoprior.priors.consistency import check_consistent
from topoprior.priors.table import read_prior_table
from topoprior.priors.table_rows import AbstractPriorTable
from topoprior.topology.filtration import Boundary, Construction

P = TypeVar("P", BettiPrior, ClassPriors, BettiPrior | ClassPriors)


@dataclass(frozen=True)
class Wanted(Generic[P]):
    """The priors of files, all of one channel or all of several classes.

    Attributes:
        source: The prior of all, or a table.
        several: Whether rows of the table serve several files, each of which may have fewer slices than there are rows.
    """

    source: P | AbstractPriorTable[P]
    several: bool = False

    @staticmethod
    def of(prior: str | None, table: Path | None) -> "Wanted[BettiPrior]":
        """What the arguments ``--prior`` and ``--priors`` say of one channel.

        Raises:
            OSError: If there is no such table.
            ValueError: If not exactly one of them is given, or it cannot be read.
        """
        if prior is not None and table is None:
            return Wanted(BettiPrior.parse(prior))
        if table is not None and prior is None:
            return Wanted(read_prior_table(table))
        raise ValueError("say what is wanted with --prior or --priors, one of the two")

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the channels, background first; None if the priors are those of one channel."""
        _, first = next(self._all(), (None, None))
        return first.classes if isinstance(first, ClassPriors) else None

    def only(self, file: Path, *, several: bool) -> "Wanted[P]":
        """What concerns one file.

        Args:
            file: The image.
            several: Whether there are others.
        """
        if not isinstance(self.source, AbstractPriorTable):
            return self
        return Wanted(self.source.only(file), several and "file" not in self.source.columns)

    def check(self, file: Path, *, cut: bool, boundary: Boundary) -> None:
        """Refuse what is wrong whatever the file holds.

        Args:
            file: The image, to which `only` has reduced this.
            cut: Whether it is cut into slices.
            boundary: What lies outside.

        Raises:
            ValueError: If no image could have one of the priors, or the file has none.
        """
        for place, prior in self._all():
            check_reachable(place, prior, None, boundary)
        self._prior(file, 0 if cut else None)

    def check_consistent(self, *, construction: Construction, boundary: Boundary) -> None:
        """Refuse priors of classes that contradict each other.

        Raises:
            ValueError: If some do.
        """
        for place, prior in self._all():
            if isinstance(prior, ClassPriors):
                try:
                    check_consistent(prior, construction=construction, boundary=boundary)
                except ValueError as error:
                    raise ValueError(f"{place}: {error}") from error

    def priors(self, file: Path, *, slices: int | None, axes: int, boundary: Boundary) -> list[P]:
        """One for each slice, or a single one if the image is taken whole.

        Args:
            file: The image, to which `only` has reduced this.
            slices: How many slices it has; None if it is taken whole.
            axes: Of the image or of each slice.
            boundary: What lies outside.

        Raises:
            ValueError: If a slice has no prior or several, a prior has no slice, or a slice cannot have its prior.
        """
        indices = [None] if slices is None else list(range(slices))
        priors = [self._prior(file, index) for index in indices]
        for prior, index in dict(zip(reversed(priors), reversed(indices), strict=True)).items():  # the first of equals
            check_reachable(self._place(file, index), prior, axes, boundary)
        if slices is not None and not self.several:
            self.check_slices({file: slices})
        return priors

    def check_slices(self, counts: dict[str | Path, int]) -> None:
        """Refuse rows of the table for slices that no file has.

        Args:
            counts: Path of each image to its number of slices.

        Raises:
            ValueError: If there is one.
        """
        if isinstance(self.source, AbstractPriorTable):
            self.source.check_slices(counts)

    def told(self) -> object:
        """All priors with their files and slices, as plain values."""
        if not isinstance(self.source, AbstractPriorTable):
            return _told(self.source)
        return [[file, index, _told(prior)] for (file, index), (_, prior) in sorted(self.source.rows.items(), key=str)]

    def _all(self) -> Iterator[tuple[str, P]]:
        if not isinstance(self.source, AbstractPriorTable):
            yield _stated(self.source), self.source
        else:
            for line, prior in self.source.rows.values():
                yield f"{self.source.path}, line {line}", prior

    def _prior(self, file: Path, index: int | None) -> P:
        if not isinstance(self.source, AbstractPriorTable):
            return self.source
        return self.source.prior(file, slice_index=index)

    def _place(self, file: Path, index: int | None) -> str:
        if not isinstance(self.source, AbstractPriorTable):
            return _stated(self.source)
        return self.source.place(file, slice_index=index)


def wanted_of_classes(
    prior: list[str] | None,
    table: Path | None,
    *,
    relation: list[str] | None = None,
    preset: Preset | None = None,
    classes: list[str] | None = None,
    known: tuple[str, ...] | None = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> Wanted[BettiPrior] | Wanted[ClassPriors]:
    """What the arguments of a command say that takes priors of one channel or of several classes.

    Args:
        prior: ``--prior``.
        table: ``--priors``.
        relation: ``--relation``.
        preset: ``--preset``.
        classes: ``--classes``.
        known: What a checkpoint says in their place; it alone does not make the priors those of classes.
        construction: For which priors must not contradict each other.
        boundary: The same.

    Raises:
        OSError: If there is no such table.
        ValueError: If they do not go together, cannot be read, or contradict each other.
    """
    if sum(each is not None for each in (prior, table, preset)) != 1:
        raise ValueError("say what is wanted with --prior, --preset or --priors, one of the three")
    if not speaks_of_classes(prior, relation, preset, table) and classes is None:
        if table is not None:
            return Wanted(read_prior_table(table))
        one = stated_priors(prior, preset=preset)
        assert isinstance(one, BettiPrior)
        return Wanted(one)
    names = known if classes is None else tuple(classes)
    if table is not None:
        if relation:
            raise ValueError("--relation needs the numbers of --prior, not those of a table")
        wanted = Wanted[ClassPriors](read_class_prior_table(table, named(names)))
    else:
        every = stated_priors(prior, relation=relation, preset=preset, classes=names)
        assert isinstance(every, ClassPriors)
        wanted = Wanted(every)
    wanted.check_consistent(construction=construction, boundary=boundary)
    return wanted


def _stated(prior: BettiPrior | ClassPriors) -> str:
    return f"--prior {prior}" if isinstance(prior, BettiPrior) else "the priors"


def _told(prior: BettiPrior | ClassPriors) -> object:
    return str(prior) if isinstance(prior, BettiPrior) else [list(prior.classes), str(prior)]
