"""One function over many items; see :func:`for_each`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import topoprior
from topoprior.imaging.new_file import check_new_file
from topoprior.jobs.backends import Backend, as_completed, check_workers
from topoprior.jobs.journal import Journal
from topoprior.jobs.task import Attempt, Failure, Task

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What came of all items.

    Attributes:
        results: Name to result, in the order of the items; those that failed are left out.
        failures: The others, in the order of the items.
        skipped: Names of the items that an earlier run had done.
    """

    results: dict[str, Result]
    failures: list[Failure]
    skipped: list[str]


def _no_files(item: object) -> tuple[Path, ...]:  # noqa: ARG001
    return ()


def _nothing(item: object) -> None:  # noqa: ARG001
    return None


def _same(result: Any) -> Any:
    return result


def for_each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    name: Callable[[Item], str] = str,
    jobs: int = 1,
    backend: Backend = "threading",
    scheduler: str | None = None,
    reads: Callable[[Item], Iterable[Path]] = _no_files,
    writes: Callable[[Item], Iterable[Path]] = _no_files,
    given: Callable[[Item], object] = _nothing,
    overwrite: bool = False,
    journal: Path | None = None,
    settings: Mapping[str, object] | None = None,
    record: Callable[[Result], object] = _same,
    restore: Callable[[Any], Result] = _same,
    advance: Callable[[], None] = lambda: None,
) -> Outcome[Result]:
    """Do the same work on many items, several at once; collect what fails, and go on where an earlier run stopped.

    ``ValueError``, ``TypeError``, ``OSError`` and ``ImportError`` of one item are collected and the others are done.
    Any other error is a defect, and ends the run; so does Ctrl-C. What the journal holds by then is not done again.

    Args:
        work: Takes an item. On ``"loky"``, ``"dask"`` and ``"ray"`` both travel to other processes by pickle: a
            function or a frozen dataclass at the top level of a module. It writes whole files or none
            (`topoprior.imaging.new_file`) and may replace those that ``writes`` names: that was checked.
        items: In any number.
        name: Tells an item from the others.
        jobs: How many at once; -1 for one on each core. Each job takes its share of the cores for torch and the
            persistence engine. A cluster that exists already does as many at once as it has threads.
        backend: ``"threading"``, ``"loky"`` (processes), ``"dask"`` or ``"ray"``. The last two start as many processes
            on this machine as there are jobs, if no ``scheduler`` is named.
        scheduler: Address of a Dask or Ray cluster; by default DASK_SCHEDULER_ADDRESS or RAY_ADDRESS in the
            environment.
        reads: The files that an item's result comes from.
        writes: The files that it writes.
        given: What else its result depends on and other items do not share; a value that JSON takes.
        overwrite: Files in ``writes`` may exist, and a journal with other settings is begun anew.
        journal: A file of JSON lines that remembers what is done. Items whose files are as they were are skipped.
        settings: All that the results depend on; a journal begun with other settings is refused.
        record: What the journal keeps of a result, a value that JSON takes.
        restore: The result made of it. It should be what ``work`` gave.
        advance: Called once for each item, done or failed or skipped.

    Returns:
        Results, failures, and what was skipped.

    Raises:
        TypeError, ValueError: If ``jobs``, ``backend`` or ``scheduler`` is wrong, two items have one name, or the
            journal does not fit.
        OSError: If a file in ``writes`` exists and is not what an earlier run made it, or cannot be written; if a
            worker process dies. All but the last before any work.
        ImportError: If the backend is not installed.

    Examples:
        >>> import math
        >>> outcome = for_each(math.sqrt, [4.0, -1.0, 9.0], jobs=2)
        >>> outcome.results
        {'4.0': 2.0, '9.0': 3.0}
        >>> [failure.name for failure in outcome.failures]
        ['-1.0']

        A second run finds all done:

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "roots.jsonl"
        >>> for_each(math.sqrt, [4.0, 9.0], journal=path).skipped
        []
        >>> for_each(math.sqrt, [4.0, 9.0], journal=path)
        Outcome(results={'4.0': 2.0, '9.0': 3.0}, failures=[], skipped=['4.0', '9.0'])
    """
    check_workers(jobs, backend, scheduler)
    tasks = [Task(item, name(item), given(item), tuple(reads(item)), tuple(writes(item))) for item in items]
    _check_different(tasks)
    log = Journal(journal, tasks, settings={"version": topoprior.__version__, **(settings or {})}, overwrite=overwrite)
    waiting = [task for task in tasks if task.name not in log.finished]
    for file in (file for task in waiting for file in task.writes):
        check_new_file(file, overwrite=overwrite or log.wrote(file))
    log.start()
    results = {name: restore(kept) for name, kept in log.finished.items()}
    failures: dict[str, Failure] = {}
    for _ in results:
        advance()
    ends = as_completed(
        Attempt(work),
        map(log.begin, waiting),
        count=len(waiting),
        jobs=jobs,
        backend=backend,
        scheduler=scheduler,
    )
    with closing(ends):  # at once if the run is given up, not when the memory is tidied
        for end in ends:
            if isinstance(end, Failure):
                failures[end.name] = end
                log.add(end)
            else:
                results[end.name] = end.result
                log.add(end, record(end.result))
            advance()
    order = [task.name for task in tasks]
    return Outcome(
        {name: results[name] for name in order if name in results},
        [failures[name] for name in order if name in failures],
        list(log.finished),
    )


def _check_different(tasks: Sequence[Task[Any]]) -> None:
    seen = set()
    for task in tasks:
        if task.name in seen:
            raise ValueError(f"each item must have a name of its own, got {task.name} twice")
        seen.add(task.name)
