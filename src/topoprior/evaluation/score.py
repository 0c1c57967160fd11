"""The result table: one row for each case and class, as CSV or as a list of dictionaries.

=====================================  ======================================================  =======================
column                                 what it holds                                           empty (None) if
=====================================  ======================================================  =======================
``case``, ``class``                    what the row is about                                   never
``dice``                               overlap, 0 to 1                                         there is no target
``betti_0``, ``betti_1``, ...          Betti numbers of the prediction                         never
``betti_error_0``, ...                 features missing or too many, per dimension             there is no prior
``topological_success``                1 if every Betti number is as the prior wants, else 0   there is no prior
=====================================  ======================================================  =======================

The prior needs no target and the overlap no prior, so either may be left out. Further columns of your own (``repeat``,
``patient``) may be added to the rows.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from topoprior.evaluation.metrics import dice, distance_to_prior
from topoprior.imaging.new_file import new_file
from topoprior.topology.betti import as_binary, betti_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction, Images

Value: TypeAlias = "str | int | float | None"
Row: TypeAlias = "dict[str, Value]"


def score(
    prediction: Images,
    target: Images | None,
    prior: PriorLike | None = None,
    *,
    cases: Sequence[str],
    classes: Sequence[int | str] | None = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> list[Row]:
    """One row of the result table for each image and channel.

    Args:
        prediction: Boolean or 0/1 valued masks, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes; one
            channel for each class.
        target: The right masks, same shape; None if they are not known.
        prior: One prior for all, one per image of the batch, or one per image and channel; None if there is none.
        cases: Name of each image of the batch.
        classes: Number or name of each channel; by default 1, 2, ...
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Returns:
        The rows, image by image; their columns stand in the head of this file.

    Raises:
        TypeError: If a mask is neither tensor nor array.
        ValueError: If masks, prior, names and classes do not fit each other, or a mask holds other values than 0 and 1.

    Examples:
        A ring with a gap, where a closed one is right:

        >>> from topoprior import BettiPrior
        >>> ring = torch.tensor([[[[1, 1, 1], [1, 0, 1], [1, 1, 1]]]])
        >>> gap = torch.tensor([[[[1, 1, 1], [1, 0, 1], [1, 0, 1]]]])
        >>> [row] = score(gap, ring, BettiPrior(1, 1), cases=["patient 1"])
        >>> row["case"], row["class"], round(row["dice"], 2)
        ('patient 1', 1, 0.93)
        >>> row["betti_0"], row["betti_1"], row["betti_error_0"], row["betti_error_1"], row["topological_success"]
        (1, 0, 0, 1, 0)
    """
    mask = as_binary(prediction, name="prediction")
    names = _names(mask, cases, classes)
    overlap = None if target is None else dice(mask, target)
    betti = betti_numbers(mask, construction=construction, boundary=boundary)
    error = None if prior is None else distance_to_prior(betti, prior)
    dimensions = betti.shape[-1]
    rows: list[Row] = []
    for place, (case, label) in names.items():
        row: Row = {"case": case, "class": label, "dice": None if overlap is None else float(overlap[place])}
        row |= {f"betti_{k}": int(betti[(*place, k)]) for k in range(dimensions)}
        row |= {f"betti_error_{k}": None if error is None else int(error[(*place, k)]) for k in range(dimensions)}
        row["topological_success"] = None if error is None else int(not error[place].any())
        rows.append(row)
    return rows


def class_masks(labels: Images, *, classes: Sequence[int]) -> Tensor:
    """One mask for each class of a label map, as `score` takes them.

    Args:
        labels: Whole numbers, shape ``(batch, *spatial)``.
        classes: The numbers that become channels.

    Returns:
        Boolean tensor of shape ``(batch, class, *spatial)``.

    Examples:
        >>> class_masks(torch.tensor([[0, 1, 2, 2]]), classes=[1, 2]).int()
        tensor([[[0, 1, 0, 0],
                 [0, 0, 1, 1]]], dtype=torch.int32)
    """
    tensor = torch.as_tensor(labels)
    return torch.stack([tensor == number for number in classes], dim=1)


def write_scores(path: str | Path, rows: Iterable[Row], *, overwrite: bool = False) -> None:
    """Write a result table as CSV, whole or not at all; None becomes an empty cell, infinity ``inf``.

    Raises:
        ValueError: If there is no row, or if the rows have different columns.
        OSError: If the file exists and ``overwrite`` is False, or cannot be written.
    """
    rows = list(rows)
    if not rows:
        raise ValueError("a result table must have at least one row, got none")
    columns = list(rows[0])
    for row in rows:
        if list(row) != columns:
            raise ValueError(
                f"all rows must have the columns {','.join(columns)}, got {','.join(row)} for {row.get('case')!r}"
            )
    with new_file(Path(path), overwrite=overwrite) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(columns)
        table.writerows([row[name] for name in columns] for row in rows)


def read_scores(path: str | Path) -> list[Row]:
    """Read a result table; an empty cell or ``nan`` is None, numbers become numbers, and ``case`` stays text.

    Text that looks like a number with leading zeros (``007``) stays text, because it is a name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table has no column ``case``, a column twice, no row, or a row of the wrong length, or is no
            UTF-8 text. The message names file and line.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> write_scores(path, [{"case": "007", "class": 1, "hausdorff95": math.inf, "cl_dice": None}])
        >>> print(path.read_text())
        case,class,hausdorff95,cl_dice
        007,1,inf,
        <BLANKLINE>
        >>> read_scores(path)
        [{'case': '007', 'class': 1, 'hausdorff95': inf, 'cl_dice': None}]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            if "case" not in columns or len(set(columns)) != len(columns):
                raise ValueError(f"{path}: the columns must differ and include case, got {','.join(columns)!r}")
            rows = [_row(f"{path}, line {reader.line_num}", columns, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise ValueError(f"{path} has no row")
    return rows


def _names(
    mask: Tensor, cases: Sequence[str], classes: Sequence[int | str] | None
) -> dict[tuple[int, int], tuple[str, int | str]]:
    """Case and class of each (image, channel)."""
    batch, channels = mask.shape[:2]
    labels = range(1, channels + 1) if classes is None else classes
    for name, given, count in (("cases", cases, batch), ("classes", labels, channels)):
        if isinstance(given, str) or len(given) != count or len(set(given)) != count:
            raise ValueError(
                f"{name} must be {count} different names for masks of shape {tuple(mask.shape)}, got {given!r}"
            )
    return {(b, c): (cases[b], labels[c]) for b in range(batch) for c in range(channels)}


def _row(where: str, columns: list[str], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        raise ValueError(f"{where}: expected {len(columns)} values ({','.join(columns)}), got {len(cells)}")
    return {name: cell if name == "case" else _value(cell.strip()) for name, cell in zip(columns, cells, strict=True)}


def _value(cell: str) -> Value:
    if cell == "":
        return None
    digits = cell.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in ".eE":
        return cell
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return cell
    return None if math.isnan(number) else number
