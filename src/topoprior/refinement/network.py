"""Refinement of a network on one image: equation 5 over the network's weights."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from topoprior.losses.economy import check_economy
from topoprior.priors.class_priors import are_class_priors
from topoprior.priors.unions import check_partition
from topoprior.refinement.optimisation import Settings, minimise
from topoprior.refinement.output import activation_of, check_reference, output_for
from topoprior.refinement.parameters import select
from topoprior.refinement.stopping import StoppingRule

if TYPE_CHECKING:
    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.course import Callback
    from topoprior.refinement.output import Activation
    from topoprior.refinement.parameters import Parameters
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction

# Learning rate and largest number of steps, chosen on validation patients: docs/concepts/refinement.md for one class,
# benchmarks/results/acdc_classes_scan.md for several. There 3e-4 costs the myocardium a point of Dice, 1e-4 does not.
DEFAULTS, CLASS_DEFAULTS = (3e-4, 100), (1e-4, 200)


def refine(
    network: nn.Module,
    image: Tensor,
    prior: PriorLike | ClassPriorsLike,
    *,
    weight: float = 0.1,
    learning_rate: float | None = None,
    max_steps: int | None = None,
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
    patience: int | None = 3,
    threads: int | None = None,
    callback: Callback | None = None,
) -> RefinementResult:
    """Adapt a copy of a network to one image until its output has the wanted topology (equation 5).

    The copy starts at the given weights ``w_n`` and minimises by Adam::

        (1/V) |f(X, w) - f(X, w_n)|^2  +  weight * L_topo(f(X, w)),

    with ``V`` the number of values of the output and ``f(X, w_n)`` the reference output, detached. The given network
    is not touched. The copy runs in evaluation mode, so that running statistics and dropout stay as trained. The run
    stops when the Betti numbers are right with a margin for some steps in a row, and the best state is kept, never
    merely the last; see `topoprior.refinement.stopping` for the two rules. An output whose topology is already right
    comes back at once, unchanged.

    Every image has its own reference and is adapted on its own, so there is one image per call. `refine_many` takes
    many images of one shape and is faster than a loop.

    Two limits of the method, not of the optimiser: a wanted feature of which the output shows no trace at all (no bar
    in any dimension asked for) gets no push, because its bar has length zero and no pixel to act on; and where the
    output is far off, the nearest minimum need not be the anatomy, as with two large components of which the network
    cannot know which one to keep. Where ``result.succeeded`` is False, ``refine_map(result.output, prior)`` often
    repairs the rest. docs/concepts/refinement.md has measurements.

    **Beyond the paper**, and off by default, ``push`` lifts the first limit. While the mask has the wrong topology it
    adds to ``L_topo`` ``push`` times the distance to the nearest map found that has the right one: what the edit of
    `guarantee` costs. Its slope is 1 in all pixels of the edit, such as the way across a gap, whatever their values.
    With `ClassPriors` it is an edit of the label map that heeds all of them, so no union is mended at the cost of a
    class. Pushed is the summed probability of the classes that would do in a pixel, and while a pixel is being pushed
    the bars have no say in it, because those of several unions together may hold it where it is.

    Args:
        network: Any module that maps ``image`` to ``(1, channel, *spatial)``.
        image: One image, shape ``(1, channel, *spatial)``, on the network's device.
        prior: What is wanted: one prior for all channels; or ``[[prior, prior, ...]]``, one per channel; or
            `ClassPriors` for a network with a softmax over classes. Then the mask is the label map, in each pixel the
            most probable class, and the Betti numbers of the result are those of the classes and unions that have a
            prior, in the order of ``ClassPriors.unions``.
        weight: Lambda of equation 5. Higher trades pixels for topology.
        learning_rate: Of Adam; None for 3e-4, with `ClassPriors` 1e-4.
        max_steps: Largest number of steps; None for 100, with `ClassPriors` 200.
        activation: Applied to the network's output, in float32 if that is of half precision: ``"sigmoid"``,
            ``"softmax"`` (over the channels), or None if the network gives probabilities itself.
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
        push: How hard to push towards the nearest map found with the wanted topology, see above. 0 is the paper's loss;
            at 1 every pixel of the edit is pushed as hard as one that sets a bar of length 0.5. In 3-D tunnels may get
            no push, or a poor one.
        threshold: Probability at which the mask is cut.
        margin: The topology has to be right at ``threshold - margin`` and ``threshold + margin`` as well; with
            `ClassPriors`, if every union loses, or takes, the pixels that it leads or trails by up to ``2 * margin``.
        patience: For this many states in a row. None: all steps are taken, right or not, and the last state is kept,
            for protocols with a fixed number of steps.
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
    rate, steps = CLASS_DEFAULTS if are_class_priors(prior) else DEFAULTS
    settings = Settings(
        weight=weight,
        learning_rate=rate if learning_rate is None else learning_rate,
        max_steps=steps if max_steps is None else max_steps,
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
    check_inputs(network, image)
    _check_one(image)
    activate = activation_of(activation)
    # Normal mode inside: callers often predict under no_grad or inference_mode, whose tensors cannot be adapted.
    with torch.inference_mode(False), torch.enable_grad():
        adapted = copy.deepcopy(network).eval()
        fixed_image = image.detach().clone().as_subclass(Tensor)
        flags = {name: parameter.requires_grad for name, parameter in adapted.named_parameters()}
        variables = list(select(adapted, parameters).values())

        def predict() -> Tensor:
            return activate(output_for(fixed_image, adapted(fixed_image)))

        reference = predict()
        check_reference(reference, activation, moving=len(variables), include_background=include_background)
        if are_class_priors(prior):
            check_partition(reference, name="the network's output")
        result = minimise(predict, variables, prior, settings)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_(flags[name])
    return replace(result, network=adapted)


def check_inputs(network: nn.Module, images: Tensor, *, name: str = "image", shape: str = "1") -> None:
    """Refuse what is no network, or no tensor of shape ``(1, channel, *spatial)`` (or more images, by another name).

    Raises:
        TypeError: If one of them is something else.
        ValueError: If the shape is another one.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, got {type(network).__name__}")
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} must be a torch tensor, got {type(images).__name__}")
    if images.ndim < 3:
        raise ValueError(f"{name} must have shape ({shape}, channel, *spatial), got {tuple(images.shape)}")


def _check_one(image: Tensor) -> None:
    if image.shape[0] != 1:
        raise ValueError(
            f"image must be one image of shape (1, channel, *spatial), got {tuple(image.shape)}: every image gets its "
            f"own copy of the network, so call refine once for each, or refine_many"
        )
