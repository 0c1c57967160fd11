"""Refinement of a bare probability map: equation 5 with the map itself in place of the network's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from topoprior.losses.economy import check_economy
from topoprior.priors.class_priors import are_class_priors
from topoprior.priors.unions import check_partition
from topoprior.refinement.free_maps import free_channels, free_classes
from topoprior.refinement.optimisation import Settings, minimise
from topoprior.refinement.stopping import StoppingRule
from topoprior.topology.filtration import LOGITS_HINT, as_images, check_values, in_full_precision

if TYPE_CHECKING:
    from topoprior.losses.economy import Economy
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.course import Callback
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction, Images


def refine_map(
    probability: Images,
    prior: PriorLike | ClassPriorsLike,
    *,
    weight: float = 0.1,
    learning_rate: float = 0.5,
    max_steps: int = 500,
    include_background: bool = True,
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
    """Change a probability map as little as it takes to give it the wanted topology (equation 5, without a network).

    The pixels move on their own, by Adam in logit space, against the same distance to the map one started from::

        (1/V) |S - S_n|^2  +  weight * L_topo(S)

    Only pixels that set a bar move, so most of the map keeps its exact values. There is no image behind the map: where
    a network would find support in the image for one of several ways to repair the topology, this takes the cheapest.
    Prefer `refine` where the network is at hand.

    Stop rule, best state and the meaning of an already right map are those of `refine`; so are the limits: a wanted
    feature of which the map shows no trace gets no push, and with two large components where one is wanted the map
    cannot know which one to keep. Beyond the paper ``push`` lifts the first, as explained there.

    Args:
        probability: One map, shape ``(1, channel, *spatial)`` with 1 to 3 spatial axes, tensor or array, values in
            [0, 1]; exact zeros and ones may move too. Half precision is refined in float32 and comes back so.
        prior: What is wanted: one prior for all channels; or ``[[prior, prior, ...]]``, one per channel; or
            `ClassPriors` where the channels are the softmax of classes, see `refine`.
        weight: Lambda of equation 5. Higher trades pixels for topology.
        learning_rate: Of Adam, in logits.
        max_steps: Largest number of steps.
        include_background: Whether channel 0 has a prior. Channels move independently of each other: they need not sum
            to 1 afterwards. (With `ClassPriors` they do.)
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
        margin: The topology has to be right at ``threshold - margin`` and ``threshold + margin`` as well.
        patience: For this many states in a row. None: all steps are taken, and the last state is kept, see `refine`.
        threads: Threads of the persistence engine; None for torch's number.
        callback: Called as ``callback(step, {"loss": ..., "fidelity": ..., "topology": ...})`` for every state, the
            reference (step 0) included.

    Returns:
        The refined map and mask, on the device of the input, the loss curves, the Betti numbers before and after,
        the number of pixels changed, and why the run stopped. ``network`` is None.

    Raises:
        TypeError: If ``probability`` is no floating-point tensor or array, or an option has the wrong type.
        ValueError: If it is not one map, its values leave [0, 1] or are not finite, the prior asks for nothing or for
            what no mask can have, or an option is out of range.

    References:
        After Clough et al. (2022), IEEE TPAMI 44(12), equation 5. PMC9721526. The variant without a network is ours.

    Examples:
        A row with two bright ends, wanted as one component; the gap of 0.1 closes:

        >>> import topoprior as tp
        >>> result = tp.refine_map(torch.tensor([[[1.0, 0.9, 0.1, 0.9]]]), tp.BettiPrior(1), weight=1)
        >>> result.betti_before.tolist(), result.betti_after.tolist(), result.succeeded
        ([[[2]]], [[[1]]], True)
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
    given = as_images(probability, name="probability")
    check_values(given, name="probability", hint=LOGITS_HINT)
    if given.shape[0] != 1:
        raise ValueError(
            f"probability must be one map of shape (1, channel, *spatial), got {tuple(given.shape)}: "
            f"call refine_map once for each"
        )
    if not include_background and given.shape[1] < 2:
        raise ValueError("include_background=False leaves no channel: probability has 1")
    if are_class_priors(prior):
        check_partition(given, name="probability")
    # Normal mode inside: callers often predict under no_grad or inference_mode, whose tensors cannot be optimised.
    with torch.inference_mode(False), torch.enable_grad():
        reference = in_full_precision(given.detach().clone())
        free = free_classes(reference) if are_class_priors(prior) else free_channels(reference)
        return minimise(free.predict, [free.offset], prior, settings, project=free.project)
