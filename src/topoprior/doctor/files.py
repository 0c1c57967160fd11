"""The doctor's look at files: probability maps, logit maps, checkpoints and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from topoprior.doctor.diagnosis import diagnose
from topoprior.doctor.finding import Finding, worst_first
from topoprior.doctor.log import diagnose_log
from topoprior.doctor.network import diagnose_network
from topoprior.doctor.shape import stack_findings
from topoprior.imaging.io import read_image, read_values
from topoprior.imaging.networks import LoadedNetwork, load
from topoprior.imaging.padded_unet import UNet
from topoprior.imaging.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from topoprior.imaging.image import Image
    from topoprior.priors.betti_prior import BettiPrior

_MOST_AXES = 5  # batch, channel and three
_SIDES = {1: 64, 2: 64, 3: 32}  # of noise for a network
_SLICES = 8  # of an image for a network, from its middle


def diagnose_file(
    path: Path,
    prior: BettiPrior | None = None,
    *,
    slices: int | None = None,
    image: Path | None = None,
    activation: Any = None,
    **conventions: Any,
) -> list[Finding]:
    """Findings about a file, by what its name says that it is.

    Args:
        path: ``X.safetensors``, a network; ``metrics.jsonl`` or the folder that holds it, a log; an image, a map.
        prior: What is wanted of the map, or of the network's output for ``image``.
        slices: Take the map as a stack along this axis.
        image: For a network, what it is to segment; None for noise.
        activation: ``"sigmoid"`` if a map holds logits; of a network its checkpoint tells.
        **conventions: ``construction``, ``boundary``, ``power``, ``threshold``, as for `diagnose`.

    Returns:
        Findings, the worst first. A file that cannot be read is one.

    Raises:
        OSError: If there is no such file.
    """
    try:
        if path.suffix == ".jsonl" or path.is_dir():
            return diagnose_log(path)
        subject = load(path) if path.suffix == ".safetensors" else read_values(path, axes=_MOST_AXES)
    except ValueError as error:
        unreadable = Finding(
            "error",
            "unreadable",
            f"{str(error).removeprefix(f'{path}: ')}.",
            "Write the file anew; maps have 1 to 3 axes of finite real numbers.",
        )
        return [unreadable]
    if isinstance(subject, LoadedNetwork):
        return _network(subject, image, prior, conventions)
    return _map(subject, prior, slices, {"activation": activation, **conventions})


def _map(image: Image, prior: BettiPrior | None, slices: int | None, options: dict[str, Any]) -> list[Finding]:
    findings = []
    values = image.array if image.full_scale is None else image.probability()
    if values.ndim > 3 or (values.ndim == 3 and values.shape[0] == 1 and slices is None):
        findings.append(
            Finding(
                "warning" if values.ndim == 3 else "error",
                "batch and channel in the file",
                f"The shape is {values.shape}; a file holds spatial axes alone.",
                "Save array[0, 0] of (batch, channel, *spatial).",
                {"shape": list(values.shape)},
            )
        )
        while values.ndim > 2 and values.shape[0] == 1:
            values = values[0]
        if values.ndim > 3:
            return findings
    spacing = image.spacing if values.shape == image.array.shape else None
    dimensions = None if prior is None else prior.dimensions
    findings += stack_findings(values.shape, spacing, dimensions, slices)
    if not any(each.name in ("channels last", "prior of other dimensions") for each in findings):
        parts = image.cut(values, slices) if slices is not None else values[None]
        findings += diagnose(np.asarray(parts)[:, None], prior, **options)
    return worst_first(findings)


def _network(
    loaded: LoadedNetwork, image: Path | None, prior: BettiPrior | None, conventions: dict[str, Any]
) -> list[Finding]:
    images = _noise(loaded.network) if image is None else _prepared(loaded, image)
    one_class = loaded.activation != "softmax"
    wanted = None if image is None or not one_class else prior  # what is seen in noise has no topology to speak of
    loaded.network.requires_grad_(True)
    found = diagnose_network(
        loaded.network, loaded.normalise(images), wanted, activation=loaded.activation, **conventions
    )
    if image is None:
        found = [each for each in found if each.name not in ("empty", "full", "connectivity", "noise")]
    if prior is not None and wanted is None:
        reason = "The network has several classes" if not one_class else "Without an image the network sees noise"
        advice = "Give ClassPriors to topoprior.doctor.diagnose_network." if not one_class else "Give --image."
        found.append(Finding("note", "prior not used", f"{reason}, so the prior was not looked at.", advice))
    return found


def _prepared(loaded: LoadedNetwork, path: Path) -> Tensor:
    """The image as the network wants it, ``(slices, 1, *spatial)``."""
    image, recipe = read_image(path), Recipe.from_metadata(loaded.metadata)
    if recipe is None:
        return torch.from_numpy(image.intensity())[None, None]
    prepared = torch.from_numpy(recipe.preparation.prepare(image))[:, None]
    first = max(0, (len(prepared) - _SLICES) // 2)
    return prepared[first : first + _SLICES]


def _noise(network: nn.Module) -> Tensor:
    """An image of noise that fits the network."""
    if isinstance(network, UNet):
        axes, channels = network.architecture.spatial_dims, network.architecture.in_channels
    else:
        arguments: Any = getattr(network, "factory_arguments", {})
        axes, channels = arguments.get("spatial_dims", 2), arguments.get("in_channels", 1)
    return torch.randn(1, channels, *[_SIDES[axes]] * axes, generator=torch.Generator().manual_seed(0))
