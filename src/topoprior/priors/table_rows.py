"""The rows of a table of priors, found by file and slice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Generic, Self, TypeAlias, TypeVar

P = TypeVar("P")
Place: TypeAlias = tuple[str | None, int | None]
"""File and slice of a row, each None if the table has no such column."""


@dataclass(frozen=True)
class AbstractPriorTable(Generic[P]):
    """The rows of a table of priors of some kind, found by file and slice.

    Attributes:
        path: The CSV file.
        columns: Which of ``file`` and ``slice`` tell the rows apart.
        rows: File (None without that column) and slice (None without that column) to line number and prior.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[Place, tuple[int, P]] = field(repr=False)

    def prior(self, file: str | Path, *, slice_index: int | None = None) -> P:
        """The prior of an image, or of one slice of it.

        Args:
            file: The image's path. A row belongs to it if the row's file is the path or its end, by whole names.
            slice_index: The slice, from 0; None if the image is taken whole.

        Raises:
            ValueError: If no row or more than one row belongs to the image or slice, or if the table tells slices
                apart and ``slice_index`` is None.

        Examples:
            >>> from topoprior.priors.betti_prior import BettiPrior
            >>> table = AbstractPriorTable(Path("priors.csv"), ("slice",), {(None, 0): (2, BettiPrior(1, 1))})
            >>> table.prior("heart.nii.gz", slice_index=0)
            BettiPrior(1, 1)
            >>> table.prior("heart.nii.gz", slice_index=7)
            Traceback (most recent call last):
            ValueError: priors.csv has no row for slice 7
        """
        return self._row(file, slice_index)[1]

    def place(self, file: str | Path, *, slice_index: int | None = None) -> str:
        """Where that prior is written, as errors name it: ``priors.csv, line 3``.

        Raises:
            ValueError: As `prior`.
        """
        return f"{self.path}, line {self._row(file, slice_index)[0]}"

    def only(self, file: str | Path) -> Self:
        """The same table with no other rows than those that may belong to one image; small enough to be sent along.

        Examples:
            >>> from topoprior.priors.betti_prior import BettiPrior
            >>> rows = {(name, None): (line, BettiPrior(1, 1)) for line, name in enumerate(["a.png", "b.png"], start=2)}
            >>> AbstractPriorTable(Path("priors.csv"), ("file",), rows).only("images/b.png").rows
            {('b.png', None): (3, BettiPrior(1, 1))}
        """
        keys = (key for name in [*_ends(file), None] for key in self._keys_of.get(name, ()))
        return replace(self, rows={key: self.rows[key] for key in keys})

    @cached_property
    def _keys_of(self) -> dict[str | None, list[Place]]:
        """File of a row to its keys, so that thousands of files are looked up in a moment."""
        keys: dict[str | None, list[Place]] = {}
        for key in self.rows:
            keys.setdefault(key[0], []).append(key)
        return keys

    def check_slices(self, counts: Mapping[str | Path, int]) -> None:
        """Refuse rows for slices that the images do not have; rows of other images are left alone.

        Without a column ``file`` the rows serve all images, and a row is refused if none of them has its slice.

        Args:
            counts: Path of each image to its number of slices.

        Raises:
            ValueError: If there is such a row. The message names file, line and slice.
        """
        for (name, index), (line, _) in self.rows.items():
            slices = {file: count for file, count in counts.items() if name is None or name in _ends(file)}
            if index is None or not slices or index < max(slices.values()):
                continue
            file, count = max(slices.items(), key=lambda item: item[1])
            if name is None:
                fault = f"no image has slice {index}, the longest has slices 0 to {count - 1}"
            else:
                fault = f"{file} has no slice {index}, only 0 to {count - 1}"
            raise ValueError(f"{self.path}, line {line}: {fault}")

    def _row(self, file: str | Path, slice_index: int | None) -> tuple[int, P]:
        """Line number and prior."""
        if "slice" not in self.columns:
            slice_index = None
        elif slice_index is None:
            raise ValueError(f"{self.path} has a prior for each slice, so the image must be cut: give --slices AXIS")
        found = (self.rows.get((name, slice_index)) for name in (_ends(file) if "file" in self.columns else [None]))
        fitting = [row for row in found if row is not None]
        where = in_words(str(file) if "file" in self.columns else None, slice_index)
        if not fitting:
            raise ValueError(f"{self.path} has no row for {where}")
        if len(fitting) > 1:
            lines = ", ".join(str(line) for line, _ in fitting)
            raise ValueError(f"{self.path} has several rows for {where}: lines {lines}; give more of the path there")
        return fitting[0]


def in_words(file: str | None, slice_index: int | None) -> str:
    """A file and slice in words: ``a.png, slice 3``."""
    words = [] if file is None else [file]
    return ", ".join(words if slice_index is None else [*words, f"slice {slice_index}"])


def _ends(file: str | Path) -> list[str | None]:
    """By which names a row may mean this file: ``c.png``, ``b/c.png`` and ``a/b/c.png`` for ``a/b/c.png``."""
    parts = PurePath(file).parts
    return [PurePath(*parts[start:]).as_posix() for start in reversed(range(len(parts)))]
