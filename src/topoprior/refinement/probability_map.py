"""Refinement of a bare probability map: equation 5 with the map itself in place of the network's weights.

**The free variable** is an offset ``u`` per pixel in logit space, added where the reference ``S_n`` lies::

    S(u) = S_n + (sigmoid(z + u) - sigmoid(z)) / (1 - 2e),    z = logit(e + (1 - 2e) * S_n),    |z + u| <= logit(1 - e)

The squeeze by ``e`` keeps the slope of the sigmoid above zero where ``S_n`` is exactly 0 or 1, so those pixels can
move; the bound keeps ``S`` in [0, 1]; and a pixel with ``u = 0`` keeps its value to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from topoprior.refinement.optimisation import Settings, minimise
from topoprior.refinement.stopping import StoppingRule
from topoprior.topology.filtration import LOGITS_HINT, as_images, check_values

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.refinement.optimisation import Callback
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction, Images

# e above: at 0 and 1 the slope of the sigmoid is then 0.01 of a logit, against 0.25 at 0.5.
_SQUEEZE = 0.01


def refine_map(
    probability: Images,
    prior: PriorLike,
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
    threshold: float = 0.5,
    margin: float = 0.05,
    patience: int = 3,
    threads: int | None = None,
    callback: Callback | None = None,
) -> RefinementResult:
    """Change a probability map as little as it takes to give it the wanted topology (equation 5, without a network).

    The pixels move on their own, by Adam in logit space, against the same distance to the map one started from:

        (1/V) |S - S_n|^2  +  weight * L_topo(S)

    Only pixels that set a bar move, so most of the map keeps its exact values. There is no image behind the map: where
    a network would find support in the image for one of several ways to repair the topology, this takes the cheapest.
    Prefer `refine` where the network is at hand.

    Stop rule, best state and the meaning of an already right map are those of `refine`; so are the limits: a wanted
    feature of which the map shows no trace gets no push, and with two large components where one is wanted the map
    cannot know which one to keep.

    Args:
        probability: One map, shape ``(1, channel, *spatial)`` with 1 to 3 spatial axes, tensor or array, values in
            [0, 1]; exact zeros and ones may move too. Half precision is refined in float32 and comes back so.
        prior: What is wanted: one prior for all channels, or ``[[prior, prior, ...]]``, one per channel.
        weight: Lambda of equation 5. Higher trades pixels for topology.
        learning_rate: Of Adam, in logits.
        max_steps: Largest number of steps.
        include_background: Whether channel 0 has a prior. Channels move independently of each other: they need not sum
            to 1 afterwards.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        power: Exponent of the bar lengths in the loss, 2 (the paper) or 1.
        essential: ``"finite"`` (the paper's footnote 1) or ``"drop"``.
        max_bars: Only the longest bars of each dimension enter the loss; None for all.
        threshold: Probability at which the mask is cut.
        margin: The topology has to be right at ``threshold - margin`` and ``threshold + margin`` as well.
        patience: For this many states in a row.
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
    # Normal mode inside: callers often predict under no_grad or inference_mode, whose tensors cannot be optimised.
    with torch.inference_mode(False), torch.enable_grad():
        half = given.dtype in (torch.float16, torch.bfloat16)
        reference = given.detach().to(torch.float32 if half else given.dtype, copy=True)
        squeezed = _SQUEEZE + (1 - 2 * _SQUEEZE) * reference
        start = torch.logit(squeezed)
        bound = math.log((1 - _SQUEEZE) / _SQUEEZE)
        offset = torch.zeros_like(reference, requires_grad=True)

        def predict() -> Tensor:
            moved = reference + (torch.sigmoid(start + offset) - torch.sigmoid(start)) / (1 - 2 * _SQUEEZE)
            # Rounding may leave [0, 1] by one bit. Clamped without its gradient, which is 0 just where it is needed.
            return moved + (moved.clamp(0, 1) - moved).detach()

        @torch.no_grad()
        def project() -> None:
            offset.clamp_(-bound - start, bound - start)

        return minimise(predict, [offset], prior, settings, project=project)
