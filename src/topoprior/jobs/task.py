"""One item among many: what is to be done, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from topoprior.jobs.state import State, state

Item = TypeVar("Item")
Result = TypeVar("Result")

EXPECTED = (ValueError, TypeError, OSError, ImportError)
"""Errors that tell of bad input or a full disk. Others are defects of the program and end the run."""


@dataclass(frozen=True)
class Task(Generic[Item]):
    """An item to work on.

    Attributes:
        item: What the work takes.
        name: Tells it from the others.
        given: What else its result depends on.
        reads: The files that its result comes from.
        writes: The files that the work will write.
    """

    item: Item
    name: str
    given: object
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A task that was done.

    Attributes:
        name: Of the task.
        result: What the work gave.
        written: The files that it wrote, as they were then.
    """

    name: str
    result: Result
    written: State


@dataclass(frozen=True)
class Failure:
    """A task that could not be done.

    Attributes:
        name: Of the task.
        error: What its error said, in one line.
    """

    name: str
    error: str

    def __str__(self) -> str:
        """The error, after the name unless it tells the name itself.

        Examples:
            >>> print(Failure("a.npy", "values must be finite, got nan"))
            a.npy: values must be finite, got nan
            >>> print(Failure("a.npy", "a.npy does not exist"))
            a.npy does not exist
        """
        return self.error if self.name in self.error else f"{self.name}: {self.error}"


@dataclass(frozen=True)
class Attempt(Generic[Item, Result]):
    """The work, with the errors that are expected taken for an end like others.

    Attributes:
        work: Takes an item.
    """

    work: Callable[[Item], Result]

    def __call__(self, task: Task[Item]) -> Done[Result] | Failure:
        """Work on one task."""
        try:
            result = self.work(task.item)
        except EXPECTED as error:
            return Failure(task.name, one_line(error))
        return Done(task.name, result, state(task.writes))


def one_line(error: BaseException) -> str:
    r"""The message of an error in one line.

    Examples:
        >>> one_line(OSError(28, "No space left on device", "out.npy"))
        'out.npy: No space left on device'
        >>> one_line(ValueError("two\n  lines"))
        'two lines'
        >>> one_line(TypeError())
        'TypeError'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
