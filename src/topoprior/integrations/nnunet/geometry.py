"""Where nnU-Net's arrays lie: from its axes to those of an image file.

nnU-Net has ``(channel, z, y, x)``, as SimpleITK counts; an exported prediction is back in the shape of the image, not
cropped, resampled or transposed any more. Files and nibabel have ``(x, y, z)``. Readers whose name ends in
``WithReorient`` turn the axes first, and turn masks back when these are written, but not exported probabilities.
2-D images have one slice, of which PNG keeps rows and columns as they are.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import without_trailing_ones

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def in_file_order(
    array: Array, properties: Mapping[str, Any], *, like: Image | None, path: Path
) -> tuple[Array, Image]:
    """An array of nnU-Net as a file has it, and the image that gives the file its geometry.

    Args:
        array: Shape ``(channel, z, y, x)``.
        properties: What nnU-Net keeps beside it.
        like: An image on the grid that is wanted; None: the grid of the array itself.
        path: For the image, if there is none, and for errors.

    Raises:
        ValueError: If the image has another shape.
        ImportError: If nibabel is missing.
    """
    affine = affine_of(properties)
    if affine is None:
        placed = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 3, 2, 1)
    else:
        placed = array.transpose(0, 3, 2, 1)
        if like is not None and like.affine is not None:
            placed = _turned(placed, affine, like.affine)
    if like is None:
        like = _image(placed[0], affine, path)
    spatial = without_trailing_ones(placed.shape[1:])
    if spatial != like.array.shape:
        raise ValueError(f"{path}: probabilities have shape {spatial}, but {like.path} has {like.array.shape}")
    return np.ascontiguousarray(placed.reshape(len(placed), *spatial)), like


def affine_of(properties: Mapping[str, Any]) -> Array | None:
    """From voxels ``(x, y, z)`` of nnU-Net's arrays to millimetres; None for images without a place in space.

    Examples:
        >>> sitk = {"spacing": (2.0, 3.0), "origin": (1.0, 5.0), "direction": (1.0, 0.0, 0.0, 1.0)}
        >>> affine_of({"sitk_stuff": sitk})[:2]
        array([[-2.,  0.,  0., -1.],
               [ 0., -3.,  0., -5.]])
    """
    if "nibabel_stuff" in properties:
        stuff = properties["nibabel_stuff"]
        return np.asarray(stuff.get("reoriented_affine", stuff["original_affine"]), dtype=np.float64)
    if "sitk_stuff" not in properties:
        return None
    stuff = properties["sitk_stuff"]
    axes = len(stuff["spacing"])
    affine = np.eye(4)
    affine[:axes, :axes] = np.reshape(stuff["direction"], (axes, axes)) @ np.diag(stuff["spacing"])
    affine[:axes, 3] = stuff["origin"]
    turned: Array = _LPS_TO_RAS @ affine + 0.0  # no zeros with a sign
    return turned


def read_properties(path: Path) -> dict[str, Any]:
    """The .pkl that nnU-Net writes beside probabilities: plain values and arrays; nothing else is let in.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it holds anything else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: nnU-Net writes it with --save_probabilities, beside the .npz")
    try:
        with path.open("rb") as file:
            found = _PlainUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as properties of nnU-Net: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a dictionary, got {type(found).__name__}")
    return found


class _PlainUnpickler(pickle.Unpickler):
    """Knows arrays and numbers of numpy only: a pickle can otherwise run anything."""

    def find_class(self, module: str, name: str) -> Any:
        parts = module.replace("numpy.core", "numpy._core")
        allowed = {
            "numpy": ("ndarray", "dtype"),
            "numpy._core.multiarray": ("_reconstruct", "scalar"),
            "numpy._core.numeric": ("_frombuffer",),
            "collections": ("OrderedDict",),
        }
        if name in allowed.get(parts, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds a {module}.{name}")


def _turned(array: Array, affine: Array, wanted: Array) -> Array:
    """With the axes of one affine turned to those of another, by right angles."""
    from nibabel.orientations import apply_orientation, io_orientation, ornt_transform

    change = ornt_transform(io_orientation(affine), io_orientation(wanted))
    return np.stack([apply_orientation(channel, change) for channel in array])


def _image(values: Array, affine: Array | None, path: Path) -> Image:
    array = values.reshape(without_trailing_ones(values.shape))
    if affine is None:
        return Image(array, path, shape=values.shape)
    import nibabel

    header = nibabel.Nifti1Image(values, affine).header
    return Image(array, path, shape=values.shape, affine=affine, header=header)
