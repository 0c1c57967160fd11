"""Equation 6 in MONAI's training engine: the prior of unlabelled images joins the loss of each step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from topoprior.integrations.prior_term import check_prior_term

try:
    from monai.engines.utils import IterationEvents
    from monai.utils import CommonKeys
except ImportError as error:
    raise ImportError("the handler for MONAI's engines needs MONAI: pip install 'topoprior[monai]'") from error

if TYPE_CHECKING:
    from collections.abc import Callable


class TopologyPriorHandler:
    """Adds ``weight * loss(network(unlabelled images))`` to the loss of every step of a ``SupervisedTrainer``.

    It comes between the loss and the backward pass, so mixed precision and accumulated gradients stay the trainer's
    business. The network should be able to segment already: train it without the prior first, or let the prior begin
    later.

    Args:
        loss: Of the network's output, without a target: `BettiPriorLoss` or `ClassPriorLoss` with the activation.
        unlabelled: Batches of images, over and over: tensors, or mappings of which ``image_key`` is taken.
        weight: Lambda of equation 6; there losses are sums, here means over the batches.
        image_key: Of the images in a batch.
        first_epoch: The prior enters from this epoch on; the first is 1.

    Raises:
        ValueError: If ``weight`` is not positive; when a step is taken, if ``unlabelled`` is empty.
        TypeError: If ``loss`` cannot be called.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equation 6. PMC9721526.
    """

    def __init__(
        self,
        loss: Callable[[Tensor], Tensor],
        unlabelled: Iterable[Any],
        *,
        weight: float = 0.01,
        image_key: str = CommonKeys.IMAGE,
        first_epoch: int = 1,
    ) -> None:
        check_prior_term(loss, weight)
        self.loss = loss
        self.unlabelled = unlabelled
        self.weight = weight
        self.image_key = image_key
        self.first_epoch = first_epoch
        self._batches: Iterator[Any] = iter(())

    def attach(self, engine: Any) -> None:
        """Register with a trainer, as MONAI does with its ``train_handlers``."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Add the prior to the loss of this step, and leave it alone in ``engine.state.output["topology"]``."""
        if engine.state.epoch < self.first_epoch:
            return
        images = self._next_images().to(engine.state.device, non_blocking=engine.non_blocking)
        topology = self.loss(engine.inferer(images, engine.network)).mean()
        output = engine.state.output
        output["topology"] = topology.detach()
        output[CommonKeys.LOSS] = output[CommonKeys.LOSS] + self.weight * topology

    def _next_images(self) -> Tensor:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self.unlabelled)
            batch = next(self._batches, None)
        if batch is None:
            raise ValueError("unlabelled must hold at least one batch, got none")
        images = batch[self.image_key] if isinstance(batch, Mapping) else batch
        if not isinstance(images, Tensor):
            raise TypeError(f"a batch of unlabelled images must be a tensor, got {type(images).__name__}")
        return images
