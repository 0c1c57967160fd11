"""How far the surfaces of two masks are from each other, in millimetres.

**Surface**: the pixels of a mask that have a face neighbour outside the mask; what lies outside the image is outside
the mask, so a mask that is cut by the frame has a surface there. **Distance**: from the centre of a surface pixel to
the centre of the nearest surface pixel of the other mask. A single pixel is its own surface.

**Empty masks.** Two empty masks agree: 0. An empty mask against a non-empty one has no distance: infinity. Infinities
are counted and reported apart from the mean when scores are summarised (`topoprior.evaluation.aggregate`).

For masks that are not empty the numbers are those of MONAI's ``compute_hausdorff_distance(percentile=95)`` and
``compute_average_surface_distance(symmetric=True)``, which the tests compare with; but in float64, without a warning at
each call (they are not safe to silence in threads), and without NaN.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from topoprior.evaluation.masks import each_pair, mask_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from topoprior.topology.filtration import Images

    Array: TypeAlias = np.ndarray[Any, Any]


def hausdorff95(prediction: Images, target: Images, *, spacing: Sequence[float] | None = None) -> Tensor:
    """95 % Hausdorff distance of two masks, per image and channel: almost all of both surfaces is within it.

    The larger of the two 95th percentiles, of the distances from prediction to target and from target to prediction.
    (Some other programs pool both and take one percentile, which is smaller.)

    Args:
        prediction: Boolean or 0/1 valued mask, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        target: The mask to compare with, same shape.
        spacing: Millimetres per pixel along each spatial axis; None: distances are in pixels.

    Returns:
        Tensor of shape ``(batch, channel)`` in mm, float64: 0 if both masks are empty, infinity if one is.

    Raises:
        TypeError: If a mask is neither tensor nor array.
        ValueError: If the shapes differ, are wrong or empty, a mask holds other values than 0 and 1, or ``spacing``
            is not one positive number per spatial axis.
        ImportError: If SciPy is not installed.

    Examples:
        Two pixels, three columns apart, each 2 mm wide:

        >>> left, right = torch.tensor([[[[1, 0, 0, 0]]]]), torch.tensor([[[[0, 0, 0, 1]]]])
        >>> hausdorff95(left, right, spacing=(1.0, 2.0))
        tensor([[6.]], dtype=torch.float64)
        >>> hausdorff95(left, torch.zeros_like(left), spacing=(1.0, 2.0))
        tensor([[inf]], dtype=torch.float64)
    """
    return surface_measures(prediction, target, spacing=spacing)[0]


def average_surface_distance(prediction: Images, target: Images, *, spacing: Sequence[float] | None = None) -> Tensor:
    """Average symmetric surface distance of two masks, per image and channel.

    The mean over all surface pixels of both masks, each with its distance to the surface of the other mask.

    Args:
        prediction: Boolean or 0/1 valued mask, shape ``(batch, channel, *spatial)`` with 1 to 3 spatial axes.
        target: The mask to compare with, same shape.
        spacing: Millimetres per pixel along each spatial axis; None: distances are in pixels.

    Returns:
        Tensor of shape ``(batch, channel)`` in mm, float64: 0 if both masks are empty, infinity if one is.

    Raises:
        TypeError: As `hausdorff95`.
        ValueError: As `hausdorff95`.
        ImportError: If SciPy is not installed.

    Examples:
        A line of three pixels against its first pixel: 0, 1 and 2 pixels away, and 0 the other way round.

        >>> line, dot = torch.tensor([[[1, 1, 1]]]), torch.tensor([[[1, 0, 0]]])
        >>> average_surface_distance(line[..., None, :], dot[..., None, :])
        tensor([[0.7500]], dtype=torch.float64)
    """
    return surface_measures(prediction, target, spacing=spacing)[1]


def surface_measures(prediction: Images, target: Images, *, spacing: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    """`hausdorff95` and `average_surface_distance` from the same distances."""
    ours, theirs = mask_pair(prediction, target)
    step = _checked_spacing(spacing, ours.ndim - 2)
    measures = torch.empty((2, *ours.shape[:2]), dtype=torch.float64)
    for (b, c), one, other in each_pair(ours, theirs):
        measures[:, b, c] = torch.tensor(_measures(one, other, step))
    return measures[0].to(ours.device), measures[1].to(ours.device)


def _measures(ours: Array, theirs: Array, spacing: Array) -> tuple[float, float]:
    if not ours.any() or not theirs.any():
        value = math.inf if ours.any() or theirs.any() else 0.0
        return value, value
    first, second = _surface(ours) * spacing, _surface(theirs) * spacing
    there, back = _nearest(first, second), _nearest(second, first)
    return max(np.quantile(there, 0.95), np.quantile(back, 0.95)), np.concatenate((there, back)).mean()


def _surface(mask: Array) -> Array:
    """Coordinates of the surface pixels, one row each."""
    try:
        from scipy.ndimage import binary_erosion
    except ImportError as error:
        raise ImportError("surface distances need SciPy: pip install 'topoprior[metrics]'") from error
    return np.argwhere(mask & ~binary_erosion(mask, border_value=0))


def _nearest(points: Array, others: Array) -> Array:
    """Distance from each point to the nearest of the others."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(others).query(points)[0])


def _checked_spacing(spacing: Sequence[float] | None, axes: int) -> Array:
    step = np.ones(axes) if spacing is None else np.asarray(spacing, dtype=float)
    if step.shape != (axes,) or not np.isfinite(step).all() or (step <= 0).any():
        raise ValueError(f"spacing must be {axes} positive numbers (mm), one per spatial axis, got {spacing!r}")
    return step
