"""Where the files that a command writes go: one file, or a folder with one for each input."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def destinations(inputs: Sequence[Path], output: Path, *, endings: Sequence[str], added: str = "") -> list[Path]:
    """The output itself for one input; for several, or if it is a folder, the names of the inputs in it.

    Args:
        inputs: The files that are read.
        output: A file or folder, which need not exist.
        endings: By which a file is told from a folder that does not exist.
        added: To the names of the inputs, in a folder.

    Raises:
        ValueError: If several inputs would go into one file, or the output is or looks like another kind of file.

    Examples:
        >>> [path.as_posix() for path in destinations([Path("in/a.npy")], Path("masks"), endings=[".npy"])]
        ['masks/a.npy']
    """
    names_a_file = output.name.lower().endswith(tuple(endings)) and not output.is_dir()
    if names_a_file and len(inputs) > 1:
        raise ValueError(f"{output}: several inputs need a folder as their output, got the name of one file")
    if names_a_file:
        return [output]
    mistyped = len(inputs) == 1 and bool(output.suffix)
    if not output.is_dir() and (output.exists() or mistyped):
        raise ValueError(f"{output}: the output must be a folder or end in {', '.join(endings)}, got another file")
    return [output / f"{file.name}{added}" for file in inputs]


def check_apart(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Refuse to write twice to one place, or onto an input, even where overwriting is allowed.

    Raises:
        ValueError: If two places are one.
    """
    taken = {path.resolve(): f"the input {path}" for path in inputs}
    for path in outputs:
        if path.resolve() in taken:
            raise ValueError(f"{path} would be written over {taken[path.resolve()]}")
        taken[path.resolve()] = f"another output, {path}"


def make_folder(folder: Path) -> None:
    """Make a folder in one that exists, if it is not there yet.

    Raises:
        OSError: If it cannot be made.
    """
    from topoprior.imaging.new_file import check_new_file

    if not folder.is_dir():
        check_new_file(folder)
        folder.mkdir()


def check_new_files(files: Mapping[str, Path | None], *, overwrite: bool) -> None:
    """Refuse files to write whose names have other endings, or that exist and may not be written over.

    Args:
        files: By their endings; None where none is written.
        overwrite: Whether they may exist.

    Raises:
        OSError: If one exists or cannot be written.
        ValueError: If a name ends otherwise.
    """
    from topoprior.imaging.new_file import check_new_file

    for ending, path in files.items():
        if path is not None and path.suffix.lower() != ending:
            raise ValueError(f"{path}: the name must end in {ending}")
        if path is not None:
            check_new_file(path, overwrite=overwrite)
