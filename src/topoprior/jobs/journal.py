"""What is done already: a line of JSON for each finished item, appended as it finishes.

The first line tells the settings of the run, so that a later run with the same settings goes on where this one was
stopped, and one with other settings is refused. A process that is killed leaves at most a torn last line, which is
cut off when the next run starts.

Before an item is begun, a line tells which files it will write. If the run dies before it tells that they are written,
the next run knows them for its own, and may replace them.

An item is done if its files are as they were: the same size and the same time of change of all that it read and of all
that it wrote. No file is opened for that, so thousands of volumes are checked in a moment; a copied data set has new
times, and is done again.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from topoprior.imaging.new_file import check_new_file, new_file
from topoprior.jobs.state import FileState, state
from topoprior.jobs.task import Done, Failure, Task

_KIND = "topoprior"


class Journal:
    """The journal of one run over some tasks.

    Args:
        path: Of the file, whose folder must exist; None to remember nothing.
        tasks: Those of this run.
        settings: All that every result depends on: values that JSON takes.
        overwrite: Begin anew if the journal that is there has other settings. One of a run that finished no item is
            begun anew unasked.

    Attributes:
        finished: What is kept of the tasks that are done, and whose files are as they were: name to result.

    Raises:
        OSError: If the file cannot be read or written.
        ValueError: If it is no journal, was begun with other settings, or has a line that cannot be read.
    """

    def __init__(
        self, path: Path | None, tasks: Sequence[Task[Any]], *, settings: Mapping[str, Any], overwrite: bool
    ) -> None:
        self.path = path
        self.finished: dict[str, Any] = {}
        self._head = _plain({"journal": _KIND, **settings})
        self._facts: dict[str, dict[str, Any]] = {}
        self._ours: dict[str, FileState | None] = {}  # None: begun, and perhaps written
        self._length = 0
        if path is None:
            return
        check_new_file(path, overwrite=True)
        self._facts = {task.name: {"given": _plain(task.given), "reads": state(task.reads)} for task in tasks}
        entries = self._read(path, overwrite=overwrite) if path.exists() else {}
        for task in tasks:
            facts = {**self._facts[task.name], "written": state(task.writes)}
            entry = entries.get(task.name, {})
            if facts.items() <= entry.items():
                self.finished[task.name] = entry["result"]

    def wrote(self, file: Path) -> bool:
        """Whether a file is what an earlier run made it, or was making when it was killed."""
        (now,) = state([file])
        return now["path"] in self._ours and self._ours[now["path"]] in (None, now)

    def start(self) -> None:
        """Write the first line, or cut off what a killed process left at the end."""
        if self.path is None:
            return
        if self._length:
            os.truncate(self.path, self._length)
        else:
            with new_file(self.path, overwrite=True) as temporary:
                temporary.write_bytes(_line(self._head))

    def begin(self, task: Task[Any]) -> Task[Any]:
        """Append which files a task will write, and hand it on; called before it is given to a worker."""
        if task.writes:
            self._append({"name": task.name, "begun": [file["path"] for file in state(task.writes)]})
        return task

    def add(self, end: Done[Any] | Failure, result: object = None) -> None:
        """Append what came of a task.

        Args:
            end: What came of it.
            result: What is to be kept of its result, if it has one: a value that JSON takes.
        """
        told = {"error": end.error} if isinstance(end, Failure) else {"written": end.written, "result": result}
        self._append({"name": end.name, **self._facts.get(end.name, {}), **told})

    def _append(self, entry: Mapping[str, Any]) -> None:
        """In one piece, since several threads may append; it is with the operating system when this returns."""
        if self.path is not None:
            with self.path.open("ab", buffering=0) as file:
                file.write(_line(entry))

    def _read(self, path: Path, *, overwrite: bool) -> dict[str, dict[str, Any]]:
        """The last entry of each name, if the settings are the same."""
        *lines, _ = path.read_bytes().split(b"\n")  # what follows the last line break is torn, or nothing
        head, *entries = [_parsed(line) for line in lines] or [{}]
        if head.get("journal") != _KIND:
            raise ValueError(f"{path} is no journal of this program: choose another name")
        for number, entry in enumerate(entries, start=2):
            if "name" not in entry:
                raise ValueError(f"{path}, line {number} cannot be read; remove the file to do all anew")
            self._ours.update(dict.fromkeys(entry.get("begun", [])))
            self._ours.update({file["path"]: file for file in entry.get("written", [])})
        if head == self._head:
            self._length = sum(len(line) + 1 for line in lines)
            return {entry["name"]: entry for entry in entries if "begun" not in entry}
        if not overwrite and any("result" in entry for entry in entries):  # else there is nothing to lose
            raise ValueError(f"{path} was begun with {_difference(head, self._head)}")
        return {}


def _plain(value: Any) -> Any:
    """As it would be read back: tuples are lists, keys are text."""
    return json.loads(json.dumps(value))


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """In words, the first setting that differs."""
    missing = object()
    name = next(name for name in [*now, *before] if before.get(name, missing) != now.get(name, missing))
    was, is_now = (settings.get(name, "not given") for settings in (before, now))
    return f"{name} {was}, now it is {is_now}: choose another place, or overwrite what is there"
