"""MONAI transforms that give one prediction the wanted topology: by the smallest edit, or by refinement."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.guarantee import completed, guarantee
from topoprior.refinement.network import refine
from topoprior.refinement.probability_map import refine_map

try:
    from monai.transforms import Transform
    from monai.utils import TransformBackends
    from monai.utils.type_conversion import convert_to_dst_type
except ImportError as error:
    raise ImportError("transforms for MONAI need MONAI: pip install 'topoprior[monai]'") from error

if TYPE_CHECKING:
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction

Item: TypeAlias = "Tensor | np.ndarray[Any, Any]"
ItemPrior: TypeAlias = BettiPrior | str | Sequence[BettiPrior | str] | ClassPriors
"""What is wanted of one item: one prior for all channels, one for each, or `ClassPriors`; ``"1,1"`` is a prior too."""
Output: TypeAlias = Literal["probability", "mask"]
Inferer: TypeAlias = Callable[[Tensor, nn.Module], Tensor]


class _TopologyTransform(Transform):  # type: ignore[misc]  # MONAI has no types
    """What both share: one item in, one of the same kind out, and a warning where the topology is not reached."""

    backend = (TransformBackends.TORCH,)

    def __init__(
        self,
        prior: ItemPrior | None,
        output: Output,
        construction: Construction,
        boundary: Boundary,
        threshold: float,
    ) -> None:
        if output not in get_args(Output):
            raise ValueError(f"output must be one of {', '.join(map(repr, get_args(Output)))}, got {output!r}")
        self.prior = None if prior is None else wanted_of(prior)
        self.output = output
        self.conventions: dict[str, Any] = {
            "construction": construction,
            "boundary": boundary,
            "threshold": threshold,
        }

    def __call__(self, img: Item, prior: ItemPrior | None = None) -> Item:
        """The item with the wanted topology, of the same type, on the same device, with the same metadata.

        Args:
            img: Shape ``(channel, *spatial)``, array, tensor or ``MetaTensor``.
            prior: What is wanted of this item, in place of what was given at the start.

        Raises:
            TypeError: If there is no prior.
            ValueError: As the function behind it.
        """
        return self.given_back(self.result_of(img, prior), img)

    def result_of(self, img: Item, prior: ItemPrior | None = None) -> RefinementResult:
        """All that is known of the change, see `topoprior.RefinementResult`; warns where the topology is wrong."""
        wanted = self.prior if prior is None else wanted_of(prior)
        if wanted is None:
            raise TypeError(f"{type(self).__name__} needs a prior: give one at the start, or one with each item")
        result = self._changed(img, wanted)
        if not result.succeeded:
            warnings.warn(
                f"{type(self).__name__} did not reach the prior {prior or self.prior}: Betti numbers "
                f"{result.betti_after[0].tolist()} ({result.stop_reason})",
                RuntimeWarning,
                stacklevel=3,
            )
        return result

    def given_back(self, result: RefinementResult, img: Item) -> Item:
        """Output or mask of the result in the form of the item."""
        dtype = img.dtype
        if self.output == "probability" and dtype not in (torch.float64, np.dtype("float64")):
            # Half precision would round pixels across the threshold, whole numbers all of them.
            dtype = np.float32 if isinstance(img, np.ndarray) else torch.float32
        values = (result.output if self.output == "probability" else result.mask)[0]
        return convert_to_dst_type(values, img, dtype=dtype)[0]  # type: ignore[no-any-return]

    def _changed(self, img: Item, wanted: Any) -> RefinementResult:
        raise NotImplementedError


class KeepTopology(_TopologyTransform):
    """Edit a probability map or a mask as little as found possible until it has the wanted topology.

    `topoprior.guarantee` behind MONAI's interface: in 2-D the topology is always right. It takes the place of
    ``KeepLargestConnectedComponent`` where more is known than that there is one component, and where components should
    sometimes be joined rather than dropped. Give it probabilities (behind ``Activations``) rather than masks
    (behind ``AsDiscrete``) where you can: then uncertain pixels change first.

    Args:
        prior: What is wanted, ``BettiPrior(1, 1)`` or ``"1,1"``; a sequence of one for each channel; `ClassPriors` for
            softmax or one-hot channels. None: it comes with each item.
        output: ``"probability"`` or ``"mask"`` (0 and 1, or one-hot, in the dtype of the item).
        construction: ``"T"``: pixels connect through corners (8 / 26); ``"V"``: through faces (4 / 6).
        boundary: What lies outside the image, ``"background"`` or ``"foreground"``.
        threshold: Probability at which the mask is cut.

    Raises:
        TypeError: If something is no prior.
        ValueError: If ``output`` is another word; when called, as `topoprior.guarantee`.

    Examples:
        The component that is cheaper to drop is dropped:

        >>> keep = KeepTopology("1", output="mask")
        >>> keep(torch.tensor([[0.9, 0.1, 0.6, 0.2]]))
        tensor([[1., 0., 0., 0.]])
    """

    def __init__(
        self,
        prior: ItemPrior | None = None,
        *,
        output: Output = "probability",
        construction: Construction = "T",
        boundary: Boundary = "background",
        threshold: float = 0.5,
    ) -> None:
        super().__init__(prior, output, construction, boundary, threshold)

    def _changed(self, img: Item, wanted: Any) -> RefinementResult:
        return guarantee(_as_probability(img)[None], wanted, **self.conventions)


class RefineTopology(_TopologyTransform):
    """Refine a probability map, or adapt a copy of a network to one image, until the topology is right (equation 5).

    Without ``network`` it is `topoprior.refine_map` of the item. With it, the item is the image, what comes out is the
    refined output of the network, and it is `topoprior.refine`.

    Args:
        prior: As for `KeepTopology`.
        network: What is adapted, item by item, each time from the same weights.
        inferer: How the network is applied, called as ``inferer(image, network)``: one of MONAI's, such as
            ``SlidingWindowInferer``, by which large images are refined in windows. None: the network as it is. With an
            inferer, ``parameters`` given by name start with ``network.``.
        output: ``"probability"`` or ``"mask"``.
        guarantee: Whether to edit what refinement leaves wrong, as `KeepTopology` does.
        construction: As for `KeepTopology`.
        boundary: As for `KeepTopology`.
        threshold: As for `KeepTopology`.
        **options: Other keyword arguments of `topoprior.refine_map`, or of `topoprior.refine`: ``weight``,
            ``max_steps``, ``activation="sigmoid"`` for a network that gives logits, ...

    Raises:
        TypeError: If something is no prior, or an option is none of the function behind it.
        ValueError: If there is an inferer and no network; when called, as the function behind it.

    Examples:
        >>> refined = RefineTopology("1", output="mask", weight=1)
        >>> refined(torch.tensor([[1.0, 0.9, 0.4, 0.9]]))
        tensor([[1., 1., 1., 1.]])
    """

    def __init__(
        self,
        prior: ItemPrior | None = None,
        *,
        network: nn.Module | None = None,
        inferer: Inferer | None = None,
        output: Output = "probability",
        guarantee: bool = False,
        construction: Construction = "T",
        boundary: Boundary = "background",
        threshold: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(prior, output, construction, boundary, threshold)
        if inferer is not None and network is None:
            raise ValueError("an inferer applies a network: give network= too")
        if network is None:
            inspect.signature(refine_map).bind(None, None, **self.conventions, **options)
        else:
            inspect.signature(refine).bind(None, None, None, **self.conventions, **options)
        self.network = network
        self.inferer = inferer
        self.guarantee = guarantee
        self.options = options

    def _changed(self, img: Item, wanted: Any) -> RefinementResult:
        if self.network is None:
            result = refine_map(_as_probability(img)[None], wanted, **self.conventions, **self.options)
        else:
            network = self.network if self.inferer is None else _Inferred(self.network, self.inferer)
            image = _plain(img).to(next(self.network.parameters()).device)[None]
            result = refine(network, image, wanted, **self.conventions, **self.options)
        return completed(result, wanted, **self.conventions) if self.guarantee else result


class _Inferred(nn.Module):
    """A network as an inferer applies it."""

    def __init__(self, network: nn.Module, inferer: Inferer) -> None:
        super().__init__()
        self.network = network
        self.inferer = inferer

    def forward(self, image: Tensor) -> Tensor:
        return self.inferer(image, self.network)


def wanted_of(prior: ItemPrior) -> BettiPrior | ClassPriors | list[list[BettiPrior]]:
    """The prior of one item as the functions of the package take it.

    Raises:
        TypeError: If it is no prior.
        ValueError: If a text is no prior.

    Examples:
        >>> wanted_of(["1,1", "1,0"])
        [[BettiPrior(1, 1), BettiPrior(1, 0)]]
    """
    if isinstance(prior, BettiPrior | ClassPriors):
        return prior
    if isinstance(prior, str):
        return BettiPrior.parse(prior)
    if not isinstance(prior, Sequence) or not all(isinstance(one, BettiPrior | str) for one in prior):
        raise TypeError(
            f"prior must be a BettiPrior, text such as '1,1', a sequence of one for each channel, or ClassPriors, "
            f"got {prior!r}"
        )
    return [[BettiPrior.parse(one) if isinstance(one, str) else one for one in prior]]


def _plain(img: Item) -> Tensor:
    """The values of an item without what it carries along."""
    return torch.from_numpy(np.ascontiguousarray(img)) if isinstance(img, np.ndarray) else img.as_subclass(Tensor)


def _as_probability(img: Item) -> Tensor:
    """A probability map as it is; a mask of whole numbers as probabilities 0 and 1."""
    values = _plain(img)
    return values if values.is_floating_point() or values.is_complex() else values.float()
