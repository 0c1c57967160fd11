"""Small U-nets, and their files: weights in safetensors, everything else in JSON beside them; never a pickle.

A network file is a pair: ``X.safetensors`` and ``X.json``.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_weights
from safetensors.torch import save as weights_as_bytes
from torch import Tensor, nn

from topoprior.imaging.factories import build as build  # a name of this module too
from topoprior.imaging.factories import made_by
from topoprior.imaging.new_file import check_new_file, new_file
from topoprior.imaging.padded_unet import Architecture, UNet

Activation = Literal["sigmoid", "softmax"]
Normalisation = Literal["none", "standard", "minmax"]

_FORMAT = "topoprior.network.1"


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with what its caller must know: how to scale the image, and how to turn its output to probabilities.

    Attributes:
        network: Any module that maps ``(batch, channel, *spatial)`` to ``(batch, channel, *spatial)``.
        activation: ``"sigmoid"`` or ``"softmax"``, to be applied to the output; None if it gives probabilities itself.
        normalisation: Applied to an image before the network sees it, by :meth:`normalise`.
        metadata: What was written beside the weights; empty for a factory.
    """

    network: nn.Module
    activation: Activation | None = None
    normalisation: Normalisation = "none"
    metadata: dict[str, Any] = field(default_factory=dict)

    def normalise(self, image: Tensor) -> Tensor:
        """The image as the network wants it: see :func:`normalise`."""
        return normalise(image, self.normalisation)


def unet(
    *,
    spatial_dims: int = 2,
    in_channels: int = 1,
    out_channels: int = 1,
    channels: Sequence[int] = (16, 32, 64, 128),
    residual_units: int = 0,
) -> UNet:
    """A small U-net that returns logits (no final activation), for images of any size.

    Args:
        spatial_dims: 2 for images, 3 for volumes.
        in_channels: Channels of the image.
        out_channels: Channels of the output.
        channels: Features per level; each further level halves the sides.
        residual_units: Per level; 0 gives plain convolutions.

    Returns:
        MONAI's ``UNet`` with instance normalisation, wrapped to accept any sides. Its weights follow torch's global
        generator: call ``torch.manual_seed`` first for the same ones.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If MONAI is missing.

    Examples:
        >>> network = unet(channels=(4, 8))
        >>> network(torch.zeros(1, 1, 17, 30)).shape
        torch.Size([1, 1, 17, 30])
    """
    return UNet(Architecture(spatial_dims, in_channels, out_channels, tuple(channels), residual_units))


def normalise(image: Tensor, normalisation: Normalisation) -> Tensor:
    """Each image of a batch scaled by itself, over all its channels and pixels.

    ``"none"`` leaves it as it is; ``"standard"`` gives mean 0 and standard deviation 1; ``"minmax"`` gives the range
    [0, 1]. A constant image becomes 0 under both.

    Args:
        image: Shape ``(batch, channel, *spatial)``, floating.
        normalisation: One of the three words.

    Raises:
        ValueError: If ``normalisation`` is another word.

    Examples:
        >>> normalise(torch.tensor([[[2.0, 4.0, 6.0]]]), "minmax")
        tensor([[[0.0000, 0.5000, 1.0000]]])
    """
    _check_word("normalisation", normalisation, get_args(Normalisation))
    if normalisation == "none":
        return image
    rows = image.flatten(1)
    if normalisation == "standard":
        origin, scale = rows.mean(1), rows.std(1, correction=0)
    else:
        origin, scale = rows.amin(1), rows.amax(1) - rows.amin(1)
    column = (-1, *[1] * (image.ndim - 1))
    return (image - origin.view(column)) / torch.where(scale > 0, scale, 1.0).view(column)


def check_can_be_saved(network: nn.Module, factory: str | None) -> None:
    """Refuse a network that could not be built again from its description.

    Raises:
        TypeError: If it is neither of :func:`unet` nor of :func:`build`.
    """
    if factory is None and not isinstance(network, UNet):
        raise TypeError(f"network must come from topoprior.networks.unet, got {type(network).__name__}")
    if factory is not None and not hasattr(network, "factory_arguments"):
        raise TypeError(f"network must come from topoprior.networks.build, got {type(network).__name__}")


def save(
    network: nn.Module,
    path: str | os.PathLike[str],
    *,
    activation: Activation | None = "sigmoid",
    normalisation: Normalisation = "none",
    factory: str | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network to ``X.safetensors`` (weights) and ``X.json`` (everything else).

    Both files are written under a temporary name and moved into place, the weights last.

    Args:
        network: Built by :func:`unet`, or by :func:`build` from ``factory``.
        path: Ends in ``.safetensors``.
        activation: What turns its output to probabilities; None if it gives probabilities itself.
        normalisation: What its images must go through first.
        factory: ``"module:function"`` that built it; None for :func:`unet`.
        metadata: Anything else worth keeping that JSON can hold, such as how it was trained.
        overwrite: Replace existing files.

    Returns:
        The path of the weights.

    Raises:
        TypeError: If ``network`` was not built as said, or JSON cannot hold ``metadata``.
        ValueError: If ``path`` has another ending, or an option is none of its words.
        OSError: If a file is there already and ``overwrite`` is false, or the folder cannot be written to.
    """
    check_can_be_saved(network, factory)
    if activation is not None:
        _check_word("activation", activation, get_args(Activation))
    _check_word("normalisation", normalisation, get_args(Normalisation))
    weights = Path(path)
    if weights.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {str(path)!r}")
    description = weights.with_suffix(".json")
    for file in (weights, description):
        check_new_file(file, overwrite=overwrite)
    content = {
        "format": _FORMAT,
        "architecture": _description(network, factory),
        "activation": activation,
        "normalisation": normalisation,
        "metadata": metadata or {},
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with new_file(description, overwrite=overwrite) as file:
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    with new_file(weights, overwrite=overwrite) as file:
        file.write_bytes(weights_as_bytes(tensors))
    return weights


def _description(network: nn.Module, factory: str | None) -> dict[str, Any]:
    if factory is not None:
        return {"factory": factory, "arguments": network.factory_arguments}
    assert isinstance(network, UNet)
    return asdict(network.architecture)


def load(source: str | os.PathLike[str]) -> LoadedNetwork:
    """A network from a checkpoint of :func:`save`, or from a factory of your own.

    Args:
        source: ``"X.safetensors"`` with its ``X.json`` beside it; or ``"module:factory"``, a function without arguments
            in an importable module (the current folder is searched too). It returns an ``nn.Module``, which is taken to
            give probabilities from unscaled images, or a :class:`LoadedNetwork` that says otherwise.

    Returns:
        The network, on the CPU and in evaluation mode.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If ``source`` is of neither form, a file is damaged or of another kind, or the factory is not found
            or fails, for example because it needs arguments.
        TypeError: If the factory returns something else.
    """
    text = os.fspath(source)
    if text.endswith(".safetensors"):
        return _load_checkpoint(Path(text))
    module, colon, factory = text.rpartition(":")
    if colon and all(name.isidentifier() for name in (*module.split("."), factory)):
        return _load_factory(module, factory)
    raise ValueError(f"network must be a file X.safetensors or module:factory, got {text!r}")


def _load_checkpoint(weights: Path) -> LoadedNetwork:
    description = weights.with_suffix(".json")
    for file in (weights, description):
        if not file.is_file():
            raise FileNotFoundError(f"{file} does not exist; a checkpoint is X.safetensors with X.json beside it")
    loaded = _described(description)
    try:
        loaded.network.load_state_dict(load_weights(weights.read_bytes()))
    except SafetensorError as error:
        raise ValueError(f"{weights} is damaged or not a safetensors file: {error}") from error
    except RuntimeError as error:
        raise ValueError(f"the weights in {weights} do not fit the network that {description} describes") from error
    return loaded


def _described(description: Path) -> LoadedNetwork:
    """A network with the stated architecture and fresh weights."""
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
    except ValueError as error:  # bad JSON or bad UTF-8
        raise ValueError(f"{description} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{description} does not describe a network: its format must be {_FORMAT!r}")
    try:
        stated = content["architecture"]
        own = set(stated) == {"factory", "arguments"}
        if not own and set(stated) != {one.name for one in fields(Architecture)}:
            raise ValueError(f"architecture has the wrong entries: {sorted(stated)}")
        architecture = None if own else Architecture(**{**stated, "channels": tuple(stated["channels"])})
        metadata = dict(content["metadata"])
        if content["activation"] is not None:
            _check_word("activation", content["activation"], get_args(Activation))
        _check_word("normalisation", content["normalisation"], get_args(Normalisation))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{description} does not describe a network: {error}") from error
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn and replaced: leave the caller's generator alone
        network = UNet(architecture) if architecture else build(stated["factory"], stated["arguments"])
    return LoadedNetwork(network.eval(), content["activation"], content["normalisation"], metadata)


def _load_factory(module: str, factory: str) -> LoadedNetwork:
    made = made_by(module, factory, {})
    loaded = made if isinstance(made, LoadedNetwork) else LoadedNetwork(made)
    if not isinstance(loaded.network, nn.Module):
        raise TypeError(f"{module}:{factory} must return a torch.nn.Module, got {type(loaded.network).__name__}")
    loaded.network.eval()
    return loaded


def weights_digest(network: nn.Module) -> str:
    """Tells a network from one with other weights.

    Examples:
        >>> weights_digest(nn.ReLU())
        'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, got {value!r}")
