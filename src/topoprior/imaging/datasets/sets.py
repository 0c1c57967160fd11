"""All images of a training run: labelled, validation and unlabelled ones, checked and in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from topoprior.imaging.datasets.classes import Classes, find_classes
from topoprior.imaging.datasets.folders import load_cases
from topoprior.imaging.datasets.pairs import (
    ImageFiles,
    files_at,
    has_channel_numbers,
    labelled_images,
    stem_of,
    unlabelled_images,
)
from topoprior.imaging.datasets.priors import CasePriors, read_priors
from topoprior.imaging.datasets.settings import DataSettings
from topoprior.imaging.datasets.split import split_files
from topoprior.training.cases import Cases

Report = Callable[[str, int, int], None]
"""Called with what is read, how many files of it are done, and how many there are."""


@dataclass(frozen=True, eq=False)
class Sets:
    """What a training run learns from and is judged by.

    Attributes:
        labelled: With labels.
        validation: With labels, and priors if there are some.
        unlabelled: With priors if there are some; None if they are not asked for.
        classes: Name to values in the labels.
        channel_numbers: Whether file names end in the number of the channel.
    """

    labelled: Cases
    validation: Cases
    unlabelled: Cases | None
    classes: Classes
    channel_numbers: bool


def load_sets(data: DataSettings, *, unlabelled: bool, seed: int = 0, report: Report | None = None) -> Sets:
    """Find, pair, check, read and prepare all images of a run.

    Everything that can be told from names alone is checked before the first image is read.

    Args:
        data: Where they are and what is known of them.
        unlabelled: Whether the run learns from unlabelled images.
        seed: Of the split into training and validation.
        report: Told how far the reading is.

    Raises:
        OSError: If a folder or file is missing or cannot be read.
        ValueError: If files do not go together, an image is in training and validation both, or as
            `topoprior.imaging.datasets.folders.load_cases`.
        ImportError: If the library of a format is missing.
    """
    labelled = labelled_images(data.images, data.labels)
    numbered = len(labelled[0].channels) > 1 or labelled[0].name != labelled[0].channels[0].name
    if data.validation.images is not None and data.validation.labels is not None:
        train, held = labelled, labelled_images(data.validation.images, data.validation.labels)
        _check_apart(train, held)
    else:
        train, held = split_files(labelled, share=data.validation.share, group=data.validation.group, seed=seed)
    others: list[ImageFiles] | None = None
    if unlabelled and data.unlabelled is not None:
        files = files_at(data.unlabelled)
        others = unlabelled_images(files, channels=numbered and has_channel_numbers(map(stem_of, files)))
    labels = [one.label for one in (*train, *held) if one.label is not None]
    classes = find_classes(data.class_values, images=data.images, labels=labels)
    priors = None if data.prior is None else read_priors(data.prior, list(classes))

    def load(what: str, files: Sequence[ImageFiles], classes: Classes | None, priors: CasePriors | None) -> Cases:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if report is not None:
                report(what, done, len(files))

        return load_cases(files, preparation=data.preparation, classes=classes, priors=priors, advance=advance)

    return Sets(
        load("labelled images", train, classes, None),
        load("validation images", held, classes, priors),
        None if others is None else load("unlabelled images", others, None, priors),
        classes,
        numbered,
    )


def _check_apart(train: Sequence[ImageFiles], held: Sequence[ImageFiles]) -> None:
    """Refuse images that are trained on and judged by, under whatever name."""
    known = {path.resolve(): path for one in train for path in one.channels}
    both = [path for one in held for path in one.channels if path.resolve() in known]
    if both:
        raise ValueError(f"{len(both)} of the validation images are trained on too, the first is {both[0]}")
