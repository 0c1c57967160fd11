"""Generated inputs: unequal sides, sides of 1, ties on purpose, binary, constant, and distinct values."""

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import composite

MAX_SIDES = {1: 9, 2: 6, 3: 4}
LEVELS = {"binary": (0.0, 1.0), "ties": (0.0, 0.25, 0.5, 0.75, 1.0), "constant": (0.5,), "zero": (0.0,)}

constructions = st.sampled_from(["T", "V"])
boundaries = st.sampled_from(["background", "foreground"])


@composite
def shapes(draw, axes=(1, 2, 3), smallest=1):
    """Spatial shapes of 1 to 3 axes; sides are drawn one by one, so they are rarely equal and sometimes 1."""
    number = draw(st.sampled_from(axes))
    return tuple(draw(st.integers(smallest, MAX_SIDES[number])) for _ in range(number))


@composite
def tied_images(draw, axes=(1, 2, 3), dtype=np.float64):
    """Images of few levels."""
    kind = draw(st.sampled_from(["ties", "ties", "binary", "constant", "zero"]))
    return draw(arrays(dtype, draw(shapes(axes)), elements=st.sampled_from(LEVELS[kind])))


@composite
def distinct_images(draw, axes=(1, 2, 3), dtype=np.float64, smallest=1):
    """Images without two equal values, all of them exact in bfloat16 (at most 8 significant bits)."""
    shape = draw(shapes(axes, smallest))
    size = int(np.prod(shape))
    order = draw(st.permutations(range(size)))
    return (np.array(order, dtype=dtype) / 256 + 1 / 256).reshape(shape)


def images(axes=(1, 2, 3), dtype=np.float64):
    return tied_images(axes, dtype) | distinct_images(axes, dtype)


@composite
def masks(draw, axes=(1, 2, 3)):
    return draw(arrays(bool, draw(shapes(axes))))
