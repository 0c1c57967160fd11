"""What all pictures share: colours, markers, the words for the dimensions, and how axes are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from topoprior.topology.diagram import PersistenceDiagrams

COLOURS = ("#c62828", "#43a047", "#1e5fb4")
MARKERS = ("o", "s", "^")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that pyplot does not know; sides in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'topoprior[plots]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(width, height).subplots() if ax is None else ax


def kind(diagrams: PersistenceDiagrams, dimension: int) -> str:
    """What a class of this dimension is called, for example ``"dimension 1: loops"``."""
    word = ("components", "tunnels" if diagrams.spatial_axes == 3 else "loops", "cavities")[dimension]
    return f"dimension {dimension}: {word}"


def values(bars: PersistenceDiagrams) -> tuple[NDArray[Any], NDArray[Any]]:
    """Births and deaths as float64 arrays."""
    return tuple(side.detach().double().cpu().numpy() for side in (bars.births, bars.deaths))  # type: ignore[return-value]


def betti_text(numbers: NDArray[Any] | list[int]) -> str:
    """Betti numbers as in a prior: ``"(1, 1)"``."""
    return "(" + ", ".join(str(int(number)) for number in np.asarray(numbers)) + ")"


def check_max_bars(max_bars: int) -> None:
    """Raise ``ValueError`` unless at least one bar may be drawn."""
    if max_bars < 1:
        raise ValueError(f"max_bars must be at least 1, got {max_bars}")
