"""Which prediction belongs to which label, and to which image and probability map."""

from dataclasses import dataclass
from pathlib import Path

from topoprior.imaging.datasets.pairs import ImageFiles, labelled_images, stem_of


@dataclass(frozen=True)
class Pair:
    """The files of one case.

    Attributes:
        prediction: The mask to judge.
        label: The right one.
        image: What was segmented, for the report; None if it is not given.
        probability: From which the prediction was cut, for the report; None if it is not given.
    """

    prediction: Path
    label: Path
    image: Path | None = None
    probability: Path | None = None

    @property
    def name(self) -> str:
        """The prediction's name without its ending: what tables call the case."""
        return stem_of(self.prediction)

    @property
    def files(self) -> tuple[Path, Path]:
        """Those that its scores come from."""
        return self.prediction, self.label


def find_pairs(
    predictions: Path, labels: Path, *, images: Path | None = None, probabilities: Path | None = None
) -> list[Pair]:
    """The pairs in two folders, or one pair of files.

    Args:
        predictions: A folder, a pattern or a file.
        labels: The same for the labels; names as in :mod:`topoprior.imaging.datasets.pairs`.
        images: Of several channels the first is taken. A folder or pattern, or a file for a file.
        probabilities: The same, named after the predictions.

    Raises:
        FileNotFoundError: If there is no such folder or file.
        ValueError: If something has no partner.
    """
    found = _partners(predictions, labels)
    image_of = {} if images is None else {each.label: each.channels[0] for each in _partners(images, labels)}
    map_of = {}
    if probabilities is not None:
        map_of = {each.label: each.channels[0] for each in _partners(probabilities, predictions)}
    return [
        Pair(each.channels[0], label, image_of.get(label), map_of.get(each.channels[0]))
        for each in found
        if (label := each.label) is not None
    ]


def _partners(first: Path, second: Path) -> list[ImageFiles]:
    if first.is_file() and second.is_file():
        return [ImageFiles(first.name, (first,), second)]
    return labelled_images(first, second)
