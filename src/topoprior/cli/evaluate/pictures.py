"""The pictures of a report on an evaluation: a row of the result table, seen on its image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from topoprior.cli.evaluate.pairs import Pair
from topoprior.cli.evaluate.scorer import Scorer
from topoprior.cli.output.planes import shown_axes
from topoprior.evaluation.result_table import Row
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.priors.betti_prior import BettiPrior
from topoprior.viewing.agreement import agreement
from topoprior.viewing.orientation import View

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Pictures:
    """Draws rows of the result table.

    Attributes:
        scorer: That made the rows.
        pairs: Their files.
    """

    scorer: Scorer
    pairs: Sequence[Pair]

    def __call__(self, row: Row) -> "Figure":
        """The case of a row: image, prediction and label, and the barcode if there are probabilities.

        Raises:
            OSError, ValueError: If a file cannot be read, does not fit, or has one axis.
        """
        pair, index = self._place(row)
        prediction, label = self.scorer.read(pair)
        which = self.scorer.names.index(str(row["class"]))
        ours, theirs = (
            self.scorer.masks(image, classes)[index, which]
            for image, classes in ((prediction, self.scorer.predicted), (label, self.scorer.classes))
        )
        picture = self._part(pair.image, label, index)
        probability = self._part(pair.probability, label, index, probability=True)
        axis, axes = shown_axes(label, ours.ndim, self.scorer.slices)
        parts = [None if part is None else np.moveaxis(part, axis, 0) for part in (picture, ours, theirs, probability)]
        return agreement(
            parts[0],
            parts[1],  # type: ignore[arg-type]  # only the image and the probability may be absent
            parts[2],  # type: ignore[arg-type]
            prior=BettiPrior.parse(str(row["wanted"])),
            probability=parts[3],
            construction=self.scorer.construction,
            boundary=self.scorer.boundary,
            view=View.of(label.affine, axes, spacing=label.spacing),
        )

    def _place(self, row: Row) -> tuple[Pair, int]:
        """The files of a row, and its slice (0 if images are not cut)."""
        pair = next(pair for pair in self.pairs if pair.name == row["file"])
        return pair, 0 if self.scorer.slices is None else int(str(row["case"]).rpartition(" ")[2])

    def _part(self, path: "Path | None", label: Image, index: int, *, probability: bool = False) -> Array | None:
        """What belongs to the slice in an image of the label's shape."""
        if path is None:
            return None
        image = read_image(path)
        if image.array.shape != label.array.shape:
            raise ValueError(f"{path} must have the shape {label.array.shape} of its label, got {image.array.shape}")
        part: Array = image.cut(image.probability() if probability else image.array, self.scorer.slices)[index]
        return part
