"""Small volumes with a cavity or a tunnel."""

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Mask


def shell(*, size: int = 16) -> Mask:
    """A hollow ball, shape ``(size, size, size)``: Betti numbers (1, 0, 1).

    Raises:
        ValueError: If ``size`` is less than 12.

    Examples:
        >>> int(shell()[8, 8].sum()) > 0, bool(shell()[8, 8, 8])
        (True, False)
    """
    _check_side_of_volume(size)
    z, y, x = _centred(size)
    return _between(np.sqrt(z**2 + y**2 + x**2), 0.22, 0.40)


def tube(*, size: int = 16) -> Mask:
    """A pipe open at both ends along the first axis, shape ``(size, size, size)``: Betti numbers (1, 1, 0).

    Raises:
        ValueError: If ``size`` is less than 12.

    Examples:
        >>> bool(tube()[:, 8, 8].any())
        False
    """
    _check_side_of_volume(size)
    z, y, x = _centred(size)
    pipe: Mask = _between(np.sqrt(y**2 + x**2), 0.22, 0.40) & (np.abs(z) < 0.35)
    return pipe


def _centred(size: int) -> NDArray[np.float64]:
    return (np.mgrid[:size, :size, :size] + 0.5) / size - 0.5


def _between(distance: NDArray[np.float64], low: float, high: float) -> Mask:
    return (distance > low) & (distance < high)


def _check_side_of_volume(size: int) -> None:
    if size < 12:
        raise ValueError(f"size must be at least 12, got {size}")
