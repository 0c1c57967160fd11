"""The topological metrics behind MONAI's interface: called batch by batch, aggregated at the end of an epoch.

Each does what the function of the same name in `topoprior.metrics` does. Dice and surface distances are in
``monai.metrics`` already. This module needs MONAI: ``pip install 'topoprior[monai]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from topoprior.evaluation.metrics import betti_error, cl_dice, topological_success
from topoprior.topology.filtration import check_options

try:
    from monai.metrics import CumulativeIterationMetric
    from monai.metrics.utils import do_metric_reduction
except ImportError as error:
    raise ImportError("metrics with MONAI's interface need MONAI: pip install 'topoprior[monai]'") from error

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Boundary, Construction


class _Metric(CumulativeIterationMetric):  # type: ignore[misc]  # MONAI has no types
    """What all three share: leaving channel 0 out, and the reduction."""

    def __init__(self, include_background: bool, reduction: str, get_not_nans: bool) -> None:
        super().__init__()
        self.include_background = include_background
        self.reduction = reduction
        self.get_not_nans = get_not_nans

    def aggregate(self, reduction: str | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Reduce all that was collected since `reset`.

        Args:
            reduction: As MONAI's: ``"mean"``, ``"mean_batch"`` (one value for each channel), ``"none"``, ...; by
                default the one given at the start.

        Returns:
            The reduced metric, and with ``get_not_nans`` the number of values in it.

        Raises:
            ValueError: If nothing was collected.
        """
        collected = self.get_buffer()
        if not isinstance(collected, torch.Tensor):
            raise ValueError("there is nothing to aggregate: call the metric with masks first")
        reduced, not_nans = do_metric_reduction(collected, reduction or self.reduction)
        return (reduced, not_nans) if self.get_not_nans else reduced

    def _foreground(self, masks: Tensor, name: str) -> Tensor:
        if self.include_background:
            return masks
        if masks.ndim < 2 or masks.shape[1] < 2:
            raise ValueError(
                f"include_background=False leaves channel 0 out, and {name} of shape {tuple(masks.shape)} has no other"
            )
        return masks[:, 1:]


class TopologicalSuccessMetric(_Metric):
    """Share of masks with the wanted topology.

    Call it with ``y_pred``, 0/1 valued of shape ``(batch, channel, *spatial)`` or a list of ``(channel, *spatial)``; a
    target is accepted and not looked at.

    Args:
        prior: One prior, or one for each channel (``[[prior, prior]]``).
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        include_background: Whether channel 0 is a class like the others; False for one-hot masks.
        reduction: MONAI's word for what ``aggregate`` averages over.
        get_not_nans: Whether ``aggregate`` also gives the number of values.

    Raises:
        ValueError: If ``construction`` or ``boundary`` is unknown, and when called, as `topological_success`.

    Examples:
        >>> from topoprior import BettiPrior
        >>> metric = TopologicalSuccessMetric(BettiPrior(1, 0))
        >>> one, two = torch.tensor([[[[1, 1, 1]]]]), torch.tensor([[[[1, 0, 1]]]])
        >>> metric(one), metric(two)
        (tensor([[1.]]), tensor([[0.]]))
        >>> metric.aggregate()
        tensor([0.5000])
    """

    def __init__(
        self,
        prior: PriorLike,
        *,
        construction: Construction = "T",
        boundary: Boundary = "background",
        include_background: bool = True,
        reduction: str = "mean",
        get_not_nans: bool = False,
    ) -> None:
        super().__init__(include_background, reduction, get_not_nans)
        check_options(construction, boundary)
        self.prior = prior
        self.construction: Construction = construction
        self.boundary: Boundary = boundary

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:  # noqa: ARG002
        mask = self._foreground(y_pred, "y_pred")
        return topological_success(mask, self.prior, construction=self.construction, boundary=self.boundary).float()


class BettiErrorMetric(TopologicalSuccessMetric):
    """Mean Betti error: features that are missing or too many, of one dimension or of all together.

    Call it as `TopologicalSuccessMetric`.

    Args:
        prior: One prior, or one for each channel (``[[prior, prior]]``).
        dimension: 0 components, 1 loops, 2 cavities; None: their sum.
        **options: The keyword arguments of `TopologicalSuccessMetric`.

    Examples:
        Three components where one is wanted:

        >>> from topoprior import BettiPrior
        >>> metric = BettiErrorMetric(BettiPrior(1, 0))
        >>> metric(torch.tensor([[[[1, 0, 1, 0, 1]]]]))
        tensor([[2.]])
    """

    def __init__(self, prior: PriorLike, *, dimension: int | None = None, **options: Any) -> None:
        super().__init__(prior, **options)
        self.dimension = dimension

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:  # noqa: ARG002
        mask = self._foreground(y_pred, "y_pred")
        error = betti_error(mask, self.prior, construction=self.construction, boundary=self.boundary)
        if self.dimension is None:
            return error.sum(-1).float()
        if self.dimension not in range(error.shape[-1]):
            raise ValueError(f"dimension must be one of {tuple(range(error.shape[-1]))} here, got {self.dimension!r}")
        return error[..., self.dimension].float()


class ClDiceMetric(_Metric):
    """Mean centreline Dice.

    Call it with ``y_pred`` and ``y``, both 0/1 valued of shape ``(batch, channel, *spatial)`` or lists of ``(channel,
    *spatial)``.

    Args:
        include_background: Whether channel 0 is a class like the others; False for one-hot masks.
        reduction: MONAI's word for what ``aggregate`` averages over.
        get_not_nans: Whether ``aggregate`` also gives the number of values.

    Raises:
        ValueError: When called, without ``y``, and as `cl_dice`.

    Examples:
        >>> metric = ClDiceMetric()
        >>> metric(torch.tensor([[[[1, 1, 1, 0, 0, 0]]]]), torch.ones(1, 1, 1, 6))
        tensor([[0.6667]])
    """

    def __init__(self, *, include_background: bool = True, reduction: str = "mean", get_not_nans: bool = False) -> None:
        super().__init__(include_background, reduction, get_not_nans)

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:
        if y is None:
            raise ValueError("centreline Dice compares with a target: give y")
        return cl_dice(self._foreground(y_pred, "y_pred"), self._foreground(y, "y")).float()
