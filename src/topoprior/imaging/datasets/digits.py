"""Handwritten digits: MNIST as its four IDX files, or scikit-learn's small digits where these cannot be had.

An IDX file is two zero bytes, the type of its values (8: bytes), the number of its axes, their lengths as big-endian
32-bit numbers, then the values. The four files may be compressed (``.gz``) or not; what they hold has to be MNIST, to
the last bit, which digests tell.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray
    from torch import Tensor

    Bytes = NDArray[np.uint8]

SIDE = 28
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


class IdxFile(NamedTuple):
    """One of the files of MNIST.

    Attributes:
        name: Without ``.gz``.
        compressed: SHA-256 of the file as the mirrors have it, with ``.gz``.
        content: SHA-256 of what it holds.
    """

    name: str
    compressed: str
    content: str


TRAINING = (
    IdxFile(
        "train-images-idx3-ubyte",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    IdxFile(
        "train-labels-idx1-ubyte",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
)
TEST = (
    IdxFile(
        "t10k-images-idx3-ubyte",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of digits.

    Attributes:
        images: Shape ``(digits, 1, 28, 28)``, float32 in [0, 1], bright on dark.
        labels: Shape ``(digits,)``, int64, 0 to 9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, places: Tensor | slice) -> Digits:
        """Some of them."""
        return Digits(self.images[places], self.labels[places])


class DigitSets(NamedTuple):
    """Two sets of digits by different writers, and where they come from."""

    training: Digits
    test: Digits
    source: str


def read_mnist(folder: str | os.PathLike[str]) -> DigitSets:
    """MNIST from its four files in a folder.

    Args:
        folder: Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, each with or without ``.gz``.

    Raises:
        FileNotFoundError: If there is no such folder, or a file is missing.
        ValueError: If a file is damaged, is no IDX file of images or labels, or is not that of MNIST. The message names
            the file.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place} is no folder; the four files of MNIST were to be there")
    return DigitSets(_digits(place, *TRAINING), _digits(place, *TEST), "MNIST")


def download_mnist(folder: str | os.PathLike[str] | None = None) -> DigitSets:
    """MNIST from a public mirror, downloaded once (11 MB) and kept.

    Each file is downloaded under a temporary name and moved into place when its digest is right.

    Args:
        folder: Where the files are kept; by default ``topoprior/mnist`` in the user's cache folder, which is
            ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux.

    Raises:
        OSError: If no mirror can be reached, or a file cannot be written.
        ValueError: If a file does not have its digest.
        ImportError: If pooch is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "downloading MNIST needs pooch: pip install 'topoprior[experiments]', or give the folder of its four files "
            "(--data)"
        ) from error
    place = Path(folder) if folder is not None else Path(pooch.os_cache("topoprior")) / "mnist"
    for file in (*TRAINING, *TEST):
        if not (place / file.name).is_file():
            _download(pooch, file, place)
    return read_mnist(place)


def small_digits(*, test: int = 597, seed: int = 0) -> DigitSets:
    """The 1797 digits of 8x8 pixels that come with scikit-learn, enlarged to 20x20 and framed to 28x28.

    A stand-in where MNIST is not to be had: other writers, smoother strokes, seventeen grey levels.

    Args:
        test: How many are for the test; the others are for training.
        seed: Of the order into which they are brought first.

    Raises:
        ValueError: If ``test`` is less than 1 or leaves nothing for training.
        ImportError: If scikit-learn is not installed.

    References:
        Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI Machine Learning Repository.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "the small digits need scikit-learn: pip install 'topoprior[experiments]', or give the folder of the four "
            "files of MNIST (--data)"
        ) from error
    stored = load_digits()
    count = len(stored.target)
    if not 1 <= test < count:
        raise ValueError(f"test must be at least 1 and less than the {count} digits there are, got {test}")
    images = torch.from_numpy(stored.images).float()[:, None] / 16
    large = torch.nn.functional.interpolate(images, size=(20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    framed = torch.nn.functional.pad(large, (4, 4, 4, 4))
    every = Digits(framed, torch.from_numpy(stored.target).long())
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    source = "scikit-learn's 8x8 digits, enlarged to 28x28"
    return DigitSets(every.select(order[test:]), every.select(order[:test]), source)


def read_idx(path: str | os.PathLike[str], *, axes: int) -> Bytes:
    """The bytes of an IDX file, compressed (``.gz``) or not.

    Args:
        path: The file.
        axes: How many it has to have: 3 for images, 1 for labels.

    Returns:
        A uint8 array of the stated shape.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decompressed, is no IDX file of bytes with so many axes, or is shorter or longer
            than it says.

    Examples:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "labels"
        >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        >>> read_idx(file, axes=1)
        array([7, 2, 1], dtype=uint8)
    """
    return _parsed(_content(Path(path)), axes, path)


def _content(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is truncated or damaged: it cannot be decompressed ({error})") from error


def _parsed(content: bytes, axes: int, path: object) -> Bytes:
    start = 4 + 4 * axes
    magic = bytes((0, 0, 8, axes))
    if content[:4] != magic:
        raise ValueError(
            f"{path} must be an IDX file of bytes with {axes} {'axis' if axes == 1 else 'axes'} and begin with "
            f"{magic.hex(' ')}, got {content[:4].hex(' ') or 'an empty file'}"
        )
    if len(content) < start:
        raise ValueError(f"{path} is truncated: its head must have {start} bytes, got {len(content)}")
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    expected = int(np.prod(shape, dtype=object))
    if len(content) - start != expected:
        wrong = "is truncated" if len(content) - start < expected else "goes on after its end"
        raise ValueError(
            f"{path} {wrong}: its head announces {' x '.join(map(str, shape))} = {expected} bytes, "
            f"got {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _digits(folder: Path, image_file: IdxFile, label_file: IdxFile) -> Digits:
    """Images and labels, after all checks: what a file is first, that it is MNIST's last."""
    paths = [_found(folder, file.name) for file in (image_file, label_file)]
    contents = [_content(path) for path in paths]
    images, labels = (_parsed(content, axes, path) for content, axes, path in zip(contents, (3, 1), paths, strict=True))
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"{paths[0]} must hold images of {SIDE} x {SIDE} pixels, got {images.shape[1:]}")
    if len(images) != len(labels) or not len(images):
        raise ValueError(
            f"there must be as many labels as images, and at least one, got {len(labels)} in {paths[1]} and "
            f"{len(images)} in {paths[0]}"
        )
    if labels.max() > 9:
        raise ValueError(f"{paths[1]} must hold labels from 0 to 9, got {labels.max()}")
    for file, content, path in zip((image_file, label_file), contents, paths, strict=True):
        digest = hashlib.sha256(content).hexdigest()
        if digest != file.content:
            raise ValueError(
                f"{path} is not the file of MNIST: the SHA-256 of what it holds must be {file.content}, got {digest}"
            )
    return Digits(torch.from_numpy(images.astype(np.float32) / 255)[:, None], torch.from_numpy(labels.astype(np.int64)))


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder} must hold {name} or {name}.gz, got neither")


def _download(pooch: Any, file: IdxFile, folder: Path) -> None:
    """From the first mirror that has it; pooch writes to a temporary name, and nothing if the digest is wrong."""
    name, unreachable = f"{file.name}.gz", []
    for mirror in MIRRORS:
        try:
            pooch.retrieve(mirror + name, f"sha256:{file.compressed}", fname=name, path=folder)
        except OSError as error:  # what requests raises, too
            unreachable.append(f"{mirror}: {_in_short(error)}")
        else:
            return
    raise OSError(
        f"{name} cannot be downloaded to {folder}; without a network, give the folder of the four files of MNIST "
        f"(--data). Tried {'; '.join(unreachable)}"
    )


def _in_short(error: OSError) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
