"""Progress bars on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars, if standard error is a terminal; call what it gives with stage, done and total."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield report


@contextmanager
def progress(stage: str, total: int) -> Iterator[Callable[[], None]]:
    """One such bar; call what it gives after each of its parts."""
    done = count(1)
    with stages() as report:
        report(stage, 0, total)
        yield lambda: report(stage, next(done), total)
