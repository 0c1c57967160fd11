"""Files that appear whole or not at all.

A file is written under a temporary name in its own folder and moved into place when it is complete, so no reader ever
sees half of it, and an error leaves what was there before. The temporary name keeps the ending (``.nii.gz``), because
the libraries that write choose the format by it.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_new_file(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a place where no file can be written, before the work that would fill it starts.

    Raises:
        FileExistsError: If ``path`` exists and ``overwrite`` is False.
        IsADirectoryError: If ``path`` is a folder.
        FileNotFoundError: If the folder of ``path`` does not exist.
        PermissionError: If the folder cannot be written to.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; the output must be a file")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already: choose another name, or allow overwriting (overwrite=True, --overwrite)"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder, so {path.name} cannot be written there")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{path.parent} cannot be written to")


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends without an error.

    Raises:
        OSError: As :func:`check_new_file`.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with new_file(folder / "notes.txt") as temporary:
        ...     _ = temporary.write_text("complete")
        >>> [path.name for path in folder.iterdir()]
        ['notes.txt']
    """
    check_new_file(path, overwrite=overwrite)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
