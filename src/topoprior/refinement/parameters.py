"""Which parameters of a network move."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

Parameters = str | Iterable[str] | Callable[[str, nn.Parameter], bool]

# Batch and instance normalisation of every dimension share one base class in torch.
_NORMALISATION = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def select(network: nn.Module, parameters: Parameters) -> dict[str, nn.Parameter]:
    """Let only the wanted parameters of a network require a gradient, and list them by name.

    Raises:
        TypeError: If ``parameters`` is nothing that can say which are wanted.
        ValueError: If it selects none.
    """
    wanted = _wanted_names(network, parameters)
    selected = {}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in wanted)
        if name in wanted:
            selected[name] = parameter
    if not selected:
        raise ValueError(f"parameters={parameters!r} selects no parameter of the network")
    return selected


def _wanted_names(network: nn.Module, parameters: Parameters) -> set[str]:
    named = dict(network.named_parameters())
    if parameters == "all":
        return set(named)
    if parameters == "normalisation":
        return {
            f"{prefix}.{name}" if prefix else name
            for prefix, module in network.named_modules()
            if isinstance(module, _NORMALISATION)
            for name, _ in module.named_parameters(recurse=False)
        }
    if parameters == "last":
        last = list(named)[-1:]
        return {name for name in named if last and name.rpartition(".")[0] == last[0].rpartition(".")[0]}
    if callable(parameters):
        return {name for name, parameter in named.items() if parameters(name, parameter)}
    if not isinstance(parameters, Iterable):
        raise TypeError(f"parameters must be 'all', 'normalisation', 'last', names, or a function, got {parameters!r}")
    prefixes = [parameters] if isinstance(parameters, str) else list(parameters)
    wanted = set()
    for prefix in prefixes:
        if not isinstance(prefix, str):
            raise TypeError(f"parameters given by their names must be text, got {prefix!r} in {parameters!r}")
        found = {name for name in named if name == prefix or name.startswith(f"{prefix}.")}
        if not found:
            raise ValueError(
                f"parameters must be 'all', 'normalisation', 'last', or names or prefixes of parameters of the "
                f"network; got {prefix!r}, which names none"
            )
        wanted |= found
    return wanted
