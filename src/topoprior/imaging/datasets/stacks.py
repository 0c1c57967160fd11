"""Stacks of slices in files and folders, each with its ground truth if that lies beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from topoprior.imaging.datasets.pairs import stem_of, without_label_word
from topoprior.imaging.io import ENDINGS, ending


@dataclass(frozen=True)
class StackFiles:
    """A stack.

    Attributes:
        image: What a person looks at.
        label: Its ground truth; None if there is none.
    """

    image: Path
    label: Path | None


def find_stacks(paths: Sequence[Path]) -> list[StackFiles]:
    """The stacks among files and in folders, in the order of the arguments and by name, each once.

    Of a folder all images count, or, if it holds none, those of the folders in it, as ``patient001`` of the ACDC
    challenge; whole sequences (``_4d``) do not. ``a_gt.nii.gz`` is the ground truth of ``a.nii.gz``; other words at the
    end that mean a label are known too.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder holds no image, or a file is of another kind.
    """
    found: dict[Path, StackFiles] = {}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        if not path.is_dir():
            ending(path)
        for image in _in_folder(path) if path.is_dir() else [path]:
            found.setdefault(image, StackFiles(image, _label_of(image)))
    return list(found.values())


def _in_folder(folder: Path) -> list[Path]:
    images = _images(folder) or [
        image for place in sorted(folder.iterdir()) if place.is_dir() for image in _images(place)
    ]
    if not images:
        raise ValueError(f"{folder} holds no image ({', '.join(ENDINGS)}), nor do the folders in it")
    return images


def _images(folder: Path) -> list[Path]:
    """By name, without labels and sequences."""
    named = {
        path: stem_of(path)
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
    }
    stems = set(named.values())
    return [
        path
        for path, stem in named.items()
        if not stem.endswith("_4d") and (without_label_word(stem) == stem or without_label_word(stem) not in stems)
    ]


def _label_of(image: Path) -> Path | None:
    """The file beside it whose name is the same but for a word that means a label."""
    stem = stem_of(image)
    for path in sorted(image.parent.glob("*")):
        if path != image and path.name.lower().endswith(ENDINGS):
            other = stem_of(path)
            if other != stem and without_label_word(other) == stem:
                return path
    return None
