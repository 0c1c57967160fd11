"""Refinement of a network on many images at once: equation 5 for each, with weights of its own."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import torch
from torch import Tensor, nn

from topoprior.losses.economy import check_economy
from topoprior.priors.betti_prior import prior_table
from topoprior.priors.class_priors import are_class_priors
from topoprior.refinement.copies import Copies
from topoprior.refinement.goals import ChannelGoal
from topoprior.refinement.network import check_inputs
from topoprior.refinement.numbers import check_steps
from topoprior.refinement.optimisation import Settings
from topoprior.refinement.output import activation_of, check_reference, output_for
from topoprior.refinement.parameters import select
from topoprior.refinement.seats import Seat, taken_in_turn
from topoprior.refinement.stopping import StoppingRule

if TYPE_CHECKING:
    from topoprior.losses.functional import Essential
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.refinement.output import Activation
    from topoprior.refinement.parameters import Parameters
    from topoprior.refinement.result import RefinementResult
    from topoprior.refinement.seats import Row
    from topoprior.topology.filtration import Boundary, Construction

Progress: TypeAlias = Callable[[int, int], object]


def refine_many(
    network: nn.Module,
    images: Tensor,
    priors: PriorLike,
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
    threshold: float = 0.5,
    margin: float = 0.05,
    patience: int | None = 3,
    threads: int | None = None,
    batch_size: int = 64,
    networks: bool = False,
    progress: Progress | None = None,
) -> list[RefinementResult]:
    """Adapt a copy of a network to each of many images: `refine` for all of them, in a fraction of the time.

    What comes back is what ``[refine(network, image[None], prior) for image, prior in zip(images, priors)]`` gives, up
    to the rounding of floating-point numbers. Every image has its own copy of the weights, its own Adam, its own stop
    and its own best state; none knows of the others. But the copies take their steps together. An image that is done
    leaves the batch at once, and the next one takes its place.

    The gain is large for small images, where one image alone does not fill the processor; docs/how-to/make-it-fast.md
    has numbers. `ClassPriors`, an economy and the push beyond the paper are not to be had here: `refine` has them.

    Args:
        network: Any module that maps ``(1, channel, *spatial)`` to ``(1, channel, *spatial)`` and that
            ``torch.func.vmap`` can run: what it does must not hang on the values of the image.
        images: Shape ``(image, channel, *spatial)``, on the network's device.
        priors: What is wanted: one prior for all images; one for each image; or for each image one per channel, where
            ``[[prior, prior, ...]]`` serves all images.
        weight: As in `refine`, like all that follow up to ``threads``.
        learning_rate: Of Adam.
        max_steps: Largest number of steps of each image.
        activation: Applied to the network's output: ``"sigmoid"``, ``"softmax"`` (over the channels), or None.
        include_background: Whether channel 0 has a prior.
        parameters: What moves.
        construction: ``"T"`` or ``"V"``.
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        power: Exponent of the bar lengths in the loss, 2 (the paper) or 1.
        essential: ``"finite"`` (the paper's footnote 1) or ``"drop"``.
        max_bars: Only the longest bars of each dimension enter the loss; None for all.
        threshold: Probability at which the mask is cut.
        margin: The topology has to be right at ``threshold - margin`` and ``threshold + margin`` as well.
        patience: For this many states in a row. None: all steps are taken, right or not, and the last state is kept.
        threads: Threads of the persistence engine; None for torch's number.
        batch_size: Number of images, and so of copies of the weights and of Adam's two moments, that are in memory at
            once; and their activations. The results do not depend on it.
        networks: Whether each result holds its adapted network; one for each image, so mind the memory.
        progress: Called as ``progress(done, of)`` whenever images are done.

    Returns:
        One result for each image, in their order.

    Raises:
        TypeError: If ``network``, ``images``, the network's output or an option has the wrong type.
        ValueError: If the images are not a batch, the output is no probability map, no parameter is selected, the
            network cannot be run as many copies at once, a prior asks for nothing or for what no mask can have, comes
            as `ClassPriors`, or does not fit the images, or another option is out of range.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 3.3, equation 5. PMC9721526.

    Examples:
        The ring with a gap from `refine`, once to be closed and once to be left alone:

        >>> import topoprior as tp
        >>> image = torch.full((1, 6, 7), -2.0)
        >>> image[..., 1:5, 1:6] = 2.0
        >>> image[..., 2:4, 2:5] = -2.0
        >>> image[..., 1, 3] = -0.5
        >>> network = nn.Conv2d(1, 1, 1)
        >>> network.load_state_dict({"weight": torch.ones(1, 1, 1, 1), "bias": torch.zeros(1)})
        <All keys matched successfully>
        >>> images, priors = torch.stack([image, image]), [tp.BettiPrior(1, 1), tp.BettiPrior(1, 0)]
        >>> results = tp.refine_many(network, images, priors, activation="sigmoid", weight=1, learning_rate=0.05)
        >>> [(result.betti_after.tolist(), result.stop_reason) for result in results]
        [([[[1, 1]]], 'topology right'), ([[[1, 0]]], 'already right')]
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
        economy=check_economy(None),
        push=0.0,
        include_background=include_background,
        threads=threads,
        callback=None,
    )
    check_steps("batch_size", batch_size, least=1, of="images")
    check_inputs(network, images, name="images", shape="image")
    if are_class_priors(priors):
        raise ValueError("priors must be BettiPrior, got ClassPriors: call refine for each image instead")
    if len(images) == 0:
        return []
    activate = activation_of(activation)
    results: dict[int, RefinementResult] = {}
    # Normal mode inside: callers often predict under no_grad or inference_mode, whose tensors cannot be adapted.
    with torch.inference_mode(False), torch.enable_grad():
        shared = copy.deepcopy(network).eval()
        moving = select(shared, parameters)

        def check(reference: Tensor) -> None:
            check_reference(reference, activation, moving=len(moving), include_background=include_background)

        given = images.detach().as_subclass(Tensor)
        first = given[:1].clone()
        output = activate(output_for(first, shared(first)))
        check(output)
        rows = _rows(priors, len(images), output, settings)
        copies = Copies(shared, moving, count=min(batch_size, len(images)), learning_rate=learning_rate)

        def predict(seats: list[Seat]) -> Tensor:
            output = activate(copies.predict(given[[seat.image for seat in seats]]))
            new = [row for row, seat in enumerate(seats) if seat.reference is None]
            if new:
                check(output[new])
            for row in new:
                seats[row].reference = output[row : row + 1].detach().clone()
            return output

        for seat in taken_in_turn(rows, copies, predict, settings, networks=networks):
            results[seat.image] = _result(seat, settings, network)
            if progress is not None:
                progress(len(results), len(images))
    return [results[image] for image in range(len(images))]


def _rows(priors: PriorLike, count: int, output: Tensor, settings: Settings) -> list[Row]:
    """The priors of each image, each of them checked as `refine` would, on an image of one pixel."""
    channels, axes = output.shape[1], output.ndim - 2
    wanted = channels if settings.include_background else channels - 1
    table = prior_table(priors, count, wanted)
    rows = [tuple(row * (wanted // len(row))) for row in table] * (count // len(table))
    pixel = output.new_zeros(1, channels, *[1] * axes)
    for row in dict.fromkeys(rows):
        goal = ChannelGoal([row], settings)
        goal.topology(pixel)
        goal.check_reachable()
    return rows


def _result(seat: Seat, settings: Settings, network: nn.Module) -> RefinementResult:
    """What comes back for one image; with its network, if its weights were kept."""
    seconds = time.perf_counter() - seat.began
    result = seat.course.result(ChannelGoal([seat.row], settings), cast("Tensor", seat.reference), seconds)
    if seat.weights is None:
        return result
    adapted = copy.deepcopy(network).eval()
    with torch.no_grad():
        for name, value in seat.weights.items():
            adapted.get_parameter(name).copy_(value)
    return replace(result, network=adapted)
