"""What a prediction is worth: the rows of the result table.

=====================================  ======================================================  =======================
column                                 what it holds                                           empty (None) if
=====================================  ======================================================  =======================
``case``, ``class``                    what the row is about                                   never
``dice``                               overlap, 0 to 1                                         there is no target
``hausdorff95``                        95 % Hausdorff distance in mm                           there is no target
``average_surface_distance``           average symmetric surface distance in mm                there is no target
``cl_dice``                            centreline Dice, 0 to 1                                 there is no target
``betti_0``, ``betti_1``, ...          Betti numbers of the prediction                         never
``betti_error_0``, ...                 features missing or too many, per dimension             there is no prior
``topological_success``                1 if every Betti number is as the prior wants, else 0   there is no prior
=====================================  ======================================================  =======================

The topology needs no target and the rest no prior, so either may be left out. With an empty mask on one side the
overlaps are 0 and the distances infinite; with empty masks on both sides the overlaps are 1 and the distances 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import torch

from topoprior.evaluation.distances import surface_measures
from topoprior.evaluation.masks import mask_pair
from topoprior.evaluation.metrics import dice, distance_to_prior
from topoprior.evaluation.result_table import Row, read_scores, write_scores
from topoprior.evaluation.skeleton import cl_dice
from topoprior.topology.betti import as_binary, betti_numbers
from topoprior.topology.filtration import as_plain_tensor

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction, Images

Measure: TypeAlias = Literal["dice", "hausdorff95", "average_surface_distance", "cl_dice"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
__all__ = ["MEASURES", "Measure", "Row", "class_masks", "read_scores", "score", "write_scores"]


def score(
    prediction: Images,
    target: Images | None,
    prior: PriorLike | None = None,
    *,
    cases: Sequence[str],
    classes: Sequence[int | str] | None = None,
    spacing: Sequence[float] | None = None,
    measures: Collection[Measure] = MEASURES,
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
        spacing: Millimetres per pixel along each spatial axis; None: distances are in pixels.
        measures: Which of the columns that need a target to compute; the others are left out of the rows.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Returns:
        The rows, image by image; their columns stand in the head of this file.

    Raises:
        TypeError: If a mask is neither tensor nor array.
        ValueError: If masks, prior, names, classes and spacing do not fit each other, a mask holds other values than
            0 and 1, or a measure is unknown.
        ImportError: If the measures need a package that is not installed.

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
    names = named(mask, cases, classes)
    compared = _against(mask, target, spacing, measures)
    betti = betti_numbers(mask, construction=construction, boundary=boundary)
    error = None if prior is None else distance_to_prior(betti, prior)
    rows: list[Row] = []
    for place, (case, label) in names.items():
        row: Row = {"case": case, "class": label}
        row |= {name: None if values is None else float(values[place]) for name, values in compared.items()}
        row |= {f"betti_{k}": number for k, number in enumerate(betti[place].tolist())}
        row |= {f"betti_error_{k}": None for k in range(betti.shape[-1])} | {"topological_success": None}
        if error is not None:
            row |= {f"betti_error_{k}": number for k, number in enumerate(error[place].tolist())}
            row["topological_success"] = int(not error[place].any())
        rows.append(row)
    return rows


def class_masks(labels: Images, *, classes: Sequence[int]) -> Tensor:
    """One mask for each class of a label map, as `score` takes them.

    Args:
        labels: Whole numbers, shape ``(batch, *spatial)``.
        classes: The numbers that become channels.

    Returns:
        Boolean tensor of shape ``(batch, class, *spatial)``.

    Raises:
        TypeError: If ``labels`` is neither tensor nor array.
        ValueError: If its shape is wrong or empty.

    Examples:
        >>> class_masks(torch.tensor([[0, 1, 2, 2]]), classes=[1, 2]).int()
        tensor([[[0, 1, 0, 0],
                 [0, 0, 1, 1]]], dtype=torch.int32)
    """
    stack = as_plain_tensor(labels[:, None] if hasattr(labels, "ndim") else labels, name="labels")
    if not stack.is_floating_point():
        stack = stack.long()  # in uint8 torch takes 256 for 0
    return torch.cat([stack == number for number in classes], dim=1)


def _against(
    mask: Tensor, target: Images | None, spacing: Sequence[float] | None, measures: Collection[Measure]
) -> dict[Measure, Tensor | None]:
    """What compares mask and target, shape (batch, channel) each, in the order of the columns."""
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown:
        raise ValueError(f"measures must be some of {', '.join(MEASURES)}, got {measures!r}")
    wanted = [measure for measure in MEASURES if measure in measures]
    if target is None:
        return dict.fromkeys(wanted)
    mask_pair(mask, target)
    found: dict[Measure, Tensor] = {}
    if "dice" in wanted:
        found["dice"] = dice(mask, target)
    if "hausdorff95" in wanted or "average_surface_distance" in wanted:
        distances = surface_measures(mask, target, spacing=spacing)
        found["hausdorff95"], found["average_surface_distance"] = distances
    if "cl_dice" in wanted:
        found["cl_dice"] = cl_dice(mask, target)
    return {measure: found[measure] for measure in wanted}


def named(
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
