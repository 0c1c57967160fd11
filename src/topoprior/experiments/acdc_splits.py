"""Which patients of the ACDC experiment the networks learn from, choose by, and have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from topoprior.imaging.datasets.acdc import find_patients

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from topoprior.imaging.datasets.acdc import Patient


@dataclass(frozen=True)
class Split:
    """Patients by name: those to learn from, to choose by, and unseen ones.

    Attributes:
        name: ``"fold1"``, ``"fold2"``, ..., or ``"official"``.
        training: To learn from.
        validation: To choose states and settings by.
        test: Not seen by either.
    """

    name: str
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def patients_in(data: Path) -> tuple[list[Patient], list[Patient]]:
    """The training patients and the testing patients, of which there may be none.

    Args:
        data: A folder with ``training`` and perhaps ``testing``, or one with the patients themselves.

    Raises:
        OSError, ValueError: As `find_patients`.
    """
    if not (data / "training").is_dir():
        return find_patients(data), []
    testing = data / "testing"
    return find_patients(data / "training"), find_patients(testing) if testing.is_dir() else []


def splits(training: Sequence[Patient], testing: Sequence[Patient], *, folds: int, seed: int) -> list[Split]:
    """Every patient unseen once: in parts that hold all groups alike, or, if there are testing patients, these.

    A sixth of the others, or with testing patients a tenth, is set aside to choose by.

    Raises:
        ValueError: If there are too few patients.
    """
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    groups: dict[str, list[str]] = {}
    for place in order:
        groups.setdefault(training[place].group, []).append(training[place].name)
    dealt = [name for group in sorted(groups) for name in groups[group]]
    if testing:
        validation = dealt[::10]
        rest = [name for name in dealt if name not in validation]
        return [_split("official", rest, validation, [patient.name for patient in testing])]
    parts = [dealt[fold::folds] for fold in range(folds)]
    if len(dealt) < 3 or min(map(len, parts)) < 1 or folds < 2:
        raise ValueError(f"{folds} folds need at least 3 patients and one for each fold, got {len(dealt)} patients")
    found = []
    for fold, test in enumerate(parts):
        others = [name for name in dealt if name not in test]
        validation = others[fold % 6 :: 6]
        found.append(_split(f"fold{fold + 1}", [name for name in others if name not in validation], validation, test))
    return found


def _split(name: str, training: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Split:
    return Split(name, *(tuple(sorted(names)) for names in (training, validation, test)))
