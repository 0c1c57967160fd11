"""Keep some of the labelled images for validation, whole groups of them."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from topoprior.imaging.datasets.pairs import ImageFiles


def split_files(
    files: Sequence[ImageFiles], *, share: float, group: str | None = None, seed: int = 0
) -> tuple[list[ImageFiles], list[ImageFiles]]:
    r"""Images to train on and images to validate on, in their old order.

    Args:
        files: All of them.
        share: Of the groups that go to validation, rounded, at least one.
        group: A regular expression; images in whose path it finds the same text stay together (the text of its first
            parenthesis, if it has one). None: each image is a group of its own.
        seed: Of the draw.

    Raises:
        ValueError: If the expression finds nothing in a path, or there are fewer than two groups.

    Examples:
        >>> files = [ImageFiles(f"patient{n}_{phase}.png", (Path(f"patient{n}_{phase}.png"),))
        ...     for n in range(4) for phase in ("ed", "es")]
        >>> train, validation = split_files(files, share=0.25, group=r"patient\d+")
        >>> len(train), [image.name.split("_")[1] for image in validation]
        (6, ['ed.png', 'es.png'])
    """
    groups = [_group(one.path, group) for one in files]
    names = sorted(set(groups))
    if len(names) < 2:
        what = "one image" if group is None else f"one group ({names[0]!r}, by the expression {group!r})"
        raise ValueError(f"validation must have a share of the labelled images, but there is only {what}")
    random.Random(seed).shuffle(names)
    held = set(names[: min(max(1, round(share * len(names))), len(names) - 1)])
    train = [one for one, name in zip(files, groups, strict=True) if name not in held]
    return train, [one for one, name in zip(files, groups, strict=True) if name in held]


def _group(path: Path, expression: str | None) -> str:
    if expression is None:
        return str(path)
    match = re.search(expression, path.as_posix())
    if match is None:
        raise ValueError(f"{path}: the expression of the groups, {expression!r}, finds nothing in it")
    return str(match.group(1 if match.re.groups else 0))
