"""Which images are meant: files, and folders of them."""

from collections.abc import Sequence
from pathlib import Path


def images_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and in place of each folder all images in it, sorted by name; each once.

    Hidden files and folders inside folders are left alone.

    Raises:
        ValueError: If a folder holds no image.

    Examples:
        >>> images_of([Path("b.npy"), Path("a.png"), Path("b.npy")]) == [Path("b.npy"), Path("a.png")]
        True
    """
    found = (image for path in paths for image in (_images_in(path) if path.is_dir() else [path]))
    return list(dict.fromkeys(found))


def _images_in(folder: Path) -> list[Path]:
    from topoprior.imaging.io import ENDINGS

    images = [
        path
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
    ]
    if not images:
        raise ValueError(f"{folder} holds no image: no file ends in {', '.join(ENDINGS)}")
    return images
