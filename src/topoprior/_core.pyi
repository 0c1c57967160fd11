"""Types of the compiled core (cpp/src/bind.cpp)."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

def persistence_pairs(
    images: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint8],
    construction: Literal["T", "V"],
    boundary: Literal["background", "foreground"],
    dimensions: int,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
