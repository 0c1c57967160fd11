"""How files are, without opening them: their sizes and the times of their last change."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict


class FileState(TypedDict):
    """One file.

    Attributes:
        path: Absolute; links are kept.
        size: In bytes; None if there is no such file.
        modified: Time of the last change, in nanoseconds; None if there is no such file.
    """

    path: str
    size: int | None
    modified: int | None


State = list[FileState]


def state(files: Iterable[Path]) -> State:
    """How files are now.

    Examples:
        >>> [missing] = state([Path("/no/such/file")])
        >>> missing["path"], missing["size"], missing["modified"]
        ('/no/such/file', None, None)
    """
    return [_state(os.path.abspath(file)) for file in files]  # noqa: PTH100  # Path.resolve would follow links


def _state(path: str) -> FileState:
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return {"path": path, "size": None, "modified": None}
    return {"path": path, "size": found.st_size, "modified": found.st_mtime_ns}
