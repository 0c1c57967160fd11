"""How a plane of an image lies on the screen: as a radiologist is used to, where the file says what is where."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """From a plane of an image, two of its axes in their order, to rows and columns of a picture.

    Attributes:
        transposed: Whether the plane's first axis runs along the columns.
        flips: Whether rows and columns are turned round.
        aspect: Height of a pixel over its width.
    """

    transposed: bool = False
    flips: tuple[bool, bool] = (False, False)
    aspect: float = 1.0

    @classmethod
    def of(cls, affine: NDArray[Any] | None, axes: tuple[int, int], *, spacing: Sequence[float] | None = None) -> View:
        """The view of the plane that these two axes span.

        With an affine, the patient's left is on the right, or else the back is; the back is at the bottom, or else the
        feet are. An oblique plane goes by the nearest such directions. Without one, rows and columns are as stored.

        Args:
            affine: Voxel indices to millimetres, towards right, front and head, as in NIfTI; None if unknown.
            axes: The axes of the image, from 0, in their order.
            spacing: Millimetres along each axis of the image; by default what the affine says.

        Examples:
            >>> View.of(np.diag([-1.5, -1.5, 8.0, 1.0]), (0, 1))  # runs left and back, as most scanners write
            View(transposed=True, flips=(False, False), aspect=1.0)
            >>> View.of(np.diag([1.0, 1.0, 5.0, 1.0]), (0, 2))
            View(transposed=True, flips=(True, True), aspect=5.0)
        """
        if affine is None:
            return cls()
        directions = np.asarray(affine, dtype=float)[:3, :3][:, list(axes)]
        sizes = np.linalg.norm(directions, axis=0)
        if not (np.isfinite(sizes).all() and sizes.all()):
            return cls()
        fit = np.abs(directions / sizes)
        first, second = max(permutations(range(3), 2), key=lambda pair: fit[pair[0], 0] + fit[pair[1], 1])
        towards = (directions[first, 0] > 0, directions[second, 1] > 0)  # right, front or head: the wrong way
        transposed = first < second
        row, column = (1, 0) if transposed else (0, 1)
        if spacing is not None:
            sizes = np.asarray(spacing, dtype=float)[list(axes)]
        return cls(transposed, (bool(towards[row]), bool(towards[column])), float(sizes[row] / sizes[column]))

    def __call__(self, plane: NDArray[Any]) -> NDArray[Any]:
        """The plane as rows and columns, the first row on top."""
        seen = plane.T if self.transposed else plane
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in self.flips)
        return seen[rows, columns]
