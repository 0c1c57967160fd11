"""Values that are no probabilities, or of which no gradient comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from topoprior.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_SIGMOID_OF_ONE = 0.7310586
_ROUNDING = 1e-6  # a scale kept in single precision overshoots 1 by so much


def value_findings(values: Tensor, activation: str | None) -> Iterator[Finding]:
    """Findings about values as they are given, before an activation (None, ``"sigmoid"`` or ``"softmax"``).

    After an error here nothing more can be said of the values.
    """
    if not values.is_floating_point():
        least, most = int(values.min()), int(values.max())
        yield Finding(
            "error",
            "not floating point",
            f"The values are {values.dtype}, from {least} to {most}: a mask or label map, of which no gradient comes.",
            "Give the probabilities before they were cut at a threshold, not mask or argmax.",
            {"dtype": str(values.dtype), "low": least, "high": most},
        )
        return
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        yield Finding(
            "error",
            "not finite",
            f"{bad} of {values.numel()} values are NaN or infinite.",
            "Find where they begin with torch.autograd.set_detect_anomaly(True); a lower learning rate often helps.",
            {"pixels": bad, "of": values.numel()},
        )
        return
    low, high = values.min().item(), values.max().item()
    measured = {"low": low, "high": high}
    inside = low >= -_ROUNDING and high <= 1 + _ROUNDING
    if activation is None and not inside:
        yield _out_of_range(values, low, high)
    elif activation is not None and inside and high > low:
        yield Finding(
            "error",
            "activated twice",
            f"The values lie from {low:.4g} to {high:.4g}, as probabilities do, and go through {activation} once more: "
            "they end near one half.",
            f"Leave out {activation}: here (sigmoid=True, softmax=True, --activation) or in the network.",
            measured,
        )
    elif activation is None and low >= 0.5 and high <= _SIGMOID_OF_ONE and high > low:
        yield Finding(
            "warning",
            "activated twice",
            f"All values lie from {low:.4g} to {high:.4g}: the sigmoid of probabilities gives just this range.",
            "Take the sigmoid once.",
            measured,
        )


def map_findings(probability: Tensor, threshold: float) -> Iterator[Finding]:
    """Findings about probability maps ``(batch, channel, *spatial)``, all pixels of an image together."""
    maps = probability.detach().flatten(0, 1).flatten(1)
    low, high = maps.amin(1), maps.amax(1)
    constant = low == high
    total, count = len(maps), int(constant.sum())
    if count:
        value = low[constant][0].item()
        ones = " (1 everywhere is what the softmax of a single channel gives)" if value == 1 else ""
        yield Finding(
            "error",
            "constant",
            f"{_so_many(count, total)} constant, the first {value:.4g} everywhere{ones}: there is one bar, and its "
            "gradient reaches one pixel.",
            "Look at the network's input and last layer; patches without the object should be left out of this loss.",
            {"maps": count, "of": total, "value": value},
        )
    binary = int((((maps == 0) | (maps == 1)).all(1) & ~constant).sum())
    if binary:
        yield Finding(
            "error",
            "mask",
            f"{_so_many(binary, total)} 0 or 1 in every pixel, as masks are: each bar has length 1, and a sigmoid has "
            "no slope there.",
            "Give the probabilities before they were cut at a threshold; do not round, compare or argmax.",
            {"maps": binary, "of": total},
        )
    for name, which, what in (
        ("empty", high < threshold, "below the threshold"),
        ("full", low >= threshold, "at or above the threshold"),
    ):
        number = int((which & ~constant).sum())
        if number:
            yield Finding(
                "warning",
                name,
                f"{_so_many(number, total)} {what} {threshold:g} in every pixel: the mask is {name}.",
                "Train with labels first, so that there is something to correct; or choose another threshold.",
                {"maps": number, "of": total, "low": low.min().item(), "high": high.max().item()},
            )


def _out_of_range(values: Tensor, low: float, high: float) -> Finding:
    measured = {"low": low, "high": high}
    whole = bool((values == values.round()).all())
    if low >= 0 and whole:
        return Finding(
            "error",
            "gray values",
            f"The values are whole numbers from {low:g} to {high:g}: gray values or labels, no probabilities.",
            "Divide gray values by their largest possible value (255, 65535); of labels take one: labels == 1.",
            measured,
        )
    return Finding(
        "error",
        "logits",
        f"The values lie from {low:.4g} to {high:.4g}, outside [0, 1]: these are logits.",
        "Give sigmoid=True or softmax=True to the loss, activation= to refine, --activation sigmoid on the command "
        "line, or apply torch.sigmoid.",
        measured,
    )


def _so_many(count: int, total: int) -> str:
    if total == 1:
        return "The map is"
    return f"{count} of {total} maps {'is' if count == 1 else 'are'}"
