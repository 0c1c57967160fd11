"""The pictures of a report on labels: a case that breaks a prior, seen on its label map."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from topoprior.cli.audit.label_counter import LabelCounter
from topoprior.cli.output.planes import shown_axes
from topoprior.evaluation.connectivity import Setting
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import read_image
from topoprior.priors.audit import Breaker
from topoprior.viewing.labels import broken_label
from topoprior.viewing.orientation import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class BreakerPictures:
    """Draws cases that break priors.

    Attributes:
        counter: That read their labels.
        names: Of all classes, without the background.
        setting: Under which they break them.
        places: Name of each case to its file and slice.
        images: Label file to what was labelled, as far as there are images.
    """

    counter: LabelCounter
    names: list[str]
    setting: Setting
    places: Mapping[str, tuple[str, int | None]]
    images: Mapping[str, Path]

    def __call__(self, breaker: Breaker) -> "Figure":
        """The worst of what a case breaks.

        Raises:
            OSError, ValueError: If its file can no longer be read, or has one axis.
        """
        file, index = self.places[breaker.case]
        image = read_image(Path(file))
        numbers, names = self.counter.read(image)
        order = np.array([0, *(self.names.index(name) + 1 for name in names)])  # files may hold different classes
        labels = image.cut(order[numbers], self.counter.slices)[index or 0]
        picture = self._picture(file, index, image)
        axis, axes = shown_axes(image, labels.ndim, self.counter.slices)
        worst = breaker.broken[0]
        return broken_label(
            np.moveaxis(labels, axis, 0),
            worst.union,
            worst.prior,
            picture=None if picture is None else np.moveaxis(picture, axis, 0),
            construction=self.setting.construction,
            boundary=self.setting.boundary,
            view=View.of(image.affine, axes, spacing=image.spacing),
        )

    def _picture(self, file: str, index: int | None, label: Image) -> Array | None:
        if file not in self.images:
            return None
        image = read_image(self.images[file])
        if image.array.shape != label.array.shape:
            raise ValueError(
                f"{image.path} must have the shape {label.array.shape} of its label, got {image.array.shape}"
            )
        picture: Array = image.cut(image.array, self.counter.slices)[index or 0]
        return picture
