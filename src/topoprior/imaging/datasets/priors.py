"""The prior of each class for each image or slice of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import Classes as Union
from topoprior.priors.class_priors import ClassPriors, Numbers
from topoprior.priors.table import PriorTable, read_prior_table


@dataclass(frozen=True)
class CasePriors:
    """Priors by class, image and slice.

    Attributes:
        by_class: For each class one prior for all images, a table of them, or None: any topology.
        by_union: The same for unions of classes, told by their places.
        names: Of the classes; needed for unions.
    """

    by_class: tuple[BettiPrior | PriorTable | None, ...]
    by_union: tuple[tuple[tuple[int, ...], BettiPrior | PriorTable], ...] = ()
    names: tuple[str, ...] = ()

    @property
    def tables(self) -> list[PriorTable]:
        """Those that differ by file or slice."""
        return [prior for prior in (*self.by_class, *dict(self.by_union).values()) if isinstance(prior, PriorTable)]

    def of(self, path: Path, *, slice_index: int | None, axes: int) -> tuple[BettiPrior, ...] | ClassPriors:
        """One prior for each class; with unions, the priors of background, classes and unions together.

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

        def found(prior: BettiPrior | PriorTable) -> BettiPrior:
            return prior.prior(path, slice_index=slice_index) if isinstance(prior, PriorTable) else prior

        if not self.by_union:
            anything = BettiPrior(*[None] * axes)
            return tuple(found(prior or anything) for prior in self.by_class)
        channels: dict[Union, Numbers] = {
            place + 1: found(prior) for place, prior in enumerate(self.by_class) if prior is not None
        }
        channels |= {tuple(place + 1 for place in places): found(prior) for places, prior in self.by_union}
        return ClassPriors(channels, classes=("background", *self.names))


def read_priors(stated: str | Mapping[str, str], classes: Sequence[str]) -> CasePriors:
    """The priors that a configuration states.

    Args:
        stated: Betti numbers or the name of a CSV table; with several classes, one of these for some or all classes and
            unions of classes, which are written ``"MYO+LV"``.
        classes: Their names, in order.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a prior cannot be read, is for an unknown class, or is one for several classes.

    Examples:
        >>> read_priors({"wall": "1,1"}, ["cavity", "wall"]).by_class
        (None, BettiPrior(1, 1))
        >>> heart = read_priors({"LV": "1,0", "LV+MYO": "1,0"}, ["MYO", "LV"])
        >>> print(heart.of(Path("a.png"), slice_index=None, axes=2))
        LV 1,0; MYO+LV 1,0
    """
    if isinstance(stated, str):
        if len(classes) > 1:
            raise ValueError(
                f"prior must say which class it is for, as in {{{classes[0]}: {stated!r}}}: there are the classes "
                f"{', '.join(classes)}"
            )
        stated = {classes[0]: stated}
    for name in [part.strip() for key in stated for part in key.split("+")]:
        if name not in classes:
            near = get_close_matches(name, classes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"prior is given for {name!r}, but the classes are {', '.join(classes)}{hint}")
    if not stated:
        raise ValueError("prior must be given for one class at least, got none")
    unions = {}
    for key in (key for key in stated if "+" in key):
        places = tuple(sorted(classes.index(part.strip()) for part in key.split("+")))
        if len(set(places)) < len(places) or places in unions:
            raise ValueError(f"prior must name each class of a union once, and each union once, got {key!r}")
        unions[places] = _read(stated[key])
    by_class = tuple(_read(stated[name]) if name in stated else None for name in classes)
    return CasePriors(by_class, tuple(unions.items()), tuple(classes))


def _read(text: str) -> BettiPrior | PriorTable:
    return read_prior_table(text) if text.lower().endswith(".csv") else BettiPrior.parse(text)
