"""The cells of an experiment's table: each computed on its own, kept as a file of its own, and not computed twice.

A cell is all that one number of the table depends on and its neighbours do not share: how much the images are degraded,
how many labels there are, which seed. What they share are the settings. A cell's file appears whole, as soon as it is
computed, so a run that is killed loses the cells that are running, and the same call goes on with the others.

What a file holds is told in `topoprior.experiments.cell_documents`.
"""

from __future__ import annotations

import datetime as dt
import time
import traceback
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from topoprior.experiments.cell_documents import as_json, differences, read_cell, write_cell
from topoprior.imaging.new_file import check_new_file
from topoprior.jobs.backends import as_completed, check_workers
from topoprior.jobs.task import EXPECTED, Failure, one_line
from topoprior.viewing.report.html import environment
from topoprior.viewing.report.provenance import commit, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance

    from topoprior.experiments.demo import Progress

    class Cell(DataclassInstance, Protocol):
        """Any frozen dataclass with a name, a field or a property, that can be the name of a file."""

        @property
        def name(self) -> str:
            """Tells it from the other cells."""


CellT = TypeVar("CellT", bound="Cell")


class CellsFailed(Exception):  # noqa: N818  # not one error, but what is left to say after the others are done
    """Some cells could not be computed. The others are, and are kept.

    Args:
        failures: At least one.
        total: How many cells there were.
    """

    def __init__(self, failures: Sequence[Failure], *, total: int) -> None:
        self.failures, self.total = list(failures), total
        super().__init__(f"{len(failures)} of {total} cells failed: " + "; ".join(map(str, failures)))


def compute(
    work: Callable[[CellT], Mapping[str, Any]],
    cells: Sequence[CellT],
    folder: Path,
    *,
    settings: Mapping[str, Any],
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
    what: str = "cells",
) -> list[dict[str, Any]]:
    """Compute the cells that are not there yet, several at once, and keep each in a file as soon as it is done.

    Args:
        work: Takes a cell, gives its result: a mapping of what JSON takes, NumPy's and torch's numbers and arrays
            included. With ``jobs`` it travels to other processes: a function at the top level of a module, or a
            ``functools.partial`` of one.
        cells: Frozen dataclasses, each with a ``name`` of its own that can be the name of a file.
        folder: Where the files are, ``NAME.json``; made if need be, with those above it.
        settings: All else that every result depends on: values that JSON takes.
        jobs: How many at once; -1 for one on each core. One computes here, with all threads; more are processes, each
            with its share of the threads.
        overwrite: Compute the cells anew whose files are damaged or of other settings. Those that fit are kept.
        progress: Called as ``progress(what, done, of)`` now and then.
        what: Is done.

    Returns:
        What the files hold, in the order of the cells: ``cell`` (its fields and its name), ``settings``, ``result``,
        ``seconds``, ``environment`` (versions and machine), ``commit`` (of the package, None if it is not in a clone)
        and ``date``.

    Raises:
        CellsFailed: After all others are done, if cells failed, whatever the error.
        ValueError: If files are damaged or of other settings, a name cannot be one, or two cells have the same.
        TypeError: If ``jobs`` is no whole number, or settings or a cell are not what JSON takes.
        OSError: If the folder cannot be written to, a file not be written (then no further cell is begun), or a
            process was killed.

    Examples:
        >>> @dataclass(frozen=True)
        ... class Square:
        ...     side: int
        ...
        ...     @property
        ...     def name(self) -> str:
        ...         return f"side{self.side}"
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> areas = compute(lambda cell: {"area": cell.side**2}, [Square(2), Square(3)], folder, settings={})
        >>> [area["result"] for area in areas]
        [{'area': 4}, {'area': 9}]
        >>> sorted(file.name for file in folder.iterdir())
        ['side2.json', 'side3.json']
    """
    check_workers(jobs, "loky", None)
    files = _files(cells, folder)
    shared = as_json(settings, "the settings")
    facts = {cell.name: {"cell": _fields(cell), "settings": shared} for cell in cells}
    found = _kept(files, facts, overwrite=overwrite)
    missing = [cell for cell in cells if cell.name not in found]
    folder.mkdir(parents=True, exist_ok=True)
    for cell in missing:
        check_new_file(files[cell.name], overwrite=True)
    failures: dict[str, Failure] = {}
    tell = progress or _silent
    tell(what, len(found), len(cells))
    origin = commit()
    with closing(
        as_completed(_Attempt(work), missing, count=len(missing), jobs=jobs, backend="loky", scheduler=None)
    ) as ends:
        for end in ends:
            if isinstance(end, Failure):
                failures[end.name] = end
            else:
                name, document = end
                found[name] = {**facts[name], **document, "commit": origin, "date": _now()}
                write_cell(files[name], found[name])
            tell(what, len(found) + len(failures), len(cells))
    if failures:
        raise CellsFailed([failures[cell.name] for cell in cells if cell.name in failures], total=len(cells))
    return [found[cell.name] for cell in cells]


@dataclass(frozen=True)
class _Attempt(Generic[CellT]):
    """The work on one cell, timed; any error is an end like others: hours of other cells may still be to come."""

    work: Callable[[CellT], Mapping[str, Any]]

    def __call__(self, cell: CellT) -> tuple[str, dict[str, Any]] | Failure:
        began = time.perf_counter()
        try:
            result = self.work(cell)
            seconds = time.perf_counter() - began
            plain = as_json(result, "the result")
        except EXPECTED as error:
            return Failure(cell.name, one_line(error))
        except Exception as error:  # a defect: say where
            return Failure(cell.name, f"{type(error).__name__}: {one_line(error)} ({_place(error)})")
        return cell.name, {
            "result": plain,
            "seconds": round(seconds, 3),
            "environment": {**environment(), "machine": machine()},
        }


def _place(error: Exception) -> str:
    """Where in our code, not in a library's."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}"


def _files(cells: Sequence[CellT], folder: Path) -> dict[str, Path]:
    """Name to file."""
    files: dict[str, Path] = {}
    for cell in cells:
        name = cell.name
        if not name or name.startswith(".") or any(not (letter.isalnum() or letter in "._-+=") for letter in name):
            raise ValueError(f"the name of a cell must be letters, digits, and ._-+= inside, got {name!r}")
        if name in files:
            raise ValueError(f"each cell must have a name of its own, got {name} twice")
        files[name] = folder / f"{name}.json"
    return files


def _kept(files: Mapping[str, Path], facts: Mapping[str, Any], *, overwrite: bool) -> dict[str, dict[str, Any]]:
    """The documents that are there and fit; what is there and does not is refused, or to be computed anew."""
    found, damaged, different = {}, [], {}
    for name, file in files.items():
        if not file.exists():
            continue
        try:
            document = read_cell(file)
        except ValueError as error:
            damaged.append(str(error))
            continue
        changed = [text for part in ("settings", "cell") for text in differences(document[part], facts[name][part])]
        if changed:
            different[file] = changed
        else:
            found[name] = document
    if damaged and not overwrite:
        raise ValueError(f"{'; '.join(damaged)}: remove them, or compute them anew (overwrite=True, --overwrite)")
    if different and not overwrite:
        file, changed = next(iter(different.items()))
        others = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise ValueError(
            f"{file}{others} was computed with {', '.join(changed)}: take another folder, or compute anew what differs "
            "(overwrite=True, --overwrite)"
        )
    return found


def _fields(cell: Cell) -> dict[str, Any]:
    return {"name": cell.name, **as_json(asdict(cell), f"the cell {cell.name}")}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _silent(_what: str, _done: int, _of: int) -> None:
    """No progress wanted."""
