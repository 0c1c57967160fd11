"""How nnU-Net names images: ``case_0000.nii.gz``, with the number of the channel."""

from pathlib import Path

from topoprior.imaging.io import ending


def channel_file(first: Path, channel: int) -> Path:
    """The file of another channel of nnU-Net's image.

    Raises:
        ValueError: If the first is not named like one.

    Examples:
        >>> channel_file(Path("case_0000.nii.gz"), 1).name
        'case_0001.nii.gz'
    """
    stem, last = case_of(first)
    return first.with_name(f"{stem}_{channel:04d}{last}")


def case_of(first: Path) -> tuple[str, str]:
    """Name and ending of the case that the file of a first channel belongs to.

    Raises:
        ValueError: If it is not named like one.

    Examples:
        >>> case_of(Path("case_0000.nii.gz"))
        ('case', '.nii.gz')
    """
    last = ending(first)
    stem = first.name[: -len(last)]
    if not stem.endswith("_0000"):
        raise ValueError(f"{first}: nnU-Net's images are named case_0000{last}, with a number for the channel")
    return stem.removesuffix("_0000"), first.name[-len(last) :]
