"""What is said of files that could not be done, after all others are."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topoprior.jobs import Failure

_FAILURES_SHOWN = 20


class FilesFailed(Exception):  # noqa: N818  # not one error, but what is left to say after the work
    """Some files could not be done. The others are, and are told before this ends the command.

    Args:
        failures: At least one.
        total: How many there were.
        things: What they are, if not files.
    """

    def __init__(self, failures: "Sequence[Failure]", *, total: int, things: str = "files") -> None:
        self.failures, self.total, self.things = failures, total, things
        super().__init__(self._text())

    def _text(self) -> str:
        count, first = len(self.failures), self.failures[0]
        if self.total == 1:
            return f"error: {first.error}"
        if count > 1 and all(failure.error == first.error for failure in self.failures):
            return f"error: {count} of {self.total} {self.things} failed, all of them with: {first.error}"
        shown = [f"  {failure}" for failure in self.failures[:_FAILURES_SHOWN]]
        more = [f"  and {count - _FAILURES_SHOWN} more"] if count > _FAILURES_SHOWN else []
        return "\n".join([f"error: {count} of {self.total} {self.things} failed", *shown, *more])


def failures_told(failures: "Sequence[Failure]") -> dict[str, list[dict[str, str]]]:
    """What a JSON document says of files that failed: nothing if none did."""
    return {"failures": [{"file": failure.name, "error": failure.error} for failure in failures]} if failures else {}


def check_all_done(failures: "Sequence[Failure]", *, total: int) -> None:
    """End the command if files failed.

    Raises:
        FilesFailed: If there are failures.
    """
    if failures:
        raise FilesFailed(failures, total=total)
