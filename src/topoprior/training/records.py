"""The log of a run: ``metrics.jsonl`` and TensorBoard. A resumed run continues it where its state was saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from pathlib import Path


class Records:
    """Records of a run, kept in memory and, with a folder, on disk.

    Args:
        folder: Of the run; None to write nothing.
        keep: How many records of an earlier part of the run stand; what was written after them is dropped.

    Raises:
        ValueError: If the file has fewer records.
        ImportError: If TensorBoard is missing: ``pip install 'topoprior[train]'``.
    """

    def __init__(self, folder: Path | None, *, keep: int = 0) -> None:
        self.all: list[dict[str, Any]] = []
        self._file: Path | None = None
        self._board: Any = None
        if folder is None:
            return
        self._file = folder / "metrics.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines()[:keep] if keep else []
        if len(lines) < keep:
            raise ValueError(f"{self._file} has {len(lines)} records, fewer than the {keep} of the state to resume")
        self.all = [json.loads(line) for line in lines]
        with new_file(self._file, overwrite=True) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        total = max((record["total_step"] for record in self.all), default=-1)
        self._board = _tensorboard(folder / "tensorboard", purge_step=total + 1 if keep else None)

    def add(self, phase: str, step: int, total_step: int, values: dict[str, float]) -> None:
        """Add one record.

        Args:
            phase: Its name.
            step: In the phase.
            total_step: In the run.
            values: Name to number; ``train/...`` and ``validation/...``.
        """
        record = {"phase": phase, "step": step, "total_step": total_step, **values}
        self.all.append(record)
        if self._file is None:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, total_step)
        self._board.flush()

    def close(self) -> None:
        """Finish writing."""
        if self._board is not None:
            self._board.close()


def _tensorboard(folder: Path, *, purge_step: int | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("logs need TensorBoard: pip install 'topoprior[train]'") from error
    return SummaryWriter(str(folder), purge_step=purge_step)
