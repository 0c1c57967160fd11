"""Which files belong together: an image, its channels and its label.

Three layouts are told apart by the names alone:

====================  ===============================  =====================================
                      image                            label
====================  ===============================  =====================================
same names            ``a.nii.gz``                     ``a.nii.gz``, ``a.png``, ``a.npy`` ...
a word at the end     ``a.png``, ``a_image.png``       ``a_gt.png``, ``a-label.png``, ...
nnU-Net               ``a_0000.nii.gz, a_0001...``     ``a.nii.gz``
====================  ===============================  =====================================
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from topoprior.imaging.io import ENDINGS, ending

_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})$")
_IMAGE_WORD = re.compile(r"[_-](image|img)$", re.IGNORECASE)
_LABEL_WORD = re.compile(r"[_-](gt|labels?|masks?|seg|segmentation)$", re.IGNORECASE)
_NAMED_IN_ERRORS = 5


@dataclass(frozen=True)
class ImageFiles:
    """The files of one image.

    Attributes:
        name: The file's name; of several channels, their common one (``a.nii.gz`` for ``a_0000.nii.gz``).
        channels: One file for each channel.
        label: The label; None if it has none.
    """

    name: str
    channels: tuple[Path, ...]
    label: Path | None = None

    @property
    def path(self) -> Path:
        """The name in the folder of the image, by which tables of priors know it."""
        return self.channels[0].with_name(self.name)


def files_at(place: str | Path) -> list[Path]:
    """The image files in a folder or under a pattern, sorted by name.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no image, or a pattern fits a file of another kind.
    """
    text = str(place)
    if has_magic(text) and not Path(text).exists():
        found = [Path(path) for path in glob(text, recursive=True)]  # noqa: PTH207  # of absolute patterns too
        for path in found:
            ending(path)
    else:
        if not Path(text).is_dir():
            what = f"{text} is a file, not a folder" if Path(text).exists() else f"there is no folder {text}"
            raise FileNotFoundError(what)
        found = [path for path in Path(text).iterdir() if path.name.lower().endswith(ENDINGS)]
    found = sorted(path for path in found if path.is_file() and not path.name.startswith("."))
    if not found:
        raise ValueError(f"{text} holds no image ({', '.join(ENDINGS)})")
    return found


def without_label_word(stem: str) -> str:
    """A file name without its ending and without the word at its end that says that it is a label.

    Examples:
        >>> without_label_word("patient001_frame01_gt"), without_label_word("patient001_frame01")
        ('patient001_frame01', 'patient001_frame01')
    """
    return _LABEL_WORD.sub("", stem)


def labelled_images(images: str | Path, labels: str | Path) -> list[ImageFiles]:
    """Images with their labels, every one of them in a pair.

    Args:
        images: Folder or pattern.
        labels: Folder or pattern.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If one of them holds no image, an image has no label or a label no image, names repeat, or the
            channels of an image are not those of the others.
    """
    if Path(images) == Path(labels):
        raise ValueError(
            f"{images} is the place of images and labels both: tell them apart by patterns, such as "
            f"{images}/*_frame??.nii.gz and {images}/*_gt.nii.gz"
        )
    stems = _by_stem(files_at(images))
    label_of = _by_stem(files_at(labels))
    if has_channel_numbers(stems) and not stems.keys() & label_of.keys():
        cases = _by_channels(stems)
    else:
        cases = {stem: (path,) for stem, path in stems.items()}
    named = {stem: label_of.get(stem) for stem in cases}
    spare = _by_key(((stem, path) for stem, path in label_of.items() if stem not in cases), _LABEL_WORD)
    left = _by_key(((stem, cases[stem][0]) for stem, label in named.items() if label is None), _IMAGE_WORD)
    for key in left.keys() & spare.keys():
        named[left[key][0]] = spare.pop(key)[1]
    missing = [cases[stem][0].name for stem, label in named.items() if label is None]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(cases)} images in {images} have no label in {labels}: {_some(missing)}"
        )
    if spare:
        names = sorted(path.name for _, path in spare.values())
        raise ValueError(
            f"{len(names)} of {len(label_of)} labels in {labels} have no image in {images}: {_some(names)}"
        )
    return [ImageFiles(_name(stem, paths), paths, named[stem]) for stem, paths in cases.items()]


def unlabelled_images(files: Sequence[Path], *, channels: bool) -> list[ImageFiles]:
    """Images without labels.

    Args:
        files: Their files, in any order.
        channels: Whether names end in the number of a channel, ``_0000``, as nnU-Net's do.

    Raises:
        ValueError: If names repeat, or the channels of an image are not those of the others.

    Examples:
        >>> [image.name for image in unlabelled_images([Path("a_0000.png"), Path("a_0001.png")], channels=True)]
        ['a.png']
    """
    stems = _by_stem(files)
    if not channels:
        return [ImageFiles(path.name, (path,)) for path in stems.values()]
    if not has_channel_numbers(stems):
        wrong = [path.name for stem, path in stems.items() if not _CHANNEL.match(stem)]
        raise ValueError(f"names must end in the number of a channel, as in a_0000.nii.gz, got {_some(wrong)}")
    return [ImageFiles(_name(stem, paths), paths) for stem, paths in _by_channels(stems).items()]


def has_channel_numbers(stems: Iterable[str]) -> bool:
    """Whether all names without ending end as nnU-Net's images do.

    Examples:
        >>> has_channel_numbers(["heart_0000", "heart_0001"]), has_channel_numbers(["heart_0000", "lung"])
        (True, False)
    """
    return all(_CHANNEL.match(stem) for stem in stems)


def stem_of(path: Path) -> str:
    """The name without the ending of its format.

    Examples:
        >>> stem_of(Path("patient001.frame01.nii.gz"))
        'patient001.frame01'
    """
    return path.name[: -len(ending(path))]


def _by_stem(files: Iterable[Path]) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in files:
        stem = stem_of(path)
        if stem in stems:
            raise ValueError(f"two files have the name {stem}: {stems[stem]} and {path}")
        stems[stem] = path
    return stems


def _by_key(files: Iterable[tuple[str, Path]], word: re.Pattern[str]) -> dict[str, tuple[str, Path]]:
    """Stem and path under the stem without its last word."""
    keys: dict[str, tuple[str, Path]] = {}
    for stem, path in files:
        key = word.sub("", stem)
        if key in keys:
            raise ValueError(f"two files are named after {key}: {keys[key][1]} and {path}")
        keys[key] = (stem, path)
    return keys


def _by_channels(stems: Mapping[str, Path]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, dict[int, Path]] = {}
    for stem, path in stems.items():
        match = _CHANNEL.match(stem)
        if match is not None:
            found.setdefault(match["case"], {})[int(match["channel"])] = path
    most = max(len(channels) for channels in found.values())
    for case, channels in found.items():
        if sorted(channels) != list(range(most)):
            got = ", ".join(f"{number:04d}" for number in sorted(channels))
            raise ValueError(f"{case} must have the channels 0000 to {most - 1:04d} as other images do, got {got}")
    return {case: tuple(channels[number] for number in range(most)) for case, channels in found.items()}


def _name(stem: str, paths: tuple[Path, ...]) -> str:
    return f"{stem}{ending(paths[0])}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_IN_ERRORS
    return ", ".join(names[:_NAMED_IN_ERRORS]) + (f" and {more} more" if more > 0 else "")
