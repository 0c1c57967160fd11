"""Refinement of a network on one image: equation 5 over the network's weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from topoprior.losses.economy import check_economy
from topoprior.priors.class_priors import are_class_priors
from topoprior.priors.unions import check_partition
from topoprior.refinement.optimisation import Settings, minimise
from topoprior.refinement.stopping import StoppingRule

if TYPE_CHECKING:
    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.optimisation import Callback
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction

Activation = Literal["sigmoid", "softmax"]
Parameters = str | Iterable[str] | Callable[[str, nn.Parameter], bool]

# Batch and instance normalisation of every dimension share one base class in torch.
_NORMALISATION = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def refine(
    network: nn.Module,
    image: Tensor,
    prior: PriorLike | ClassPriorsLike,
    *,
    weight: float = 0.1,
    learning_rate: float = 3e-4,
    max_steps: int = 100,
    activation: Activation | None = None,
    include_background: bool = True,
    parameters: Parameters = "all",
    construction: Construction = "T",
    boundary: Boundary = "background",
    power: Literal[1, 2] = 2,
    essential: Essential = "finite",
    max_bars: int | None = None,
    economy: Economy | None = None,
    push: float = 0.0,
    threshold: float = 0.5,
    margin: float = 0.05,
    patience: int = 3,
    threads: int | None = None,
    callback: Callback | None = None,
) -> RefinementResult:
    """Adapt a copy of a network to one image until its output has the wanted topology (equation 5).

    The copy starts at the given weights ``w_n`` and minimises by Adam

        (1/V) |f(X, w) - f(X, w_n)|^2  +  weight * L_topo(f(X, w)),

    with ``V`` the number of values of the output and ``f(X, w_n)`` the reference output, detached. The given network
    is not touched. The copy runs in evaluation mode, so that running statistics and dropout stay as trained. The run
    stops when the Betti numbers are right with a margin for some steps in a row, and the best state is kept, never
    merely the last; see `topoprior.refinement.stopping` for the two rules. An output whose topology is already right
    comes back at once, unchanged.

    Every image has its own reference and is adapted on its own, so there is one image per call; loop over a batch:
    ``[refine(network, image[None], prior) for image, prior in zip(images, priors)]``.

    Two limits of the method, not of the optimiser: a wanted feature of which the output shows no trace at all (no bar
    in any dimension asked for) gets no push, because its bar has length zero and no pixel to act on; and where the
    output is far off, the nearest minimum need not be the anatomy, as with two large components of which the network
    cannot know which one to keep. Where ``result.succeeded`` is False, ``refine_map(result.output, prior)`` often
    repairs the rest. docs/concepts/refinement.md has measurements.

    **Beyond the paper**, and off by default, ``push`` lifts the first limit. While the mask has the wrong topology it
    adds to ``L_topo`` ``push`` times the distance to the nearest map found that has the right one: what the edit of
    `guarantee` costs. Its slope is 1 in all pixels of the edit, such as the way across a gap, whatever their values.

    Args:
        network: Any module that maps ``image`` to ``(1, channel, *spatial)``.
        image: One image, shape ``(1, channel, *spatial)``, on the network's device.
        prior: What is wanted: one prior for all channels; or ``[[prior, prior, ...]]``, one per channel; or
            `ClassPriors` for a network with a softmax over classes. Then the mask is the label map, in each pixel the
            most probable class, and the Betti numbers of the result are those of the classes and unions that have a
            prior, in the order of ``ClassPriors.unions``.
        weight: Lambda of equation 5. Higher trades pixels for topology.
        learning_rate: Of Adam.
        max_steps: Largest number of steps.
        activation: Applied to the network's output: ``"sigmoid"``, ``"softmax"`` (over the channels), or None if the
            network gives probabilities itself.
        include_background: Whether channel 0 has a prior. If False, the priors and the Betti numbers of the result
            are those of channels 1 and up; all channels stay in the fidelity term, the output and the mask.
        parameters: What moves: ``"all"``; ``"normalisation"`` (scale and shift of the normalisation layers);
            ``"last"`` (the last registered module that has parameters); names or prefixes such as ``["decoder"]``;
            or a function of name and parameter that says yes or no. The flags ``requires_grad`` of the given network
            do not matter.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        power: Exponent of the bar lengths in the loss, 2 (the paper) or 1.
        essential: ``"finite"`` (the paper's footnote 1) or ``"drop"``.
        max_bars: Only the longest bars of each dimension enter the loss; None for all.
        economy: What the loss may leave out of large volumes, see `topoprior.Economy`. The verdict on the topology is
            always exact: it looks at all pixels, or at the box of a ``region`` below ``threshold - margin``.
        push: How hard to push towards the nearest map found with the wanted topology, see above; not with
            `ClassPriors`. 0 is the paper's loss; at 1 every pixel of the edit is pushed as hard as one that sets a bar
            of length 0.5. In 3-D tunnels may get no push, or a poor one, and a cavity is put where it costs least.
        threshold: Probability at which the mask is cut.
        margin: The topology has to be right at ``threshold - margin`` and ``threshold + margin`` as well; with
            `ClassPriors`, if every union loses, or takes, the pixels that it leads or trails by up to ``2 * margin``.
        patience: For this many states in a row.
        threads: Threads of the persistence engine; None for torch's number.
        callback: Called as ``callback(step, {"loss": ..., "fidelity": ..., "topology": ...})`` for every state, the
            reference (step 0) included.

    Returns:
        The refined output and mask, the loss curves, the Betti numbers before and after, the number of pixels
        changed, why the run stopped, and the adapted network.

    Raises:
        TypeError: If ``network``, ``image``, the network's output or an option has the wrong type.
        ValueError: If the image is not one image, the output is no probability map, no parameter is selected, the
            prior asks for nothing or for what no mask can have, or another option is out of range.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 3.3, equation 5. PMC9721526. Optimiser, stop rule and the
        choice of parameters are not stated there; they are ours.

    Examples:
        A ring with a gap, from a network that only passes its image through one convolution:

        >>> import topoprior as tp
        >>> image = torch.full((1, 1, 6, 7), -2.0)
        >>> image[..., 1:5, 1:6] = 2.0
        >>> image[..., 2:4, 2:5] = -2.0
        >>> image[..., 1, 3] = -0.5
        >>> network = nn.Conv2d(1, 1, 1)
        >>> network.load_state_dict({"weight": torch.ones(1, 1, 1, 1), "bias": torch.zeros(1)})
        <All keys matched successfully>
        >>> result = tp.refine(
        ...     network, image, tp.BettiPrior(1, 1), activation="sigmoid", weight=1, learning_rate=0.05
        ... )
        >>> result.betti_before.tolist(), result.betti_after.tolist(), result.stop_reason
        ([[[1, 0]]], [[[1, 1]]], 'topology right')
    """
    settings = Settings(
        weight=weight,
        learning_rate=learning_rate,
        max_steps=max_steps,
        rule=StoppingRule(threshold=threshold, margin=margin, patience=patience),
        construction=construction,
        boundary=boundary,
        power=power,
        essential=essential,
        max_bars=max_bars,
        economy=check_economy(economy),
        push=push,
        include_background=include_background,
        threads=threads,
        callback=callback,
    )
    _check_inputs(network, image)
    activate = _activation(activation)
    # Normal mode inside: callers often predict under no_grad or inference_mode, whose tensors cannot be adapted.
    with torch.inference_mode(False), torch.enable_grad():
        adapted = copy.deepcopy(network).eval()
        fixed_image = image.detach().clone().as_subclass(Tensor)
        flags = {name: parameter.requires_grad for name, parameter in adapted.named_parameters()}
        variables = _select(adapted, parameters)

        def predict() -> Tensor:
            return activate(_tensor(adapted(fixed_image)))

        reference = predict()
        if activation == "softmax" and reference.shape[1:2] == (1,):  # ones everywhere, with no gradient
            raise ValueError(
                f"activation='softmax' needs at least 2 channels, got an output of shape {tuple(reference.shape)}: "
                f"one channel goes with activation='sigmoid'"
            )
        _check_output(reference, image, variables, include_background)
        if are_class_priors(prior):
            check_partition(reference, name="the network's output")
        result = minimise(predict, variables, prior, settings)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_(flags[name])
    return replace(result, network=adapted)


def _check_inputs(network: nn.Module, image: Tensor) -> None:
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, got {type(network).__name__}")
    if not isinstance(image, Tensor):
        raise TypeError(f"image must be a torch tensor, got {type(image).__name__}")
    if image.ndim < 3:
        raise ValueError(f"image must have shape (1, channel, *spatial), got {tuple(image.shape)}")
    if image.shape[0] != 1:
        raise ValueError(
            f"image must be one image of shape (1, channel, *spatial), got {tuple(image.shape)}: every image gets its "
            f"own copy of the network, so call refine once for each"
        )


def _activation(name: Activation | None) -> Callable[[Tensor], Tensor]:
    if name is None:
        return lambda output: output
    if name == "sigmoid":
        return torch.sigmoid
    if name == "softmax":
        return lambda output: torch.softmax(output, dim=1)
    raise ValueError(f"activation must be 'sigmoid', 'softmax' or None, got {name!r}")


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(f"network must return one tensor (1, channel, *spatial), got {type(output).__name__}")
    return output.as_subclass(Tensor)  # a MONAI MetaTensor would drag its metadata through every step


def _check_output(output: Tensor, image: Tensor, variables: list[nn.Parameter], include_background: bool) -> None:
    """Say early, and in the network's words, what would fail later in those of the loss."""
    if output.ndim < 3 or output.shape[0] != 1:
        raise ValueError(
            f"network must map an image of shape {tuple(image.shape)} to (1, channel, *spatial), "
            f"got {tuple(output.shape)}"
        )
    if not include_background and output.shape[1] < 2:
        raise ValueError("include_background=False leaves no channel: the network's output has 1")
    low, high = output.min().item(), output.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(
            f"network must give probabilities in [0, 1], got values from {low:.4g} to {high:.4g}: for logits pass "
            f"activation='sigmoid' (or 'softmax')"
        )
    if not output.requires_grad:
        raise ValueError(
            f"the output does not depend on the {len(variables)} selected parameters: the network detaches it, or "
            f"does not use them"
        )


def _select(network: nn.Module, parameters: Parameters) -> list[nn.Parameter]:
    """Let only the wanted parameters move, and list them."""
    wanted = _wanted_names(network, parameters)
    selected = []
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in wanted)
        if name in wanted:
            selected.append(parameter)
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
