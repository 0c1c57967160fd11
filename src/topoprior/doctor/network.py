"""Why does a network not follow the loss? Looks at its parameters, at its output, and at the way between them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from topoprior.doctor.diagnosis import diagnose
from topoprior.doctor.finding import Finding, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriors

_NAMED = 5


def diagnose_network(
    network: nn.Module, images: Tensor, prior: PriorLike | ClassPriors | None = None, **options: Any
) -> list[Finding]:
    """Say why a network does not follow the topological loss: `topoprior.diagnose` of its output, and of the way there.

    A copy in evaluation mode is looked at; the network is not touched.

    Args:
        network: Maps ``(batch, channel, *spatial)`` to ``(batch, channel, *spatial)``.
        images: Its input.
        prior: What is wanted of the output; None to look at the network alone.
        **options: Those of `topoprior.diagnose`, above all ``activation``.

    Returns:
        Findings, the worst first.

    Examples:
        >>> network = nn.Conv2d(1, 1, 3, padding=1).requires_grad_(False)
        >>> found = diagnose_network(network, torch.rand(1, 1, 8, 9), activation="sigmoid")
        >>> [each.name for each in found if each.is_problem][0]
        'frozen'
    """
    network = copy.deepcopy(network).eval()
    findings = list(_parameters(network))
    try:
        with torch.enable_grad():
            output = network(images)
    except Exception as error:  # whatever code of others may raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        failed = Finding(
            "error",
            "network fails",
            f"On an input of shape {tuple(images.shape)} the network raises {type(error).__name__}: {reason}",
            "Give images as (batch, channel, *spatial) with the channels and axes that the network was built for.",
            {"shape": list(images.shape)},
        )
        return worst_first([*findings, failed])
    if not isinstance(output, Tensor):
        kind = type(output).__name__
        found = Finding(
            "error",
            "output",
            f"The network returns {kind}, not a tensor.",
            "Give the loss one tensor of it, such as output[0] of deep supervision.",
            {"type": kind},
        )
        return worst_first([*findings, found])
    if output.shape[2:] != images.shape[2:]:
        shapes = {"input": list(images.shape), "output": list(output.shape)}
        findings.append(
            Finding(
                "warning",
                "output of another size",
                f"The output has shape {tuple(output.shape)} for images of shape {tuple(images.shape)}.",
                "The topology is that of the output's grid: resample the output, or use a network that keeps the size.",
                shapes,
            )
        )
    if not any(each.name == "frozen" for each in findings):
        findings += _way_back(network, output)
    findings += _way_there(network, images, output.detach())
    of_output = diagnose(output.detach().cpu(), prior, **options)
    findings += [each for each in of_output if each.name != "cut graph"]  # detached here; looked at above
    return worst_first(findings)


def _parameters(network: nn.Module) -> Iterator[Finding]:
    parameters = dict(network.named_parameters())
    if not any(parameter.requires_grad for parameter in parameters.values()):
        yield Finding(
            "error",
            "frozen",
            f"None of {len(parameters)} parameters requires a gradient: nothing can be learnt.",
            "Call network.requires_grad_(True), for all or for the layers to adapt.",
            {"parameters": len(parameters)},
        )
    bad = [name for name, parameter in parameters.items() if not bool(torch.isfinite(parameter).all())]
    if bad:
        yield Finding(
            "error",
            "weights not finite",
            f"{len(bad)} of {len(parameters)} parameters hold NaN or infinity: {_list(bad)}.",
            "Go back to an earlier checkpoint and train with a lower learning rate.",
            {"parameters": bad},
        )


def _way_back(network: nn.Module, output: Tensor) -> Iterator[Finding]:
    """Does a gradient at the output reach the parameters?"""
    trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
    generator = torch.Generator().manual_seed(0)
    gradients: tuple[Tensor | None, ...] = (None,) * len(trained)
    if output.requires_grad:
        slope = torch.randn(output.shape, generator=generator).to(output)
        gradients = torch.autograd.grad(output, list(trained.values()), slope, allow_unused=True)
    cut = [name for name, gradient in zip(trained, gradients, strict=True) if gradient is None]
    dead = [name for name, each in zip(trained, gradients, strict=True) if each is not None and not bool(each.any())]
    measured = {"parameters": len(trained), "cut": len(cut), "zero": len(dead)}
    if len(cut) == len(trained):
        yield Finding(
            "error",
            "cut graph",
            f"The output depends on none of {len(trained)} parameters that require a gradient.",
            "Look in forward for .detach(), .data, .item(), NumPy, torch.no_grad, argmax, round and comparisons.",
            measured,
        )
    elif len(cut) + len(dead) == len(trained):
        yield Finding(
            "error",
            "dead gradient",
            "A gradient at the output is 0 in every parameter.",
            "Look for an activation that is flat here: a ReLU whose input is negative, a clamp, a saturated sigmoid.",
            measured,
        )
    elif cut:
        yield Finding(
            "note",
            "parameters without a gradient",
            f"The output does not depend on {len(cut)} of {len(trained)} parameters: {_list(cut)}.",
            "Fine for heads that are not used (deep supervision); otherwise look where the graph is cut.",
            measured,
        )


@torch.no_grad()
def _way_there(network: nn.Module, images: Tensor, output: Tensor) -> Iterator[Finding]:
    """Does the output depend on the image?"""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=generator).to(images)
    if bool(torch.equal(network(images + noise), output)):
        yield Finding(
            "error",
            "image ignored",
            "The output is the same when noise is added to the image.",
            "Look for constants, dead layers (ReLU, weights of 0) and outputs that are clamped or rounded.",
        )


def _list(names: list[str]) -> str:
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])
