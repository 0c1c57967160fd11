"""What is kept of a cell of an experiment: one JSON document in a file of its own.

{"cell": {"name": ..., ...}, "settings": {...}, "result": {...}, "seconds": 81.2,
 "environment": {...}, "commit": "70c0b32...", "date": "2026-01-31T12:00:00+00:00"}
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_cells(folder: Path) -> list[dict[str, Any]]:
    """All cells that are in a folder, in the order of their names, whatever run computed them.

    Args:
        folder: As given to `topoprior.experiments.cells.compute`. None are there if it does not exist.

    Raises:
        ValueError: If a file is damaged.
    """
    return [read_cell(file) for file in sorted(folder.glob("[!.]*.json"))]


def provenance(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where cells come from, in words: when they were computed, with which code, on what, and how long it took.

    Args:
        documents: From :func:`compute` or :func:`read_cells`.

    Examples:
        >>> place = {"topoprior": "1.0", "torch": "2.13", "machine": {"processor": "A", "processors": 2, "gpu": None}}
        >>> cell = {"seconds": 1800, "commit": "70c0b32", "date": "2026-01-31T12:00:00", "environment": place}
        >>> for name, words in provenance([cell, cell | {"date": "2026-02-01T12:00:00"}]).items():
        ...     print(f"{name}: {words}")
        cells: 2
        computed: 2026-01-31 to 2026-02-01
        time in all: 1.0 hours
        commit: 70c0b32
        versions: topoprior 1.0, torch 2.13
        machine: A, 2 processors
    """
    if not documents:
        return {"cells": "0"}
    days = sorted({document["date"][:10] for document in documents})
    seconds = sum(document["seconds"] for document in documents)
    told = {
        "cells": str(len(documents)),
        "computed": days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
        "time in all": f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes",
    }
    for name, words in (("commit", _commit_of), ("versions", _versions_of), ("machine", _machine_of)):
        counts = Counter(words(document) for document in documents)
        several = len(counts) > 1
        told[name] = "; ".join(f"{word} ({count} cells)" if several else word for word, count in counts.most_common())
    return told


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Every value that differs, in words.

    Examples:
        >>> differences({"steps": 10, "rate": 0.1}, {"steps": 20, "rate": 0.1})
        ['steps 10 (now 20)']
    """
    names = [name for name in {**new, **old} if name not in old or name not in new or old[name] != new[name]]
    return [f"{name} {_shown(old, name)} (now {_shown(new, name)})" for name in names]


def _shown(values: Mapping[str, Any], name: str) -> str:
    return json.dumps(values[name]) if name in values else "not set"


def read_cell(file: Path) -> dict[str, Any]:
    """One document.

    Raises:
        ValueError: If it is none.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error})") from error
    parts = {"cell": dict, "settings": dict, "result": dict, "seconds": (int, float), "environment": dict, "date": str}
    wrong = [
        name
        for name, kind in parts.items()
        if not isinstance(document, dict) or not isinstance(document.get(name), kind)  # type: ignore[arg-type]
    ]
    if wrong:
        raise ValueError(f"{file} is damaged or no cell (no {', '.join(wrong)})")
    return dict(document)


def write_cell(file: Path, document: Mapping[str, Any]) -> None:
    """All of it, or an error that names the file."""
    try:
        with new_file(file, overwrite=True) as temporary:
            temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(file)) from error


def as_json(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """As it would be read back: tuples are lists, arrays too, keys are text.

    Raises:
        TypeError: If it is no mapping, or holds what JSON does not take.
    """
    try:
        return dict(json.loads(json.dumps(dict(values), default=_listed)))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a mapping of values that JSON takes: {error}") from error


def _listed(value: Any) -> Any:
    """NumPy's and torch's numbers and arrays as JSON takes them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"got {type(value).__name__}")


def _commit_of(document: Mapping[str, Any]) -> str:
    return document.get("commit") or "unknown"


def _versions_of(document: Mapping[str, Any]) -> str:
    packages = ("topoprior", "torch", "numpy", "monai")
    return ", ".join(f"{name} {document['environment'][name]}" for name in packages if name in document["environment"])


def _machine_of(document: Mapping[str, Any]) -> str:
    where = document["environment"].get("machine", {})
    return f"{where.get('gpu') or where.get('processor', 'unknown')}, {where.get('processors', '?')} processors"
