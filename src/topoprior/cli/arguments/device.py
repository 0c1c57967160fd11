"""Where to compute."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from topoprior.cli.arguments.options import Device


def chosen_device(device: "Device") -> "torch.device":
    """The device that the word means on this machine.

    Raises:
        ValueError: If it is ``"cuda"`` and there is no GPU.

    Examples:
        >>> chosen_device("cpu")
        device(type='cpu')
    """
    import torch

    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise ValueError("--device cuda needs a GPU, and torch finds none: take cpu or auto")
    return torch.device("cuda" if found and device != "cpu" else "cpu")
