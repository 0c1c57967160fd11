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
        ValueError: If there are too few patients, fewer than 2 folds, or a patient is in both folders.
    """
    names = [patient.name for patient in testing]
    both = sorted({patient.name for patient in training} & set(names))
    if both:
        raise ValueError(f"training and testing patients must be different people, got {both[0]} in both")
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    groups: dict[str, list[str]] = {}
    for place in order:
        groups.setdefault(training[place].group, []).append(training[place].name)
    dealt = [name for group in sorted(groups) for name in groups[group]]
    if testing:
        return [_split("official", dealt, dealt[::10], names)]
    if not 2 <= folds <= len(dealt):
        raise ValueError(f"folds must be from 2 to the {len(dealt)} patients, got {folds}")
    found = []
    for fold in range(folds):
        test = dealt[fold::folds]
        others = [name for name in dealt if name not in test]
        found.append(_split(f"fold{fold + 1}", others, others[fold % min(6, len(others)) :: 6], test))
    return found


def _split(name: str, seen: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Split:
    """Those that are seen, but for the validation patients, are learnt from."""
    training = [one for one in seen if one not in validation]
    if not training:
        raise ValueError(f"{name} needs patients to learn from and one to choose by, got {len(seen)} in all")
    return Split(name, *(tuple(sorted(names)) for names in (training, validation, test)))
