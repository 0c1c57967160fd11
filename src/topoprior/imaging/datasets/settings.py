"""Where the images of a training run are and what is known of them: plain data for a configuration file."""

import re
from dataclasses import dataclass, field

from topoprior.imaging.preparation import Preparation


@dataclass(frozen=True, kw_only=True)
class ValidationSettings:
    r"""The labelled images that training is judged by, never trained on.

    Attributes:
        images: Folder or pattern of images of its own; none takes a share of the labelled images.
        labels: Folder or pattern of their labels.
        share: This part of the labelled files, drawn by the seed, is kept for validation if there are no images of its
            own.
        group: A regular expression; files for which it finds the same text stay on one side of the split, as with
            ``patient\d+``. none: every file is drawn by itself.

    Raises:
        ValueError: If a value is out of its range or two contradict each other.
    """

    images: str | None = None
    labels: str | None = None
    share: float = 0.2
    group: str | None = None

    def __post_init__(self) -> None:
        if (self.images is None) != (self.labels is None):
            raise ValueError("images and labels of the validation go together: give both or none of them")
        if not 0 < self.share < 1:
            raise ValueError(f"share must be greater than 0 and less than 1, got {self.share}")
        if self.group is not None:
            if self.images is not None:
                raise ValueError("group is for a split of the labelled images, but the validation has its own images")
            try:
                re.compile(self.group)
            except re.error as error:
                raise ValueError(f"group must be a regular expression, got {self.group!r}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The images, and what is known of them.

    A place is a folder, or a pattern with ``*`` or ``?`` such as ``acdc/*/*_frame??.nii.gz``.

    Attributes:
        images: Place of the labelled images: .nii, .nii.gz, .png or .npy. In nnU-Net's layout, imagesTr.
        labels: Place of their labels, which have the names of the images or these with _gt, _label, _mask or _seg at
            the end. In nnU-Net's layout, labelsTr.
        unlabelled: Place of images without labels, for the methods prior and pseudo-labels.
        classes: Name of each class to its value in the labels, or to several values that count as one; all other
            values are background. none: the classes of nnU-Net's dataset.json, or else the one value besides 0.
        prior: Betti numbers of every unlabelled and validation image (or slice): components, loops and, in 3-D,
            cavities, as in "1,1". Or the name of a CSV file that has them for each file or slice. With several classes,
            one of the two for each class that has a prior, and for unions of classes, "MYO+LV".
        preparation: What files go through before the network sees them.
        validation: The images that training is judged by.

    Raises:
        ValueError: If there are no classes, a class has no value, or two classes share one.
    """

    images: str
    labels: str
    unlabelled: str | None = None
    classes: dict[str, int | tuple[int, ...]] | None = None
    prior: str | dict[str, str] | None = None
    preparation: Preparation = field(default_factory=Preparation)
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    def __post_init__(self) -> None:
        if self.classes is not None:
            check_classes({name: _values(value) for name, value in self.classes.items()})

    @property
    def class_values(self) -> dict[str, tuple[int, ...]] | None:
        """The classes with all their values; None if they are to be found out."""
        return None if self.classes is None else {name: _values(value) for name, value in self.classes.items()}


def check_classes(classes: dict[str, tuple[int, ...]]) -> None:
    """Refuse classes that cannot be told apart in a label map.

    Raises:
        ValueError: If there are none, more than 255, or one without a value, with a value below 1, or with the value of
            another one.

    Examples:
        >>> check_classes({"myocardium": (2,), "epicardium": (2, 3)})
        Traceback (most recent call last):
        ValueError: classes must have values of their own, got 2 for myocardium and epicardium
    """
    if not 1 <= len(classes) <= 255:
        raise ValueError(f"classes must be 1 to 255, got {len(classes)}")
    taken: dict[int, str] = {}
    for name, values in classes.items():
        if not values or min(values) < 1:
            raise ValueError(f"classes must have whole numbers from 1 in the labels, got {list(values)} for {name}")
        for value in values:
            if value in taken:
                raise ValueError(
                    f"classes must have values of their own, got {value} for {taken[value]} and {name}"
                    if taken[value] != name
                    else f"classes must have each value once, got {value} twice for {name}"
                )
            taken[value] = name


def _values(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else value
