"""A Lightning callback that logs the topology of what a network says about validation and test images."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from topoprior.evaluation.class_topology import topology_of_labels
from topoprior.evaluation.metrics import betti_error
from topoprior.priors.class_priors import are_class_priors, resolve_class_priors
from topoprior.priors.unions import most_probable
from topoprior.refinement.output import activation_of
from topoprior.topology.filtration import LOGITS_HINT, as_images, check_options, check_values

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import PriorLike
    from topoprior.priors.class_priors import ClassPriorsLike
    from topoprior.refinement.output import Activation
    from topoprior.topology.filtration import Boundary, Construction

    Wanted: TypeAlias = PriorLike | ClassPriorsLike

_NAMES = ("lightning.pytorch", "pytorch_lightning")


def _callback() -> Any:
    """``Callback`` of the Lightning that is in use, else of the one that is installed."""
    for name in (*(name for name in _NAMES if name in sys.modules), *_NAMES):
        try:
            return importlib.import_module(name).Callback
        except ImportError:
            continue
    raise ImportError("the Lightning callback needs Lightning: pip install 'topoprior[lightning]'")


class TopologyMetrics(_callback()):  # type: ignore[misc]  # Lightning's class is found when this is imported
    """Logs the share of masks with the wanted topology and the mean Betti errors of every validation and test epoch.

    Logged are, means over the images of the epoch, in all processes: ``val_topological_success``, ``val_betti_error``
    (components, loops and cavities missing or too many, together) and ``val_betti_error_0``, ``_1``, ... (each
    dimension for itself); in a test run ``test_...``. So ``ModelCheckpoint(monitor="val_topological_success",
    mode="max")`` works. An image counts as right if all its channels, or all its classes and unions, are; errors are
    summed over them.

    Args:
        prior: What is wanted: one prior for all images; or ``[[prior, prior]]``, one per channel; or `ClassPriors`; or
            a function of the batch that gives one of these, or one for each image of the batch.
        prediction: Where the network's output is: its key in the dictionary that ``validation_step`` returns, or a
            function ``(module, batch, outputs)`` that gives it, called without gradients.
        activation: ``"sigmoid"`` or ``"softmax"`` if the output is logits; None if it is probabilities.
        threshold: Probability at which the mask is cut; with `ClassPriors` the most probable class counts.
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.

    Raises:
        TypeError: When used, if there is no such prediction.
        ValueError: If an option is unknown; when used, if the prediction is no probability map or the prior does not
            fit it.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.2, "topologically correct". PMC9721526.

    Examples:
        >>> import topoprior as tp
        >>> metrics = TopologyMetrics(tp.BettiPrior(1, 1), prediction=lambda module, batch, outputs: module(batch[0]))
        >>> logits = torch.tensor([[[[9.0, 9.0, 9.0], [9.0, -9.0, -9.0], [9.0, 9.0, 9.0]]]])  # an open ring
        >>> metrics.measure(logits, tp.BettiPrior(1, 1))
        {'topological_success': 0.0, 'betti_error': 1.0, 'betti_error_0': 0.0, 'betti_error_1': 1.0}
    """

    def __init__(
        self,
        prior: Wanted | Callable[[Any], Wanted],
        *,
        prediction: str | Callable[[Any, Any, Any], Tensor] = "pred",
        activation: Activation | None = "sigmoid",
        threshold: float = 0.5,
        construction: Construction = "T",
        boundary: Boundary = "background",
    ) -> None:
        super().__init__()
        check_options(construction, boundary)
        self.prior = prior
        self.prediction = prediction
        self.activate = activation_of(activation)
        self.threshold = threshold
        self.construction: Construction = construction
        self.boundary: Boundary = boundary

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:  # noqa: ARG002
        """Lightning's hook."""
        self._log("val", pl_module, outputs, batch)

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:  # noqa: ARG002
        """Lightning's hook."""
        self._log("test", pl_module, outputs, batch)

    @torch.no_grad()
    def measure(self, output: Tensor, prior: Wanted) -> dict[str, float]:
        """Means over the images of one batch.

        Args:
            output: Of the network, shape ``(batch, channel, *spatial)``.
            prior: What is wanted of them.
        """
        probability = as_images(self.activate(output), name="prediction")
        check_values(probability, name="prediction", hint=LOGITS_HINT)
        errors = self._errors(probability, prior)
        dimensions = {f"betti_error_{k}": error for k, error in enumerate(errors.double().mean(0).tolist())}
        success = (errors == 0).all(1).double().mean().item()
        return {"topological_success": success, "betti_error": sum(dimensions.values()), **dimensions}

    def _errors(self, probability: Tensor, prior: Wanted) -> Tensor:
        """Of each image in each dimension, ``(batch, d)``."""
        if not are_class_priors(prior):
            mask = probability >= self.threshold
            return betti_error(mask, prior, construction=self.construction, boundary=self.boundary).sum(1)
        batch, channels, *spatial = probability.shape
        each = resolve_class_priors(prior, batch, channels, len(spatial))
        labels = most_probable(probability)
        return torch.cat([
            topology_of_labels(one[None], wanted, self.construction, self.boundary).error.sum(1)
            for one, wanted in zip(labels, each, strict=True)
        ])  # fmt: skip

    def _log(self, stage: str, module: Any, outputs: Any, batch: Any) -> None:
        output = self._output(module, outputs, batch)
        prior = self.prior(batch) if callable(self.prior) else self.prior
        values = {f"{stage}_{name}": value for name, value in self.measure(output, prior).items()}
        module.log_dict(values, on_step=False, on_epoch=True, batch_size=len(output), sync_dist=True)

    def _output(self, module: Any, outputs: Any, batch: Any) -> Tensor:
        if callable(self.prediction):
            with torch.no_grad():
                output = self.prediction(module, batch, outputs)
        elif isinstance(outputs, Mapping) and self.prediction in outputs:
            output = outputs[self.prediction]
        else:
            got = f"one with {sorted(map(str, outputs))}" if isinstance(outputs, Mapping) else type(outputs).__name__
            raise TypeError(
                f"the step must return a dictionary with the network's output as {self.prediction!r}, got {got}: add "
                f"it, or give prediction=lambda module, batch, outputs: ..."
            )
        if not isinstance(output, Tensor):
            raise TypeError(f"the prediction must be a tensor, got {type(output).__name__}")
        return output
