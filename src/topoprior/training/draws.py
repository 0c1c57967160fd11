"""Random choices that depend on nothing but the seed, their purpose and the step.

A run that was killed and resumed, or that is split over several processes, makes the same choices as one that was not:
no generator is carried from step to step, so none has to be saved or shared.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator of its own for each purpose, such as ``generator(0, "noise", 12)`` for the noise of step 12.

    Examples:
        >>> one, same, other = (torch.rand(1, generator=generator(0, "noise", k)) for k in (1, 1, 2))
        >>> bool(one == same), bool(one == other)
        (True, False)
    """
    return torch.Generator().manual_seed(number(seed, *purpose))


def number(seed: int, *purpose: str | int) -> int:
    """A seed for each purpose, 0 to 2^63 - 1."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def batch(seed: int, purpose: str, step: int, *, size: int, of: int) -> Tensor:
    """Which cases make up the batch of one step: each of them once, in random order, before any comes again.

    Args:
        seed: Of the run.
        purpose: Whose batches these are.
        step: From 0.
        size: Cases in a batch, which may be more than there are.
        of: How many cases there are.

    Returns:
        Their indices, shape ``(size,)``.

    Examples:
        >>> drawn = torch.cat([batch(0, "labelled", step, size=2, of=6) for step in range(3)])
        >>> drawn.sort().values
        tensor([0, 1, 2, 3, 4, 5])
    """
    places = range(step * size, (step + 1) * size)
    rounds = {place // of for place in places}
    orders = {k: torch.randperm(of, generator=generator(seed, purpose, k)) for k in rounds}
    return torch.stack([orders[place // of][place % of] for place in places])
