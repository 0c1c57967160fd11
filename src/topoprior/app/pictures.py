"""Pictures as HTML: pixels as they are, with the critical pixels drawn over them."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.viewing.overlays import ADDED, REMOVED
from topoprior.viewing.style import COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from topoprior.app.exploration import Bar, Pixel

SURPLUS = "#ff8c1a"
_INSIDE, _OUTSIDE = (236, 236, 236), (38, 42, 48)
_MOST_MARKED = 10  # bars of each dimension: more would hide the picture
_MARKER = 1 / 60  # of the longer side


def map_picture(probability: NDArray[np.float32], bars: Sequence[Sequence[Bar]]) -> str:
    """The map in grey, with the pixels that set its longest bars: births filled, deaths hollow.

    Components are circles and loops squares, in the colours of the barcode; bars that are too many are orange.
    """
    grey = np.rint(probability.astype(np.float64) * 255).astype(np.uint8)
    radius = max(probability.shape) * _MARKER
    marks = [_mark(bar, radius) for group in bars for bar in reversed(group[:_MOST_MARKED])]
    return _picture(np.repeat(grey[..., None], 3, -1), "The probability map and its critical pixels", marks)


def mask_picture(mask: NDArray[np.bool_], title: str) -> str:
    """A mask: foreground light, background dark."""
    return _picture(_painted(mask), title)


def change_picture(before: NDArray[np.bool_], after: NDArray[np.bool_], title: str) -> str:
    """The mask after, where pixels that it has gained are blue and those that it has lost orange."""
    pixels = _painted(after)
    pixels[after & ~before], pixels[before & ~after] = _rgb(ADDED), _rgb(REMOVED)
    return _picture(pixels, title)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels of shape ``(height, width, 3)`` as the bytes of a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)  # each row is unfiltered
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _picture(pixels: NDArray[np.uint8], title: str, marks: Iterable[str] = ()) -> str:
    height, width, _ = pixels.shape
    address = "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
    return (
        f'<svg class="picture" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
        f'<image href="{address}" width="{width}" height="{height}" preserveAspectRatio="none"/>{"".join(marks)}</svg>'
    )


def _mark(bar: Bar, radius: float) -> str:
    """Both ends of a bar, and the line between them."""
    colour = SURPLUS if bar.role == "surplus" else COLOURS[bar.dimension]
    ends = [(pixel, hollow) for pixel, hollow in ((bar.birth_pixel, False), (bar.death_pixel, True)) if pixel]
    line = ""
    if len(ends) == 2:
        (row, column), (to_row, to_column) = ends[0][0], ends[1][0]
        line = (
            f'<line x1="{column + 0.5}" y1="{row + 0.5}" x2="{to_column + 0.5}" y2="{to_row + 0.5}" '
            f'stroke="{colour}" stroke-width="{radius / 4:.2f}"/>'
        )
    return line + "".join(_end(pixel, bar, radius, colour, hollow=hollow) for pixel, hollow in ends)


def _end(pixel: Pixel, bar: Bar, radius: float, colour: str, *, hollow: bool) -> str:
    row, column = pixel[0] + 0.5, pixel[1] + 0.5
    fill, edge = ("none", colour) if hollow else (colour, "#fff")
    style = f'fill="{fill}" stroke="{edge}" stroke-width="{radius / 3:.2f}"'
    verb, value = ("dies", bar.death) if hollow else ("born", bar.birth)
    told = f"<title>{('component', 'loop')[bar.dimension]}, {verb} at {value:.3f}, row {pixel[0]}, column {pixel[1]}"
    if bar.dimension == 0:
        return f'<circle cx="{column}" cy="{row}" r="{radius:.2f}" {style}>{told}</title></circle>'
    left, top, side = column - radius, row - radius, 2 * radius
    return f'<rect x="{left:.2f}" y="{top:.2f}" width="{side:.2f}" height="{side:.2f}" {style}>{told}</title></rect>'


def _painted(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    painted: NDArray[Any] = np.where(mask[..., None], _INSIDE, _OUTSIDE)
    return painted.astype(np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
