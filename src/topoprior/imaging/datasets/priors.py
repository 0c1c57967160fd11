"""The prior of each class for each image or slice of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table import PriorTable, read_prior_table


@dataclass(frozen=True)
class CasePriors:
    """Priors by class, image and slice.

    Attributes:
        by_class: For each class one prior for all images, a table of them, or None: any topology.
    """

    by_class: tuple[BettiPrior | PriorTable | None, ...]

    @property
    def tables(self) -> list[PriorTable]:
        """Those that differ by file or slice."""
        return [prior for prior in self.by_class if isinstance(prior, PriorTable)]

    def of(self, path: Path, *, slice_index: int | None, axes: int) -> tuple[BettiPrior, ...]:
        """One prior for each class.

        Args:
            path: Of the image.
            slice_index: From 0; None if the image is taken whole.
            axes: Spatial axes of the image or slice: how many Betti numbers a prior without wishes has.

        Raises:
            ValueError: If a table has no row for it, or tells slices apart and the image is not cut.

        Examples:
            >>> CasePriors((BettiPrior(1, 1), None)).of(Path("a.png"), slice_index=None, axes=2)
            (BettiPrior(1, 1), BettiPrior(None, None))
        """
        for table in self.tables:
            if "slice" in table.columns and slice_index is None:
                raise ValueError(
                    f"{table.path} has a prior for each slice, but the images are taken whole: give slices, the axis "
                    "along which they are cut"
                )
        anything = BettiPrior(*[None] * axes)
        return tuple(
            prior.prior(path, slice_index=slice_index) if isinstance(prior, PriorTable) else prior or anything
            for prior in self.by_class
        )


def read_priors(stated: str | Mapping[str, str], classes: Sequence[str]) -> CasePriors:
    """The priors that a configuration states.

    Args:
        stated: Betti numbers or the name of a CSV table; with several classes, one of these for some or all classes.
        classes: Their names, in order.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a prior cannot be read, is for an unknown class, or is one for several classes.

    Examples:
        >>> read_priors({"wall": "1,1"}, ["cavity", "wall"]).by_class
        (None, BettiPrior(1, 1))
    """
    if isinstance(stated, str):
        if len(classes) > 1:
            raise ValueError(
                f"prior must say which class it is for, as in {{{classes[0]}: {stated!r}}}: there are the classes "
                f"{', '.join(classes)}"
            )
        stated = {classes[0]: stated}
    for name in stated:
        if name not in classes:
            near = get_close_matches(name, classes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"prior is given for {name!r}, but the classes are {', '.join(classes)}{hint}")
    if not stated:
        raise ValueError("prior must be given for one class at least, got none")
    return CasePriors(tuple(_read(stated[name]) if name in stated else None for name in classes))


def _read(text: str) -> BettiPrior | PriorTable:
    return read_prior_table(text) if text.lower().endswith(".csv") else BettiPrior.parse(text)
