"""Who does the work: threads or processes of this machine, or the workers of a cluster.

joblib runs them, Ray excepted. What differs is how a cluster is reached or made, and how many threads torch and the
persistence engine take inside each job. N jobs on a machine with C cores get C / N threads each, at least one: more
would only wait for each other. Workers of somebody else's cluster keep the number that they were started with.
"""

import importlib
import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Any, Generic, Literal, TypeVar, get_args

from topoprior.jobs.orphans import EndsWithParent

Item = TypeVar("Item")
Result = TypeVar("Result")
Backend = Literal["threading", "loky", "dask", "ray"]
"""``"threading"``: threads of this process. ``"loky"``: processes. ``"dask"``, ``"ray"``: processes of a cluster."""


def check_workers(jobs: int, backend: Backend, scheduler: str | None) -> None:
    """Refuse what names no workers.

    Raises:
        TypeError: If ``jobs`` is no whole number.
        ValueError: If ``jobs`` is neither positive nor -1, the backend is unknown, or has no scheduler.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int):
        raise TypeError(f"jobs must be a whole number, got {jobs!r}")
    if jobs < 1 and jobs != -1:
        raise ValueError(f"jobs must be at least 1, or -1 for one on each core, got {jobs}")
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    if scheduler is not None and backend not in _CLUSTERS:
        raise ValueError(f"a scheduler needs the backend dask or ray, got {backend!r} with {scheduler}")


def as_completed(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    count: int,
    jobs: int,
    backend: Backend,
    scheduler: str | None,
) -> Generator[Result, None, None]:
    """The results of ``work`` on each item, in the order in which they are ready.

    Args:
        work: Must be picklable unless it runs in this process.
        items: Taken one by one, as workers are free for them and a few ahead.
        count: How many there are.
        jobs: How many at once; -1 for one on each core. Never more than there are items.
        backend: Who works. One job of ``"threading"`` or ``"loky"`` runs here and now, with all threads.
        scheduler: Address of a cluster; None to take the one that the environment names, or else to start one here.

    Raises:
        ImportError: If the backend is not installed.
        OSError: If a worker process dies.
    """
    import joblib

    jobs = min(joblib.cpu_count() if jobs == -1 else jobs, count)
    if jobs == 0 or (jobs == 1 and backend not in _CLUSTERS):
        yield from map(work, items)
        return
    cluster = _CLUSTERS.get(backend, _this_machine)
    gate = _Gate()
    with _threads_kept(), gate, cluster(jobs, scheduler) as shared:
        call: Callable[[Item], Result]
        call = _WithThreads(work, None if shared else max(1, min(_torch_threads(), joblib.cpu_count() // jobs)))
        if backend == "threading":
            call = gate.guard(call)
        elif backend == "loky":
            call = EndsWithParent(_InFolder(call, Path.cwd()))
        yield from (_with_ray if backend == "ray" else _with_joblib)(call, items, jobs, backend)


def _with_joblib(
    call: Callable[[Item], Result], items: Iterable[Item], jobs: int, backend: Backend
) -> Generator[Result, None, None]:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with joblib.parallel_config(backend=backend):  # which also finds Dask's, that Parallel itself does not know
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    results = parallel(joblib.delayed(call)(item) for item in items)
    try:
        for result in results:  # noqa: UP028  # `yield from` would close them itself, with a warning
            yield result
    except TerminatedWorkerError as error:
        raise OSError("a worker process was killed, perhaps for want of memory: try fewer jobs") from error
    finally:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that not all was done, as wished
            results.close()


def _with_ray(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int,  # noqa: ARG001
    backend: Backend,  # noqa: ARG001
) -> Generator[Result, None, None]:
    """As joblib does, whose own backend for Ray gives no result before all are there: nothing could be resumed."""
    import ray

    remote, shared = ray.remote(lambda work, item: work(item)), ray.put(call)
    ahead, running = 2 * int(ray.cluster_resources()["CPU"]), []
    for item in items:
        running.append(remote.remote(shared, item))
        if len(running) >= ahead:
            [ready], running = ray.wait(running)
            yield ray.get(ready)
    while running:
        [ready], running = ray.wait(running)
        yield ray.get(ready)


@dataclass(frozen=True)
class _WithThreads(Generic[Item, Result]):
    """Work that leaves cores to its neighbours; set at each call, since a thread or process does not tell it is new."""

    work: Callable[[Item], Result]
    threads: int | None

    def __call__(self, item: Item) -> Result:
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        return self.work(item)


@dataclass(frozen=True)
class _InFolder(Generic[Item, Result]):
    """Work for a process that may stand elsewhere: loky keeps its own, in the folder where the first run began."""

    work: Callable[[Item], Result]
    folder: Path

    def __call__(self, item: Item) -> Result:
        os.chdir(self.folder)
        return self.work(item)


class _Gate:
    """Lets the threads of a run that is stopped end their jobs: a process that ends under them crashes."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running = 0
        self._closed = False

    def guard(self, work: Callable[[Item], Result]) -> Callable[[Item], Result]:
        def guarded(item: Item) -> Result:
            with self._changed:
                if self._closed:
                    raise RuntimeError("the run was stopped")  # nobody waits for what this thread would do
                self._running += 1
            try:
                return work(item)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify()

        return guarded

    def __enter__(self) -> "_Gate":
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._running == 0)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Workers that are threads of this process change torch's number of threads: put it back."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()


@contextmanager
def _this_machine(jobs: int, scheduler: str | None) -> Iterator[bool]:  # noqa: ARG001
    yield False


_LEAVE_CTRL_C_TO_THE_PARENT = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


@contextmanager
def _dask(jobs: int, scheduler: str | None) -> Iterator[bool]:
    """The cluster at that address, or processes of one thread on this machine; whether it is somebody else's."""
    distributed = _library("distributed", "dask")
    address = scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        with distributed.Client(address):
            yield True
        return
    with (
        distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
            preload=[_LEAVE_CTRL_C_TO_THE_PARENT],
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield False


@contextmanager
def _ray(jobs: int, scheduler: str | None) -> Iterator[bool]:
    """As :func:`_dask`."""
    ray = _library("ray", "ray")
    address = scheduler or os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield bool(address)
    finally:
        ray.shutdown()


_CLUSTERS: dict[str, Callable[[int, str | None], AbstractContextManager[bool]]] = {"dask": _dask, "ray": _ray}


def _library(module: str, backend: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(f"the backend {backend} is not installed: pip install 'topoprior[cluster]'") from error
