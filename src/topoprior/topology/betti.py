"""Betti numbers of masks."""

import torch
from torch import Tensor

from topoprior.topology.diagram import diagrams_of
from topoprior.topology.filtration import Boundary, Construction, Images, as_plain_tensor, check_options, dimension_mask


def betti_numbers(mask: Images, *, construction: Construction = "T", boundary: Boundary = "background") -> Tensor:
    """Numbers of components, loops and cavities of binary masks.

    The same core and the same conventions as `topoprior.persistence`: with ``construction="T"`` foreground pixels
    that touch at a corner are connected, with ``"V"`` they are not; with ``boundary="foreground"`` the outside is one
    more component, to which all that touches the frame belongs.

    Args:
        mask: Tensor or array of any type that holds only 0 and 1 (or booleans), shape ``(batch, channel, *spatial)``,
            1 to 3 spatial axes.
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6).
        boundary: What the outside of the image counts as, ``"background"`` or ``"foreground"``.

    Returns:
        int64 tensor of shape ``(batch, channel, d)`` on the device of the mask, d the number of spatial axes.

    Raises:
        TypeError: If ``mask`` is neither tensor nor array, or holds complex numbers.
        ValueError: If it holds other values than 0 and 1, or the shape is wrong or empty.

    Examples:
        One ring, and a dot that touches its corner:

        >>> ring = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
        >>> betti_numbers(ring[None, None])
        tensor([[[1, 1]]])
        >>> betti_numbers(ring[None, None], construction="V")
        tensor([[[2, 1]]])
    """
    check_options(construction, boundary)
    binary = as_binary(mask, name="mask")
    return diagrams_of(binary, construction, boundary, dimension_mask(None, binary.ndim - 2), 0).betti_numbers()


def as_binary(mask: Images, *, name: str) -> Tensor:
    """The mask as a plain uint8 tensor of zeros and ones, after all checks.

    Raises:
        TypeError: If it is neither tensor nor array, or holds complex numbers.
        ValueError: If it holds other values than 0 and 1, or the shape is wrong or empty.
    """
    tensor = as_plain_tensor(mask, name=name).detach()
    if tensor.is_complex():
        raise TypeError(f"{name} must hold only 0 and 1, got {tensor.dtype}")
    if tensor.dtype != torch.bool:
        other = tensor[(tensor != 0) & (tensor != 1)]
        if other.numel():
            raise ValueError(
                f"{name} must hold only 0 and 1, got {other[0].item()}: "
                "give a mask such as probability >= 0.5 or labels == 1"
            )
    return tensor.to(torch.uint8)
