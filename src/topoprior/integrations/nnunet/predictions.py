"""Predictions that nnU-Net has written with ``--save_probabilities``: read, refined, and written as nnU-Net does."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.imaging.io import ENDINGS, read_image, write_labels
from topoprior.integrations.nnunet.geometry import in_file_order, read_properties
from topoprior.integrations.nnunet.labels import Labels, find_dataset
from topoprior.integrations.nnunet.regions import completed_regions, painted, region_row
from topoprior.refinement.guarantee import completed
from topoprior.refinement.probability_map import refine_map

if TYPE_CHECKING:
    from topoprior.imaging.image import Array, Image
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult

_ROUNDING = 0.01  # of half precision, and of averages over folds


@dataclass(frozen=True, eq=False)
class Prediction:
    """One case.

    Attributes:
        probability: Floating point, shape ``(channel, *spatial)``, spatial axes as in ``image.array``.
        image: The mask that nnU-Net wrote beside it, or else an image with the same geometry: the grid for masks.
        labels: What the channels are.
    """

    probability: Array
    image: Image
    labels: Labels


def read_prediction(path: str | Path, *, dataset: str | Path | None = None) -> Prediction:
    """Read ``case.npz`` with ``case.pkl`` beside it, as nnU-Net writes them with ``--save_probabilities``.

    Args:
        path: The .npz.
        dataset: The dataset.json; None: the one beside it or up to three folders above.

    Raises:
        FileNotFoundError: If one of the three is not there.
        ValueError: If one of them cannot be read, or they do not belong together.
        ImportError: If nibabel is missing: ``pip install 'topoprior[io]'``.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path}: probabilities of nnU-Net end in .npz")
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    labels = Labels.read(find_dataset(path.parent) if dataset is None else Path(dataset))
    probability = _probability(path, labels)
    properties = read_properties(path.with_suffix(".pkl"))
    mask = mask_beside(path)
    like = None if mask is None else read_image(mask)
    placed, image = in_file_order(probability, properties, like=like, path=path)
    return Prediction(placed, image, labels)


def refine_prediction(
    prediction: Prediction,
    prior: ClassPriors,
    *,
    guarantee: bool = False,
    threshold: float = 0.5,
    **options: Any,
) -> RefinementResult:
    """`topoprior.refine_map` of a prediction: of classes that exclude each other, or of regions that may overlap.

    Args:
        prediction: One case.
        prior: Of the classes, ``prediction.labels.priors({"wall": "1,1"})``; of regions each has one of its own.
        guarantee: Whether to edit what refinement leaves wrong, see `topoprior.guarantee`.
        threshold: At which the probabilities of regions are cut.
        **options: Of `topoprior.refine_map`.

    Returns:
        As `topoprior.refine_map` with class priors: ``result.labels`` is the place in ``prediction.labels.classes`` of
        each pixel, and Betti numbers are those of the entries of ``prior``. With regions they are counted in the label
        map, in which the later of two regions covers the earlier.

    Raises:
        TypeError, ValueError: As `topoprior.refine_map`; or if a prior is not about a region.
    """
    probability = torch.from_numpy(np.ascontiguousarray(prediction.probability))[None]
    return refined(probability, prior, prediction.labels, guarantee=guarantee, threshold=threshold, **options)


def write_prediction(
    path: str | Path, result: RefinementResult, prediction: Prediction, *, overwrite: bool = False
) -> None:
    """Write the label map with the values and the geometry of nnU-Net's own.

    Args:
        path: Its ending names the format.
        result: Of the refinement.
        prediction: What was refined.
        overwrite: Replace a file that exists.

    Raises:
        OSError: If it cannot be written, or is there and must not be replaced.
        ValueError: If the format cannot hold it.
    """
    values = prediction.labels.label_map(result.labels[0].cpu().numpy())
    write_labels(path, values, like=prediction.image, overwrite=overwrite)


def refined(
    probability: torch.Tensor, prior: ClassPriors, labels: Labels, *, guarantee: bool, threshold: float, **options: Any
) -> RefinementResult:
    """`refine_prediction` of the probabilities ``(1, channel, *spatial)`` themselves."""
    if not labels.has_regions:
        result = refine_map(probability, prior, threshold=threshold, **options)
    else:
        channels = refine_map(probability, region_row(prior, labels), threshold=threshold, **options)
        result = painted(channels, prior, labels, conventions_of(options, threshold))
    return completed_prediction(result, prior, labels, conventions_of(options, threshold)) if guarantee else result


def completed_prediction(
    result: RefinementResult, prior: ClassPriors, labels: Labels, conventions: dict[str, Any]
) -> RefinementResult:
    """The same if it succeeded, otherwise with its output edited."""
    if labels.has_regions:
        return completed_regions(result, prior, labels, conventions)
    return completed(result, prior, **conventions)


def conventions_of(options: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Those of the options that say how Betti numbers are counted, with their defaults."""
    return {
        "construction": options.get("construction", "T"),
        "boundary": options.get("boundary", "background"),
        "threshold": threshold,
    }


def _probability(path: Path, labels: Labels) -> Array:
    try:
        with np.load(path, allow_pickle=False) as file:
            if "probabilities" not in file.files:
                raise ValueError(f"it must hold 'probabilities', got {', '.join(file.files) or 'nothing'}")
            values: Array = file["probabilities"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as probabilities of nnU-Net: {error}") from error
    if values.dtype.kind != "f" or values.ndim != 4:
        got = f"{values.dtype} {values.shape}"
        raise ValueError(f"{path}: probabilities must be floating point (channel, z, y, x), got {got}")
    if len(values) != len(labels.names):
        raise ValueError(
            f"{path} has {len(values)} channels, but dataset.json has {len(labels.names)}: {', '.join(labels.names)}"
        )
    values = values.astype(np.float32)
    if not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):  # written so that NaN fails too
        raise ValueError(f"{path}: probabilities must lie in [0, 1], got {values.min():.4g} to {values.max():.4g}")
    values = values.clip(0, 1)
    if labels.has_regions:
        return values
    sums = values.sum(0)
    if np.abs(sums - 1).max() > _ROUNDING:
        raise ValueError(f"{path}: probabilities must sum to 1 over the channels, got sums from {sums.min():.4g} on")
    return np.asarray(values / sums)


def mask_beside(path: Path) -> Path | None:
    """The mask that nnU-Net wrote for a .npz, if it is there in a format that can be read."""
    places = [path.with_name(path.stem + ending) for ending in ENDINGS if ending != ".npy"]
    return next((place for place in places if place.is_file()), None)
