"""Read and write images with their geometry: NIfTI (.nii, .nii.gz), PNG (.png) and NPY (.npy).

Masks and label maps are written as uint8 and probabilities as float32 (in PNG: masks as 0 and 255, probabilities as
16-bit gray values), with the shape, affine and header of the image they belong to. Every file appears whole or not at
all.
"""

import gzip
import importlib
import math
import tokenize
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.imaging.image import Array, Image
from topoprior.imaging.new_file import new_file

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDINGS = (".nii.gz", ".nii", ".png", ".npy")
_MOST_PIXELS = 2**29  # more than the engine takes; a broken header can claim any number


def ending(path: Path) -> str:
    """The ending that names the format: one of :data:`ENDINGS`.

    Raises:
        ValueError: If the file name has none of them.

    Examples:
        >>> ending(Path("patient001.frame01.nii.gz"))
        '.nii.gz'
    """
    for known in ENDINGS:
        if path.name.lower().endswith(known):
            return known
    raise ValueError(f"{path}: the file name must end in {', '.join(ENDINGS)}")


def read_image(path: str | Path) -> Image:
    """Read an image of 1 to 3 spatial axes as it is stored.

    NIfTI values are scaled by the header's slope and intercept; PNG must be grayscale with 8 or 16 bits. Axes of
    size 1 at the end of the shape are left out down to two axes, so ``(256, 216, 1, 1)`` is a 2-D image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read as what its name says, holds pickled objects, is no grayscale image, or
            has no pixels, too many axes, values that are no real numbers, NaN or infinities.
        ImportError: If nibabel or Pillow is missing: ``pip install 'topoprior[io]'``.

    Examples:
        >>> read_image("missing.npy")
        Traceback (most recent call last):
        FileNotFoundError: missing.npy does not exist
    """
    return read_values(Path(path), axes=3)


def read_values(path: Path, *, axes: int) -> Image:
    """As :func:`read_image`, with more axes; what they mean is for the caller to say."""
    read = {".nii.gz": _read_nifti, ".nii": _read_nifti, ".png": _read_png, ".npy": _read_npy}[ending(path)]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder" if path.is_dir() else f"{path} does not exist")
    return read(path, axes)


def write_mask(path: str | Path, mask: Array, *, like: Image | None = None, overwrite: bool = False) -> None:
    """Write a mask as uint8: 0 and 1, in a PNG 0 and 255.

    Args:
        path: Its ending names the format.
        mask: Boolean, shape of ``like.array``.
        like: The image that the mask belongs to; its shape, affine and header are kept where the format has them.
        overwrite: Replace a file that exists.

    Raises:
        OSError: If the file exists and ``overwrite`` is False, or cannot be written.
        ValueError: If the format cannot hold the mask.
    """
    white = 255 if ending(Path(path)) == ".png" else 1
    _write(Path(path), np.asarray(mask, dtype=np.uint8) * np.uint8(white), like, overwrite)


def write_labels(path: str | Path, labels: Array, *, like: Image | None = None, overwrite: bool = False) -> None:
    """Write a label map as uint8, its values as they are, in a PNG too.

    Arguments and errors as :func:`write_mask`; ``labels`` has whole numbers from 0 to 255.
    """
    _write(Path(path), np.asarray(labels, dtype=np.uint8), like, overwrite)


def write_probability(
    path: str | Path, probability: Array, *, like: Image | None = None, overwrite: bool = False
) -> None:
    """Write a probability map as float32, in a PNG as 16-bit gray values (probability x 65535, rounded).

    Arguments and errors as :func:`write_mask`; ``probability`` has values in [0, 1].
    """
    values = np.asarray(probability, dtype=np.float32)
    if ending(Path(path)) == ".png":
        values = np.rint(values * 65535).astype(np.uint16)
    _write(Path(path), values, like, overwrite)


def check_format(path: Path, axes: int) -> None:
    """Refuse an output format that cannot hold an image of so many axes.

    Raises:
        ValueError: If a PNG is asked to hold anything but two axes, or the ending is unknown.
    """
    if ending(path) == ".png" and axes != 2:
        raise ValueError(f"{path}: a PNG holds an image with 2 axes, got {axes}; write .npy or .nii.gz")


def _write(path: Path, values: Array, like: Image | None, overwrite: bool) -> None:
    check_format(path, values.ndim)
    write = {".nii.gz": _write_nifti, ".nii": _write_nifti, ".png": _write_png, ".npy": _write_npy}[ending(path)]
    if like is not None and ending(path) != ".png":
        values = values.reshape(like.shape)
    with new_file(path, overwrite=overwrite) as temporary:
        write(temporary, values, like)


def _read_nifti(path: Path, axes: int) -> Image:
    nibabel = _library("nibabel")
    with _errors_named(path, "NIfTI", nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError):
        file = nibabel.load(path)
        if not isinstance(file, nibabel.Nifti1Image):
            raise ValueError(f"its content is {type(file).__name__}")
        _check_shape(file.shape, file.get_data_dtype(), axes)
        if ending(path) == ".nii.gz":
            _check_sum(path)
        values = _native(np.asanyarray(file.dataobj))
    array = values.reshape(without_trailing_ones(values.shape))
    return _checked(Image(array, path, shape=values.shape, affine=file.affine, header=file.header))


def _read_png(path: Path, _: int) -> Image:
    images = _library("PIL.Image")
    with (
        _errors_named(path, "PNG", images.DecompressionBombError, SyntaxError),
        images.open(path, formats=["PNG"]) as file,
    ):
        if file.mode not in {"1", "L", "I;16", "I"}:
            raise ValueError(f"it must be grayscale without transparency, got mode {file.mode}")
        values = np.asarray(file)
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
    full_scale = 255 if values.dtype == np.uint8 else 65535
    return _checked(Image(values, path, shape=values.shape, full_scale=full_scale))


def _read_npy(path: Path, axes: int) -> Image:
    with _errors_named(path, "NPY", tokenize.TokenError, SyntaxError, OverflowError):  # of a broken header
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin as such files do")
        # Mapping compares the header's claim with the file's size before any memory is taken, and opens no pickles.
        mapped = np.lib.format.open_memmap(path, mode="r")
        _check_shape(mapped.shape, mapped.dtype, axes)
        values = _native(mapped)
    return _checked(Image(values.reshape(without_trailing_ones(values.shape)), path, shape=values.shape))


def _checked(image: Image) -> Image:
    """The image itself, if all its values are finite."""
    bad = ~np.isfinite(image.array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{image.path}: values must be finite, got {image.array[first]} at index {first}, {bad.sum()} such values"
        )
    return image


def _native(values: Array) -> Array:
    """A copy in this machine's byte order, floats as float32 or float64: what torch knows."""
    if values.dtype.kind == "f":
        return np.array(values, dtype=np.float32 if values.dtype.itemsize <= 4 else np.float64)
    return np.array(values, dtype=values.dtype.newbyteorder("="))


def _check_sum(path: Path) -> None:
    """Read a gzip file to its end, where its check sum is: nibabel stops before, and a damaged image would pass."""
    with gzip.open(path) as file:
        while file.read(2**20):
            pass


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], most: int) -> None:
    """Refuse what no reading could make an image of, before its values are read."""
    if dtype.kind not in "biuf":
        raise ValueError(f"its values must be real numbers, got {dtype}")
    if not shape or min(shape) < 1:
        raise ValueError(f"it must have at least one pixel and one axis, got shape {shape}")
    if len(without_trailing_ones(shape)) > most:
        what = "spatial axes" if most == 3 else "axes"
        raise ValueError(f"it must have 1 to {most} {what}, got shape {shape}")
    if math.prod(shape) > _MOST_PIXELS:
        raise ValueError(f"it must have at most 2^29 pixels, got shape {shape}")


def without_trailing_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without axes of size 1 at its end, but with two axes at least."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


@contextmanager
def _errors_named(path: Path, form: str, *kinds: type[Exception]) -> "Iterator[None]":
    """Turn what a library raises over a broken file into one ValueError that names file and format."""
    broken: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, zlib.error, *kinds)
    try:
        yield
    except broken as error:
        raise ValueError(f"{path} cannot be read as {form}: {error}") from error


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name.split('.')[0]} reads and writes such files: pip install 'topoprior[io]'") from error


def _write_nifti(path: Path, values: Array, like: Image | None) -> None:
    nibabel = _library("nibabel")
    if like is None or like.header is None:
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
        return
    header = like.header.copy()
    header.set_data_dtype(values.dtype)
    header["cal_min"], header["cal_max"] = 0, 0  # the grey window of the image does not suit its mask
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    nibabel.save(kind(values, like.affine, header), path)


def _write_png(path: Path, values: Array, _: Image | None) -> None:
    _library("PIL.Image").fromarray(values).save(path)


def _write_npy(path: Path, values: Array, _: Image | None) -> None:
    np.save(path, values, allow_pickle=False)
