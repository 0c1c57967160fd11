"""The folder of an experiment: ``cells/``, ``figures/``, ``results.json`` and ``report.html``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from topoprior.viewing.report.experiment import Figure

_DPI = 110


def open_folder(output: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """The folder, made if need be; refused if it holds something else than an experiment.

    Args:
        output: Where it is to be, with its folders ``cells`` and ``figures``.
        overwrite: Take it whatever it holds; files of other names stay.

    Raises:
        FileExistsError: If it holds something, but no ``cells``.
        OSError: If it is a file, or cannot be made.

    Examples:
        >>> import tempfile
        >>> folder = open_folder(Path(tempfile.mkdtemp()) / "mnist")
        >>> sorted(file.name for file in folder.iterdir())
        ['cells', 'figures']
    """
    folder = Path(output)
    check_folder(folder, overwrite=overwrite)
    for part in ("cells", "figures"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse what :func:`open_folder` would refuse, and make nothing.

    Raises:
        FileExistsError: If it holds something, but no ``cells``.
        NotADirectoryError: If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"output must be a folder, and {folder} is a file")
    if folder.is_dir() and not overwrite and any(folder.iterdir()) and not (folder / "cells").is_dir():
        raise FileExistsError(
            f"{folder} holds something else than an experiment: take another folder, or allow files in it to be "
            "overwritten (overwrite=True, --overwrite)"
        )


def write_figure(folder: Path, name: str, figure: Figure) -> Figure:
    """Draw a figure of the report into the folder's ``figures``, in place of an earlier one.

    Args:
        folder: From :func:`open_folder`.
        name: Of the file, without its ending.
        figure: Whose image is a figure of Matplotlib.

    Returns:
        The same figure, its image the file.
    """
    path = folder / "figures" / f"{name}.png"
    with new_file(path, overwrite=True) as temporary:
        figure.image.savefig(temporary, format="png", dpi=_DPI)  # type: ignore[union-attr]
    return replace(figure, image=path)


def write_results(folder: Path, results: Mapping[str, Any]) -> Path:
    """Write ``results.json``, in place of an earlier one: that its cells fit is known by now.

    Args:
        folder: From :func:`open_folder`.
        results: Values that JSON takes.

    Raises:
        ValueError: If a number is not finite: JSON has none.
    """
    file = folder / "results.json"
    text = json.dumps(results, indent=2, allow_nan=False)
    with new_file(file, overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return file
