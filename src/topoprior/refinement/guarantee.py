"""Guaranteed topology: the smallest edit found of a probability map whose mask has exactly the wanted Betti numbers.

No gradients. The edit is measured as the sum over all changed pixels of ``|probability - threshold|``, the least by
which the map has to change (in the L1 norm) to have that mask. A pixel of which the map is unsure costs little, one of
which it is sure costs half a pixel, and a saturated one no more than that; with log-odds instead, the digits of an
overconfident network would decide.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from topoprior.priors.betti_prior import resolve_priors
from topoprior.priors.class_priors import are_class_priors
from topoprior.priors.feasibility import check_reachable
from topoprior.priors.unions import most_probable
from topoprior.refinement.class_guarantee import guarantee_classes
from topoprior.refinement.editing.canvas import Canvas
from topoprior.refinement.editing.capacity import exceeds_bounds, is_decided
from topoprior.refinement.editing.search import least_betti, search
from topoprior.refinement.numbers import check_class_options, check_number
from topoprior.refinement.result import RefinementResult
from topoprior.topology.betti import betti_numbers
from topoprior.topology.filtration import LOGITS_HINT, as_images, check_options, check_values

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.stopping import StopReason
    from topoprior.topology.filtration import Boundary, Construction, Images


def guarantee(
    probability: Images,
    prior: PriorLike | ClassPriorsLike,
    *,
    include_background: bool = True,
    construction: Construction = "T",
    boundary: Boundary = "background",
    threshold: float = 0.5,
) -> RefinementResult:
    """Edit a probability map as little as found possible so that its mask has exactly the wanted topology.

    What is too many is removed in the cheapest way that the map offers: a component is deleted or bridged to its
    neighbour, a hole is filled, opened or joined to another. What is missing is made where the map has the clearest
    trace of it: along a bar that the threshold hides, or by closing a region that is wide inside and narrow at its
    mouth, such as a broken ring or an open shell. Edits that no longer matter are taken back at the end.

    Of a range the nearest allowed number is aimed at; what the prior does not care about may change.

    In 1-D and 2-D the mask is always right; what does not fit into the image is refused (below). In 3-D components,
    cavities and tunnels are edited likewise and all Betti numbers counted after each edit. Cutting the wrong tunnel may
    make others; where no edit helps, a block of cavities with pierced plates is deformed towards the map. So it is
    right wherever these fit; in volumes more crowded than that `succeeded` may be False.

    **What an image can carry.** Of m x n pixels with ``boundary="background"``, halves rounded up:

    - ``"T"``: at most m/2 * n/2 components, (m - 2)(n - 2)/2 holes;
    - ``"V"``: at most m n/2 components, (m - 2)/2 * (n - 2)/2 holes;
    - both together up to 4 b0 + 2 b1 = 3/4 m n (``"T"``) or 2 b0 + 4 b1 = 3/4 m n (``"V"``), from 16 x 16 pixels on;
    - ``boundary="foreground"`` has b0 and b1 if the other construction with background has (b1 + 1, b0 - 1).

    How much it is exactly is known where one side has at most 5 pixels and the other at most 24. In other images some
    numbers at the very edge are refused though it is not proven that no mask has them; the error says so.

    **Several classes.** With `ClassPriors` the channels are a softmax and the label map, in each pixel the most
    probable class, is edited until the priors of all classes and unions hold. The cost is the sum over the changed
    pixels of the probability of the old class less that of the new one, which comes to lead by a hair; channels go on
    summing to 1.
    Where edits do not get there, a drawing of boxes and shells with the wanted numbers is deformed towards the map. So
    in 2-D with the outside as background, `presets.short_axis_heart` is always reached in an image of 3 x 4 pixels or
    more, and so are other priors for which such a drawing is known. Where none is known, or none fits, the search goes
    on over worse label maps, in small images; it nearly always succeeds for priors that a label map like this one has,
    but may end with ``succeeded`` False.

    Args:
        probability: One map, shape ``(1, channel, *spatial)`` with 1 to 3 spatial axes, tensor or array, values in
            [0, 1]. Half precision comes back as float32.
        prior: What is wanted: one prior for all channels, or ``[[prior, prior, ...]]``, one per channel; or
            `ClassPriors`.
        include_background: Whether channel 0 has a prior. If False, it stays as it is, and the priors and the Betti
            numbers of the result are those of channels 1 and up.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        threshold: Probability at which the mask is cut; with class priors only 0.5.

    Returns:
        The edited map and mask, on the device of the input. Pixels that were turned have ``threshold``, or the next
        smaller number; all others keep their value. ``history["cost"]`` is the cost after each edit, ``steps`` the
        number of edits. ``network`` is None.

    Raises:
        TypeError: If ``probability`` is no floating-point tensor or array, or ``threshold`` no number.
        ValueError: If it is not one map, its values leave [0, 1] or are not finite, an option is out of range, or the
            prior asks for nothing, for what no mask can have, or for more than the image can carry, or is known to.
            With class priors if they contradict each other or do not fit the channels, or these are no softmax.

    Examples:
        A ring with a gap, and a speck. The gap is closed; to join the speck would cost more than to lose it:

        >>> import topoprior as tp
        >>> ring = torch.tensor([[[[0.9, 0.9, 0.9, 0.0, 0.0], [0.9, 0.0, 0.3, 0.0, 0.6], [0.9, 0.9, 0.9, 0.0, 0.0]]]])
        >>> result = tp.guarantee(ring, tp.BettiPrior(1, 1))
        >>> result.mask.int()
        tensor([[[[1, 1, 1, 0, 0],
                  [1, 0, 1, 0, 0],
                  [1, 1, 1, 0, 0]]]], dtype=torch.int32)
        >>> result.pixels_changed, round(result.history["cost"][-1], 3)
        (2, 0.3)
    """
    began = time.perf_counter()
    check_options(construction, boundary)
    check_number("threshold", threshold)
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must lie between 0 and 1, got {threshold}")
    given = as_images(probability, name="probability")
    check_values(given, name="probability", hint=LOGITS_HINT)
    if given.shape[0] != 1:
        raise ValueError(
            f"probability must be one map of shape (1, channel, *spatial), got {tuple(given.shape)}: "
            f"call guarantee once for each"
        )
    if are_class_priors(prior):
        check_class_options(threshold, include_background=include_background)
        with torch.inference_mode(False):
            return guarantee_classes(given, prior, construction, boundary)
    check_reachable(prior, boundary=boundary)
    first = 0 if include_background else 1
    if given.shape[1] == first:
        raise ValueError("include_background=False leaves no channel: probability has 1")
    with torch.inference_mode(False):
        reference = given.detach().to(torch.float64 if given.dtype == torch.float64 else torch.float32, copy=True)
        # The threshold as this type has it, so that comparisons here and later agree to the last bit.
        level = torch.tensor(threshold, dtype=reference.dtype)
        wanted = resolve_priors(prior, 1, reference.shape[1] - first, reference.ndim - 2)
        canvases = []
        for image, low, high in zip(reference[0, first:].cpu().numpy(), wanted.lower[0], wanted.upper[0], strict=True):
            canvas = Canvas(image, low.numpy(), high.numpy(), construction, boundary, level.item())
            _check_room(canvas)
            search(canvas)
            if canvas.error and image.ndim < 3:
                _refuse(canvas, impossible=is_decided(image.shape))
            canvases.append(canvas)
        before = reference >= level.item()
        edited = torch.from_numpy(np.stack([canvas.grid.image(canvas.mask) for canvas in canvases]))[None]
        mask = torch.cat((before[:, :first], edited.to(given.device)), 1)
        below = torch.nextafter(level, torch.zeros_like(level))
        turned = torch.where(mask, level.to(given.device), below.to(given.device))
        costs = np.concatenate([[0.0], *(np.diff(canvas.costs) for canvas in canvases)]).cumsum().tolist()
        error = sum(canvas.error for canvas in canvases)
        reason: StopReason = "no edit helps" if error else "topology right" if len(costs) > 1 else "already right"
        return RefinementResult(
            output=torch.where(mask == before, reference, turned),
            mask=mask,
            reference=reference,
            history={"cost": costs},
            betti_before=betti_numbers(before[:, first:], construction=construction, boundary=boundary),
            betti_after=betti_numbers(mask[:, first:], construction=construction, boundary=boundary),
            pixels_changed=int((mask != before).sum()),
            succeeded=not error,
            stop_reason=reason,
            steps=len(costs) - 1,
            best_step=len(costs) - 1,
            seconds=time.perf_counter() - began,
        )


def completed(
    result: RefinementResult,
    prior: PriorLike | ClassPriorsLike,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
    threshold: float = 0.5,
) -> RefinementResult:
    """A refinement that has the wanted topology: the same if it succeeded, otherwise with its output edited.

    Args:
        result: Of `refine`, `refine_many` or `refine_map`; where that left channel 0 out, so does this.
        prior: What was wanted.
        construction: As the refinement had it.
        boundary: As the refinement had it.
        threshold: As the refinement had it.

    Returns:
        The result with the edited output, counted from the reference; ``stop_reason`` is ``"edited"`` if that gave the
        wanted topology. History, steps and network are still those of the refinement.

    Raises:
        ValueError: As `guarantee`.

    Examples:
        >>> import topoprior as tp
        >>> row = torch.tensor([[[0.9, 0.1, 0.9, 0.9]]])
        >>> result = tp.refine_map(row, tp.BettiPrior(1), max_steps=0)
        >>> result = completed(result, tp.BettiPrior(1))
        >>> result.mask.int().tolist(), result.stop_reason
        ([[[0, 0, 1, 1]]], 'edited')
    """
    if result.succeeded:
        return result
    edited = guarantee(
        result.output,
        prior,
        include_background=are_class_priors(prior) or result.betti_before.shape[1] == result.output.shape[1],
        construction=construction,
        boundary=boundary,
        threshold=threshold,
    )
    return replace(
        result,
        output=edited.output,
        mask=edited.mask,
        betti_after=edited.betti_after,
        pixels_changed=_pixels_changed(edited.mask, result.reference, prior, threshold),
        succeeded=edited.succeeded,
        stop_reason="edited" if edited.succeeded else edited.stop_reason,
        seconds=result.seconds + edited.seconds,
    )


def _pixels_changed(mask: Tensor, reference: Tensor, prior: PriorLike | ClassPriorsLike, threshold: float) -> int:
    """Pixels that have changed sides, or their class."""
    if are_class_priors(prior):
        return int((mask.int().argmax(1) != most_probable(reference)).sum())
    return int((mask != (reference >= threshold)).sum())


def _check_room(canvas: Canvas) -> None:
    """Refuse a prior that goes beyond the bounds of its image."""
    grid = canvas.grid
    least = tuple(least_betti(canvas.lower, grid.outside_colour).tolist())
    if len(grid.shape) < 3 and exceeds_bounds(grid.shape, grid.construction, grid.boundary, least):
        _refuse(canvas, impossible=True)


def _refuse(canvas: Canvas, *, impossible: bool) -> NoReturn:
    grid = canvas.grid
    numbers = f"Betti numbers {canvas.lower.tolist()} or more within the prior"
    convention = f"with construction {grid.construction!r} and boundary {grid.boundary!r}"
    if impossible:
        raise ValueError(
            f"an image of shape {grid.shape} cannot carry the prior: no mask of it has {numbers}, {convention}"
        )
    raise ValueError(
        f"an image of shape {grid.shape} has hardly room for the prior: no mask of it is known that has {numbers}, "
        f"{convention}, nor is it proven that there is none; take a larger image or smaller numbers"
    )
