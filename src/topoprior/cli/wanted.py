"""Which topology is wanted of an image or of each of its slices: one for all, or what a table says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.feasibility import check_feasible
from topoprior.priors.table import PriorTable, read_prior_table
from topoprior.topology.filtration import Boundary


@dataclass(frozen=True)
class Wanted:
    """The priors of files.

    Attributes:
        source: The prior of all, or a table.
        several: Whether rows of the table serve several files, each of which may have fewer slices than there are rows.
    """

    source: BettiPrior | PriorTable
    several: bool = False

    @classmethod
    def of(cls, prior: str | None, table: Path | None) -> "Wanted":
        """What the arguments ``--prior`` and ``--priors`` say.

        Raises:
            OSError: If there is no such table.
            ValueError: If not exactly one of them is given, or it cannot be read.
        """
        if prior is not None and table is None:
            return cls(BettiPrior.parse(prior))
        if table is not None and prior is None:
            return cls(read_prior_table(table))
        raise ValueError("say what is wanted with --prior or --priors, one of the two")

    def only(self, file: Path, *, several: bool) -> "Wanted":
        """What concerns one file.

        Args:
            file: The image.
            several: Whether there are others.
        """
        if isinstance(self.source, BettiPrior):
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
            _check(place, prior, prior.dimensions, boundary)
        self._prior(file, 0 if cut else None)

    def priors(self, file: Path, *, slices: int | None, axes: int, boundary: Boundary) -> list[BettiPrior]:
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
            _check(self._place(file, index), prior, axes, boundary)
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
        if isinstance(self.source, PriorTable):
            self.source.check_slices(counts)

    def told(self) -> object:
        """All priors with their files and slices, as plain values."""
        if isinstance(self.source, BettiPrior):
            return str(self.source)
        return [[file, index, str(prior)] for (file, index), (_, prior) in sorted(self.source.rows.items(), key=str)]

    def _all(self) -> Iterator[tuple[str, BettiPrior]]:
        if isinstance(self.source, BettiPrior):
            yield f"--prior {self.source}", self.source
        else:
            for line, prior in self.source.rows.values():
                yield f"{self.source.path}, line {line}", prior

    def _prior(self, file: Path, index: int | None) -> BettiPrior:
        return self.source if isinstance(self.source, BettiPrior) else self.source.prior(file, slice_index=index)

    def _place(self, file: Path, index: int | None) -> str:
        if isinstance(self.source, BettiPrior):
            return f"--prior {self.source}"
        return self.source.place(file, slice_index=index)


def _check(place: str, prior: BettiPrior, axes: int, boundary: Boundary) -> None:
    try:
        check_feasible(prior, axes, boundary=boundary)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
