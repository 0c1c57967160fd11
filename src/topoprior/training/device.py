"""Where to compute."""

from __future__ import annotations

from typing import Literal, get_args

import torch

Device = Literal["auto", "cpu", "cuda"]


def chosen_device(device: Device) -> torch.device:
    """The device that the word means on this machine; ``auto`` takes a GPU if there is one.

    Raises:
        ValueError: If it is another word, or ``"cuda"`` where there is no GPU.

    Examples:
        >>> chosen_device("cpu")
        device(type='cpu')
    """
    if device not in get_args(Device):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise ValueError("device must be cpu or auto on this machine: torch sees no CUDA GPU, got 'cuda'")
    return torch.device("cuda" if found and device != "cpu" else "cpu")
