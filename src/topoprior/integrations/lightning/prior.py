"""Equation 6 in Lightning: a mixin that adds the prior of unlabelled images to the loss of any module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from topoprior.integrations.prior_term import check_prior_term


class TopologyPriorMixin:
    """Trains a segmentation module with unlabelled images too, whose topology is all that is known of them.

    Put it before a ``LightningModule`` that trains on labelled batches; that module stays as it is:

        class WithPrior(TopologyPriorMixin, Segmenter): ...

        module = WithPrior(..., prior_loss=tp.BettiPriorLoss(tp.BettiPrior(1, 1), sigmoid=True), prior_weight=0.01)
        loaders = CombinedLoader({"labelled": ..., "unlabelled": ...}, "max_size_cycle")

    In each step ``Segmenter.training_step`` gets the batch ``"labelled"``, and to its loss is added ``prior_weight``
    times the prior loss of the batch ``"unlabelled"``, which is logged as ``train_topology_loss``, without the weight.
    The network should be able to segment already: train `Segmenter` first, or let the prior begin later.

    `unlabelled_prediction` and `topology_loss` may be overridden: for batches of another form, and for images that have
    priors of their own. Checkpoints are those of `Segmenter`, which reads them; ``load_from_checkpoint`` of the whole
    is given ``prior_loss`` again.

    Args:
        *args: Of the module.
        prior_loss: Of the network's output, without a target: `BettiPriorLoss` or `ClassPriorLoss` with the activation.
        prior_weight: Lambda of equation 6; there losses are sums, here means over the batches.
        prior_from_epoch: The prior enters from this epoch on; the first is 0.
        **kwargs: Of the module.

    Raises:
        ValueError: If ``prior_weight`` is not positive; in training, if the module has no loss to add to.
        TypeError: If ``prior_loss`` cannot be called; in training, if a batch has not the form above.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equation 6. PMC9721526.
    """

    def __init__(
        self,
        *args: Any,
        prior_loss: Callable[[Tensor], Tensor],
        prior_weight: float = 0.01,
        prior_from_epoch: int = 0,
        **kwargs: Any,
    ) -> None:
        check_prior_term(prior_loss, prior_weight, prefix="prior_")
        super().__init__(*args, **kwargs)
        self.prior_loss = prior_loss
        self.prior_weight = prior_weight
        self.prior_from_epoch = prior_from_epoch

    def save_hyperparameters(
        self, *args: Any, ignore: Sequence[str] | str = (), frame: Any = None, **options: Any
    ) -> None:
        """Lightning's, but for the loss: with an object of ours in it a checkpoint could not be read again."""
        if frame is None and (own := inspect.currentframe()) is not None:
            frame = own.f_back  # Lightning looks for the arguments there
        ignored = [*([ignore] if isinstance(ignore, str) else ignore or ()), "prior_loss"]
        super().save_hyperparameters(*args, ignore=ignored, frame=frame, **options)  # type: ignore[misc]

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Any:
        """What the module's own step returns for the labelled batch, with the prior in its loss."""
        if not isinstance(batch, Mapping) or not {"labelled", "unlabelled"} <= set(batch):
            got = sorted(map(str, batch)) if isinstance(batch, Mapping) else type(batch).__name__
            raise TypeError(f"a batch must be a dictionary with 'labelled' and 'unlabelled', got {got}")
        step = super().training_step(batch["labelled"], batch_idx)  # type: ignore[misc]
        if self.current_epoch < self.prior_from_epoch:  # type: ignore[attr-defined]
            return step
        loss = step["loss"] if isinstance(step, Mapping) else step
        if not isinstance(loss, Tensor):
            raise ValueError(
                f"training_step must return a loss to which the prior is added, got {type(loss).__name__}: manual "
                f"optimisation calls self.topology_loss(self.unlabelled_prediction(batch), batch) itself"
            )
        prediction = self.unlabelled_prediction(batch["unlabelled"])
        topology = self.topology_loss(prediction, batch["unlabelled"]).mean()
        self.log("train_topology_loss", topology.detach(), batch_size=len(prediction))  # type: ignore[attr-defined]
        total = loss + self.prior_weight * topology
        return {**step, "loss": total} if isinstance(step, Mapping) else total

    def unlabelled_prediction(self, batch: Any) -> Tensor:
        """The network's output for an unlabelled batch: images, or a sequence or ``{"image": ...}`` that holds them."""
        images = batch["image"] if isinstance(batch, Mapping) else batch if isinstance(batch, Tensor) else batch[0]
        prediction: Tensor = self(images)  # type: ignore[operator]
        return prediction

    def topology_loss(self, prediction: Tensor, batch: Any) -> Tensor:  # noqa: ARG002 - for those who override it
        """The prior loss of an unlabelled batch; override it where ``batch`` says what is wanted of each image."""
        return self.prior_loss(prediction)
