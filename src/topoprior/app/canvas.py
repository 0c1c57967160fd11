"""The drawing as it travels between the browser and Python: whole numbers from 0 to 65535, in base64.

16 bits, because the 8 of a picture would round the values of a loaded map, and make bars of many of its pixels equal.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.app.sources import LARGEST_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHITE = 65535


def encoded(values: NDArray[np.float32]) -> dict[str, Any]:
    """What the canvas of the page takes: height, width and pixels."""
    height, width = values.shape
    pixels = np.rint(np.asarray(values, np.float64) * WHITE).astype("<u2").tobytes()
    return {"height": height, "width": width, "pixels": base64.b64encode(pixels).decode("ascii")}


def decoded(drawing: Any) -> NDArray[np.float32]:
    """The inverse of `encoded`, to within half a step of 1/65535.

    Raises:
        ValueError: If it is no such drawing, or too large.

    Examples:
        >>> decoded(encoded(np.array([[0.0, 1.0], [1.0, 1.0]], np.float32))).tolist()
        [[0.0, 1.0], [1.0, 1.0]]
    """
    try:
        height, width = int(drawing["height"]), int(drawing["width"])
        pixels = base64.b64decode(drawing["pixels"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise ValueError("a drawing has a height, a width and its pixels in base64") from None
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise ValueError(f"a drawing has 1 to {LARGEST_SIDE} pixels on each side, got {height} x {width}")
    if len(pixels) != 2 * height * width:
        raise ValueError(f"a drawing of {height} x {width} pixels has {2 * height * width} bytes, got {len(pixels)}")
    values: NDArray[np.float32] = (np.frombuffer(pixels, "<u2") / WHITE).astype(np.float32)
    return values.reshape(height, width)
