"""A network applied in overlapping windows, as nnU-Net predicts, whose gradient costs the memory of one window.

The map is a weighted mean of what the network says in each window and each mirrored view of it. So the gradient of a
loss of the whole map, and topology is of the whole, is a sum over windows: each takes its part of the gradient of the
map. No graph is kept of any window on the way forward; on the way back each is computed a second time, with its graph,
and let go. The gradient is that of the whole, exactly, for twice the time forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

Window = tuple[int | slice, ...]


class InWindows(nn.Module):
    """The mean of networks over windows and mirrored views, as one network for one image.

    Args:
        networks: One, or an ensemble; each maps a window ``(1, channel, *window)`` to ``(1, class, *window)``.
        windows: For each its place in the image: a slice for each spatial axis, or a number for an axis that the
            networks do not have. Together they cover the image.
        weight: Of each pixel in a window.
        mirrored: Axes of a window that are mirrored, one entry for each view; ``()`` is the window as it is.
        inside: The part of the map that is given back, one slice for each spatial axis; None for all of it.

    Raises:
        ValueError: If there is no network, window or view.

    Examples:
        >>> network = nn.Conv1d(1, 2, 1)
        >>> windows = [(slice(0, 4),), (slice(2, 6),)]
        >>> applied = InWindows([network], windows, torch.ones(4))
        >>> image = torch.arange(6.0).view(1, 1, 6)
        >>> torch.allclose(applied(image), network(image))
        True
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        windows: Sequence[Window],
        weight: Tensor,
        *,
        mirrored: Sequence[tuple[int, ...]] = ((),),
        inside: Sequence[slice] | None = None,
    ) -> None:
        super().__init__()
        for name, given in (("network", networks), ("window", windows), ("mirrored view", mirrored)):
            if not given:
                raise ValueError(f"there must be at least one {name}, got none")
        self.networks = nn.ModuleList(networks)
        self.windows = list(windows)
        self.mirrored = list(mirrored)
        self.inside = None if inside is None else tuple(inside)
        self.register_buffer("weight", weight, persistent=False)
        self.weight: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """The map of one image ``(1, channel, *spatial)``."""
        total: Any = None
        shape = image.shape[2:]
        count = torch.zeros(shape, dtype=image.dtype, device=image.device)
        for window in self.windows:
            count[window] += self.weight
            crop = image[(slice(None), slice(None), *window)]
            for network in self.networks:
                for axes in self.mirrored:
                    logits = self._view(network, crop, [axis + 2 for axis in axes])
                    if total is None:
                        total = logits.new_zeros((1, logits.shape[1], *shape))
                    total = _AddWindow.apply(total, logits, self.weight, window)  # type: ignore[no-untyped-call]
        if not bool((count > 0).all()):
            raise ValueError(f"the windows must cover the image, of shape {tuple(shape)}, but some pixels are in none")
        mean: Tensor = total / (count * len(self.networks) * len(self.mirrored))
        return mean if self.inside is None else mean[(slice(None), slice(None), *self.inside)]

    def _view(self, network: nn.Module, crop: Tensor, axes: list[int]) -> Tensor:
        """What a network says of a mirrored window, mirrored back; nothing of it is kept for the way back."""

        def look(crop: Tensor) -> Tensor:
            logits: Tensor = network(torch.flip(crop, axes))
            return torch.flip(logits, axes)

        alone = len(self.windows) * len(self.networks) * len(self.mirrored) == 1
        if alone or not torch.is_grad_enabled():
            return look(crop)
        logits: Tensor = checkpoint(look, crop, use_reentrant=False)
        return logits


class _AddWindow(torch.autograd.Function):
    """``total[window] += weight * logits``; autograd would copy the whole total for each window on the way back."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, logits: Tensor, weight: Tensor, window: Window) -> Tensor:
        ctx.place = (slice(None), slice(None), *window)
        ctx.save_for_backward(weight)
        ctx.mark_dirty(total)
        total[ctx.place] += weight * logits
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        return gradient, weight * gradient[ctx.place], None, None
