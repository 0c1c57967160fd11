"""The scores of the ACDC experiment, from the cells of its stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.evaluation.paired_tests import wilcoxon
from topoprior.imaging.datasets.acdc import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Document = Mapping[str, Any]

POSITIONS = ("first slice", "first third", "middle third", "last third", "last slice")


def summary(documents: Sequence[Document], way: str) -> dict[str, Any]:
    """All that the tables say of one way.

    Args:
        documents: Of the stacks of one variant.
        way: One of `WAYS`.
    """
    slices = list(slice_rows(documents, way))
    wrong = [row for row in slices if not row["right_before"]]
    found: dict[str, Any] = {
        "slices": len(slices),
        "right": sum(row["right"] for row in slices),
        "all_right": sum(row["all_right"] for row in slices),
        "wrong_before": len(wrong),
        "pixels_changed": mean(row["pixels_changed"] for row in wrong),
        "steps": mean(row["steps"] for row in wrong),
    }
    scored = [row for row in wrong if row["dice"] is not None]
    found["refined_dice_before"] = mean(row["dice_before"] for row in scored)
    found["refined_dice"] = mean(row["dice"] for row in scored)
    filled = [row for row in scored if row["prior"] != "0,0"]
    found["refined_dice_of_some_before"] = mean(row["dice_before"] for row in filled)
    found["refined_dice_of_some"] = mean(row["dice"] for row in filled)
    found["rose"] = sum(row["dice"] > row["dice_before"] for row in scored)
    found["fell"] = sum(row["dice"] < row["dice_before"] for row in scored)
    for phase in PHASES:
        of_phase = [one["result"]["ways"][way] for one in documents if one["cell"]["phase"] == phase]
        distances = [one["hausdorff95"]["MYO"] for one in of_phase if one["hausdorff95"]]
        finite = [distance for distance in distances if distance is not None]
        found[f"dice_{phase}"] = mean(one["dice"]["MYO"] for one in of_phase if one["dice"])
        found[f"hausdorff95_{phase}"] = mean(finite)
        found[f"without_distance_{phase}"] = len(distances) - len(finite)
    before, after = (_by_patient(documents, one) for one in ("network", way))
    found["p"] = wilcoxon(before, after)[1] if before else None
    return found


def slice_rows(documents: Sequence[Document], way: str) -> Iterable[dict[str, Any]]:
    """One row for each slice."""
    for document in documents:
        result = document["result"]
        before, after = result["ways"]["network"], result["ways"][way]
        count = len(result["priors"])
        for index in range(count):
            yield {
                "patient": document["cell"]["patient"],
                "phase": document["cell"]["phase"],
                "slice": index,
                "position": position(index, count),
                "prior": ",".join(map(str, result["priors"][index])),
                "right_before": before["right"][index],
                "dice_before": before["slice_dice"][index] if before["slice_dice"] else None,
                "dice": after["slice_dice"][index] if after["slice_dice"] else None,
                **{name: after[name][index] for name in ("right", "all_right", "betti", "steps", "pixels_changed")},
            }


def position(index: int, count: int) -> str:
    """Where a slice is in its stack.

    Examples:
        >>> [position(index, 8) for index in (0, 1, 3, 6, 7)]
        ['first slice', 'first third', 'middle third', 'last third', 'last slice']
    """
    if index in (0, count - 1):
        return POSITIONS[0] if index == 0 else POSITIONS[-1]
    return POSITIONS[1 + 3 * (index - 1) // (count - 2)]


def _by_patient(documents: Sequence[Document], way: str) -> list[float]:
    """Mean Dice of both phases of each patient, by name."""
    found: dict[str, list[float]] = {}
    for document in documents:
        overlap = document["result"]["ways"][way]["dice"]
        if overlap:
            found.setdefault(document["cell"]["patient"], []).append(overlap["MYO"])
    return [float(np.mean(found[name])) for name in sorted(found)]


def mean(values: Iterable[float]) -> float | None:
    """None if there is none."""
    each = list(values)
    return float(np.mean(each)) if each else None
