"""One prediction and its label, from their files to rows of the result table: what a job of ``evaluate`` does."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from topoprior.cli.evaluate.pairs import Pair
from topoprior.evaluation.connectivity import SETTINGS, prior_for
from topoprior.evaluation.metrics import distance_to_prior
from topoprior.evaluation.result_table import Row
from topoprior.evaluation.score import Measure, score
from topoprior.imaging.datasets.classes import Classes, class_numbers
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.table import PriorTable
from topoprior.topology.betti import betti_numbers
from topoprior.topology.filtration import Boundary, Construction

Masks = npt.NDArray[np.bool_]
Priors = tuple[BettiPrior, ...] | PriorTable | None
"""One for each class, or those of a table, or none: then each label says what is wanted."""

FOREGROUND = "foreground"  # the class of files that hold 0 and one other value
_SAME_GRID = 0.1  # mm; headers hold rounded numbers


@dataclass(frozen=True, eq=False)
class Scored:
    """What came of a pair.

    Attributes:
        rows: Of the result table, one for each slice and class.
        same_grid: Whether the affines agree, as far as both files have one.
        in_mm: Whether the label tells the size of its pixels.
        stray: If a class is in the label and not in the prediction, the values that the prediction holds.
    """

    rows: list[Row]
    same_grid: bool
    in_mm: bool
    stray: list[int]

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it; ``Scored(**dictionary)`` is the inverse."""
        return {"rows": self.rows, "same_grid": self.same_grid, "in_mm": self.in_mm, "stray": self.stray}


@dataclass(frozen=True)
class Scorer:
    """Reads and scores pairs.

    Attributes:
        classes: Name of each class to its values in the labels; None if the files are masks: 0 and one other value.
        predicted: The same for the predictions.
        priors: What is wanted.
        slices: The axis along which images are cut, or None.
        construction: Which pixels touch.
        boundary: What lies outside the images.
        measures: Which of those that compare with the label.
    """

    classes: Classes | None
    predicted: Classes | None
    priors: Priors
    slices: int | None
    construction: Construction
    boundary: Boundary
    measures: tuple[Measure, ...]

    @property
    def names(self) -> list[str]:
        """Of the classes."""
        return list(self.classes or {FOREGROUND: ()})

    def as_dict(self) -> dict[str, Any]:
        """All that the scores depend on, as JSON takes it."""
        priors: Any = self.priors
        if isinstance(priors, PriorTable):
            priors = [[*key, str(prior)] for key, (_, prior) in priors.rows.items()]
        elif priors is not None:
            priors = [str(prior) for prior in priors]
        return {**{entry.name: getattr(self, entry.name) for entry in fields(self)}, "priors": priors}

    def __call__(self, pair: Pair) -> Scored:
        """The rows of a pair.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If a file is broken, the shapes differ, or the priors do not fit.
        """
        prediction, label = self.read(pair)
        ours, theirs = self.masks(prediction, self.predicted), self.masks(label, self.classes)
        options: Any = {"construction": self.construction, "boundary": self.boundary}
        target_betti = betti_numbers(theirs, **options)
        wanted = self.wanted(pair, target_betti)
        spacing = self._spacing(label, ours.ndim - 2)
        rows = score(
            ours,
            theirs,
            wanted,
            cases=[self.case(pair, index) for index in range(len(ours))],
            classes=self.names,
            spacing=spacing,
            measures=self.measures,
            **options,
        )
        verdicts = self._verdicts(pair, wanted, ours, theirs)
        for row, place in zip(rows, np.ndindex(ours.shape[:2]), strict=True):
            prior = wanted[place[0]][place[1]]
            row |= {"wanted": str(prior), "file": pair.name}
            row |= {f"target_betti_{k}": number for k, number in enumerate(target_betti[place].tolist())}
            row["target_success"] = None if self.priors is None else int(prior.is_satisfied_by(target_betti[place]))
            row |= {"pixels": int(ours[place].sum()), "target_pixels": int(theirs[place].sum())}
            row |= {name: int(right[place]) for name, right in verdicts.items()}
        missing = (_anywhere(theirs) & ~_anywhere(ours)).any()
        return Scored(
            rows, _on_one_grid(prediction, label), spacing is not None, _values(prediction) if missing else []
        )

    def _verdicts(
        self, pair: Pair, wanted: list[list[BettiPrior]], ours: Masks, theirs: Masks
    ) -> dict[str, torch.Tensor]:
        """Whether the topology is right, of predictions and labels, under every convention."""
        found = {}
        for setting in SETTINGS:
            betti, target_betti = (betti_numbers(masks, **setting._asdict()) for masks in (ours, theirs))
            prior = (
                self.wanted(pair, target_betti)
                if self.priors is None
                else prior_for(wanted, setting.boundary, written_for=self.boundary)
            )
            for name, numbers in ((setting.column, betti), (f"target_{setting.column}", target_betti)):
                found[name] = distance_to_prior(numbers, prior).sum(-1) == 0
        return found

    def _spacing(self, label: Image, axes: int) -> tuple[float, ...] | None:
        """Millimetres along the axes of a slice, or of the image if it is not cut."""
        if label.spacing is None:
            return None
        return tuple(size for axis, size in enumerate(label.spacing) if axis != self.slices)[:axes]

    def read(self, pair: Pair) -> tuple[Image, Image]:
        """Prediction and label.

        Raises:
            OSError, ValueError, ImportError: As :func:`topoprior.imaging.io.read_image`.
            ValueError: If their shapes differ.
        """
        prediction, label = read_image(pair.prediction), read_image(pair.label)
        if prediction.array.shape != label.array.shape:
            raise ValueError(
                f"a prediction and its label must have one shape, got {prediction.array.shape} in {prediction.path} "
                f"and {label.array.shape} in {label.path}"
            )
        return prediction, label

    def masks(self, image: Image, classes: Classes | None) -> Masks:
        """One mask for each slice and class, shape ``(slices, class, *slice)``."""
        if classes is None:
            return image.cut(image.foreground()[0], self.slices)[:, None]
        numbers = image.cut(class_numbers(image, classes), self.slices)
        return np.stack([numbers == number for number in range(1, len(classes) + 1)], axis=1)

    def wanted(self, pair: Pair, target_betti: torch.Tensor) -> list[list[BettiPrior]]:
        """The prior of each slice and class; without priors the label's own Betti numbers."""
        slices, classes = target_betti.shape[:2]
        if self.priors is None:
            return [[BettiPrior(*numbers) for numbers in each] for each in target_betti.tolist()]
        if isinstance(self.priors, PriorTable):
            indices = [None] if self.slices is None else list(range(slices))
            return [[_from_table(self.priors, pair, index)] * classes for index in indices]
        return [list(self.priors)] * slices

    def case(self, pair: Pair, index: int) -> str:
        """What the tables call a slice, or the whole image if it is not cut."""
        return pair.name if self.slices is None else f"{pair.name}, slice {index}"


def _from_table(table: PriorTable, pair: Pair, index: int | None) -> BettiPrior:
    """The prior of the prediction's file, or else of the label's."""
    try:
        return table.prior(pair.prediction, slice_index=index)
    except ValueError:
        if "file" not in table.columns or pair.label.name == pair.prediction.name:
            raise
    return table.prior(pair.label, slice_index=index)


def _anywhere(masks: Masks) -> Masks:
    """Which classes have a pixel."""
    return np.asarray(masks.any(axis=(0, *range(2, masks.ndim))))


def _on_one_grid(prediction: Image, label: Image) -> bool:
    if prediction.affine is None or label.affine is None:
        return True
    corners = np.array([*np.ndindex((2,) * 3)]) * [*prediction.shape, 1, 1][:3]
    apart = [_places(corners, image.affine) for image in (prediction, label)]
    return bool(np.abs(apart[0] - apart[1]).max() < _SAME_GRID)


def _places(corners: Array, affine: Array | None) -> Array:
    """Corners in millimetres."""
    matrix = np.eye(4) if affine is None else affine
    return np.asarray(corners @ matrix[:3, :3].T + matrix[:3, 3])


def _values(image: Image) -> list[int]:
    return [int(value) for value in np.unique(image.array) if value and value == int(value)]
