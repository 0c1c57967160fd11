"""Which planes of a volume are drawn."""

import numpy as np

from topoprior.imaging.image import Image


def shown_axes(label: Image, axes: int, slices: int | None) -> tuple[int, tuple[int, int]]:
    """Along which axis a volume is cut into planes, and the axes of the file that a plane spans.

    A volume in a NIfTI file is cut where its pixels are thickest, the last of equals; another along its first axis.
    """
    left = [axis for axis in range(3) if axis != slices] if slices is not None else [0, 1, 2]
    if axes < 3:
        return 0, (left[0], left[1])
    axis = 0 if label.spacing is None else 2 - int(np.argmax(label.spacing[::-1]))
    planes = [each for each in range(3) if each != axis]
    return axis, (planes[0], planes[1])
