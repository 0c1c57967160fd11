"""Axes that are not what they are taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FEW = 8  # more channels than that are rare
_THIN = 4  # slices are at least so many times fewer than pixels along the other axes


def shape_findings(shape: Sequence[int], dimensions: int | None, *, softmax: bool = False) -> Iterator[Finding]:
    """Findings about the shape of a tensor that is taken for ``(batch, channel, *spatial)``.

    Args:
        shape: Of the tensor.
        dimensions: How many Betti numbers the prior has; None without one.
        softmax: Whether a softmax over the channels is applied.
    """
    text, axes = tuple(shape), len(shape) - 2
    if not 1 <= axes <= 3:
        yield Finding(
            "error",
            "missing axes" if axes < 1 else "too many axes",
            f"The shape is {text}; it must be (batch, channel, *spatial) with 1 to 3 spatial axes.",
            "Add what is missing with tensor[None, None], or take one channel of one image with tensor[:1, :1].",
            {"shape": list(text)},
        )
        return
    last = shape[-1]
    if axes >= 2 and last <= _FEW and shape[1] > _THIN * last and shape[1] > _FEW:
        yield Finding(
            "error",
            "channels last",
            f"The shape is {text}: axis 1 has {shape[1]} entries and is taken for channels, and the last, of {last}, "
            "for an axis of the image.",
            "Move the channels to axis 1 with tensor.movedim(-1, 1).",
            {"shape": list(text)},
        )
    elif dimensions is not None and dimensions != axes:
        yield _wrong_axes(text, axes, dimensions)
    elif shape[0] == 1 and shape[1] > 4 * _FEW:
        yield Finding(
            "warning",
            "axis taken for channels",
            f"The shape is {text}: axis 1 has {shape[1]} entries and is taken for channels, each an image of its own.",
            "Add the channel axis of a volume with tensor[:, None], or make a batch of slices with tensor[0][:, None].",
            {"shape": list(text)},
        )
    if softmax and shape[1] == 1:
        yield Finding(
            "error",
            "softmax of one channel",
            "There is one channel, and the softmax of one channel is 1 in every pixel, whatever the network says.",
            "Use sigmoid=True (activation='sigmoid'), or give the network an output for the background too.",
            {"shape": list(text)},
        )


def stack_findings(
    shape: Sequence[int], spacing: Sequence[float] | None, dimensions: int | None, slices: int | None
) -> Iterator[Finding]:
    """Findings about the axes of an image in a file, spatial axes alone, cut into slices or not.

    Args:
        shape: Of the image.
        spacing: Of its pixels in millimetres, if the file says.
        dimensions: How many Betti numbers the prior has; None without one.
        slices: The axis that slices run along; None if it is taken whole.
    """
    text, axes = tuple(shape), len(shape) - (slices is not None)
    measured = {"shape": list(text), **({} if spacing is None else {"spacing": list(spacing)})}
    thin = _stack_axis(shape, spacing)
    if slices is None and len(shape) == 3 and shape[-1] <= _FEW and min(shape[:2]) > _THIN * shape[-1]:
        yield Finding(
            "error" if dimensions == 2 else "warning",
            "channels last",
            f"The shape is {text}: the last axis has {shape[-1]} entries; that is channels, or a stack of slices.",
            "Save one channel, array[..., 0], or take slices with --slices 2.",
            measured,
        )
    elif dimensions is not None and dimensions != axes:
        advice = f"For slices give --slices {thin if thin is not None else 2}" if len(shape) == 3 else "Give"
        advice += f", for a whole image a prior of {len(shape)} Betti numbers."
        yield Finding(
            "error",
            "prior of other dimensions",
            f"The prior has {dimensions} Betti numbers and each image has {axes} axes (shape {text}).",
            advice if slices is None else f"Give a prior of {axes} Betti numbers.",
            measured,
        )
    elif thin is not None and slices is None:
        yield Finding(
            "warning",
            "stack taken for a volume",
            f"The shape is {text}: axis {thin} looks like slices, few or far apart; features are counted across them.",
            f"If you mean the topology of each slice, give --slices {thin} and a prior of 2 Betti numbers.",
            measured,
        )
    elif thin is not None and slices not in (None, thin):
        yield Finding(
            "warning",
            "axis of slices",
            f"The slices run along axis {slices}, but of the shape {text} axis {thin} looks like the stack.",
            f"Give --slices {thin}.",
            measured,
        )


def _wrong_axes(shape: tuple[int, ...], axes: int, dimensions: int) -> Finding:
    missing = axes < dimensions
    advice = "If an axis is missing, add it" if missing else "If images are 2-D, put slices into the batch"
    example = "tensor[:, None]" if missing else "tensor[0].movedim(1, 0)"
    return Finding(
        "error",
        "prior of other dimensions",
        f"The prior has {dimensions} Betti numbers, but the shape {shape} is that of images with {axes} axes.",
        f"{advice} with {example}; otherwise give a prior of {axes} Betti numbers.",
        {"shape": list(shape), "betti_numbers": dimensions},
    )


def _stack_axis(shape: Sequence[int], spacing: Sequence[float] | None) -> int | None:
    """The axis that slices run along, as far as one can tell."""
    if len(shape) != 3:
        return None
    thin = min(range(3), key=lambda axis: (shape[axis], -axis))
    if all(shape[axis] >= _THIN * shape[thin] for axis in range(3) if axis != thin):
        return thin
    if spacing is not None and len(spacing) == 3:
        far = max(range(3), key=lambda axis: spacing[axis])
        if all(spacing[far] >= _THIN * spacing[axis] for axis in range(3) if axis != far):
            return far
    return None
