"""The conventions of the project, in one place. Everything else restates them in a sentence and points here.

**Filtration.** Super-level sets: at ``p`` the foreground is the set of pixels with value ``>= p``, and ``p`` falls
from 1 to 0 (equations 1 and 2 of the paper). So ``birth >= death``, and a feature is present at ``p`` when ``birth >=
p > death``. Loss, metric, plot and command line all use this one rule. Values are probabilities in [0, 1]; a logit is
refused, never squashed silently.

**Construction**, which pixels touch:

===========================  =====================  ===========================
construction                 foreground connects    background connects
===========================  =====================  ===========================
``"T"`` pixels are squares   8 (2-D), 26 (3-D)      4 (2-D), 6 (3-D)
``"V"`` pixels are points    4 (2-D), 6 (3-D)       8 (2-D), 26 (3-D)
===========================  =====================  ===========================

``"T"`` is equation 1 of the paper and the default.

**Boundary**, what lies outside the image. ``"background"`` (default): nothing, so a hole that touches the frame is no
hole. ``"foreground"``: one foreground cell, present at every ``p``; everything that touches the frame is connected to
it, and a structure cut by the frame closes its loops through it. Precisely: the image is surrounded by one layer of
cells that are present from the start, and these, with the rim of the image in the T-construction, are collapsed to one
point. What results is a sphere of dimension d, and the bars are those of its super-level sets; the class of dimension
d, the whole sphere, is not reported. The outside is a disc of that sphere and makes no loop by itself.

**Essential component.** One component never dies. With ``boundary="background"`` it is born at the largest value and
is closed at 0: its bar is ``(max, 0)``, its death index is -1, and the gradient of its birth reaches the arg-max
pixel. With ``boundary="foreground"`` it is the outside itself: its bar is ``(1, 0)``, both indices are -1, and no
gradient comes from it; Betti numbers and priors count it as one component, so an empty image has one.

**Ties.** Pixels enter from high to low value, equal values in row-major order. This fixes every pair. Bars of zero
length are left out, except the essential one.

**Order.** Bars are sorted by image, dimension, and from the longest to the shortest; equal lengths by birth index,
then by death index. The place of a bar in its (image, dimension) group is its ``rank``; the essential bar has rank 0.

**Shapes.** ``(batch, channel, *spatial)`` with one to three spatial axes; ``image`` means ``batch_index * channels +
channel_index``. Indices are flat, in C order, inside their own image. Dimension k is index k: components, loops
(tunnels in 3-D), cavities.
"""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

Construction: TypeAlias = Literal["T", "V"]
Boundary: TypeAlias = Literal["background", "foreground"]
Images: TypeAlias = "Tensor | np.ndarray[Any, Any]"

MAX_SPATIAL_AXES = 3
MOST_THREADS = 1024  # more than that is a slip, and systems refuse to start them
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LOGITS_HINT = "if these are logits, apply torch.sigmoid (or torch.softmax over the channels) first"
LOSS_HINT = "as BettiPriorLoss does with sigmoid=True or softmax=True"


def check_options(construction: str, boundary: str) -> None:
    """Raise ``ValueError`` unless both words are known."""
    for name, value, kind in (("construction", construction, Construction), ("boundary", boundary, Boundary)):
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")


def as_images(images: Images, *, name: str = "images") -> Tensor:
    """The images as a plain tensor, after all checks that need no look at the values.

    Subclasses such as MONAI's ``MetaTensor`` lose their wrapping and keep their gradient.

    Raises:
        TypeError: If it is neither tensor nor array, or the values are not floating point.
        ValueError: If the shape is not ``(batch, channel, *spatial)`` with one to three spatial axes, or if there is
            no pixel.
    """
    tensor = as_plain_tensor(images, name=name)
    if tensor.dtype not in FLOATING:
        raise TypeError(
            f"{name} must be floating point probabilities in [0, 1], got {tensor.dtype}: "
            "convert a mask with .float(), and scale other images to [0, 1]"
        )
    return tensor


def as_plain_tensor(images: Images, *, name: str) -> Tensor:
    """Tensor or array of any type as a plain tensor of checked shape."""
    if isinstance(images, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array has pixels without a value: fill them with .filled(value)")
    if isinstance(images, np.ndarray):
        # A copy where torch would otherwise warn (read-only) or fail (negative strides, foreign byte order).
        native = images.astype(images.dtype.newbyteorder("="), copy=False)
        plain = native.flags.writeable and min(native.strides, default=0) >= 0
        try:
            images = torch.from_numpy(native if plain else native.copy(order="C"))
        except TypeError:
            raise TypeError(f"{name} must hold real numbers that torch knows, got an array of {images.dtype}") from None
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} must be a torch tensor or a numpy array, got {type(images).__name__}")
    if images.device.type == "meta":
        raise TypeError(f"{name} must hold values, got a tensor on the meta device")
    if images.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {images.layout}: convert with .to_dense()")
    if type(images) not in (Tensor, torch.nn.Parameter):
        images = images.as_subclass(Tensor)
    shape = tuple(images.shape)
    if not 3 <= len(shape) <= 2 + MAX_SPATIAL_AXES:
        raise ValueError(f"{name} must have shape (batch, channel, *spatial) with 1 to 3 spatial axes, got {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty: every side must be at least 1, got {shape}")
    return images


def in_full_precision(values: Tensor) -> Tensor:
    """Half precision as float32, which is exact; all else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def check_values(values: Tensor, *, name: str = "images", hint: str = f"{LOGITS_HINT}, {LOSS_HINT}") -> None:
    """Raise ``ValueError`` unless all values are finite and in [0, 1]; the message tells what to do about logits."""
    low, high = (bound.item() for bound in torch.aminmax(values))
    if low >= 0 and high <= 1:  # in one pass; NaN fails too
        return
    if not bool(torch.isfinite(values).all()):
        bad = values[~torch.isfinite(values)][0].item()
        raise ValueError(f"{name} must hold finite values in [0, 1], got {bad}")
    raise ValueError(f"{name} must hold probabilities in [0, 1], got values from {low} to {high}: {hint}")


def dimension_mask(dimensions: Iterable[int] | None, spatial_axes: int) -> int:
    """Wanted homology dimensions as a bit mask; ``None`` means all of them."""
    if dimensions is None:
        return (1 << spatial_axes) - 1
    if not isinstance(dimensions, Iterable):
        raise TypeError(f"dimensions must be a sequence such as (0, 1), got {dimensions!r}")
    wanted = tuple(dimensions)
    if not wanted or any(k not in range(spatial_axes) for k in wanted):
        raise ValueError(f"dimensions must be some of {tuple(range(spatial_axes))} for this image, got {wanted}")
    return sum(1 << k for k in range(spatial_axes) if k in wanted)


def check_threads(threads: int | None) -> int:
    """Number of threads for the core; 0 stands for "as many as torch uses"."""
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads must be a whole number from 1 to {MOST_THREADS}, got {threads!r}")
    return threads
