"""The transforms of topology for MONAI's dictionaries, where each item may bring its own prior along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from topoprior.integrations.monai.transforms import ItemPrior, KeepTopology, Output, RefineTopology, wanted_of

try:
    from monai.transforms import MapTransform
except ImportError as error:
    raise ImportError("transforms for MONAI need MONAI: pip install 'topoprior[monai]'") from error

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from torch import nn

    from topoprior.integrations.monai.transforms import Inferer
    from topoprior.refinement.result import RefinementResult
    from topoprior.topology.filtration import Boundary, Construction


class _TopologyMapTransform(MapTransform):  # type: ignore[misc]  # MONAI has no types
    """What both share: where the prior comes from, and where the account of the change goes."""

    backend = KeepTopology.backend
    transform: KeepTopology | RefineTopology

    def __init__(
        self, keys: Any, prior: ItemPrior | None, prior_key: Hashable | None, summary: str | None, missing: bool
    ) -> None:
        super().__init__(keys, missing)
        if (prior is None) == (prior_key is None):
            raise ValueError(f"give either prior or prior_key, got {prior!r} and {prior_key!r}")
        self.prior_key = prior_key
        self.summary_postfix = summary

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The dictionary with the wanted topology in the entries of ``keys``."""
        found = dict(data)
        prior = None if self.prior_key is None else wanted_of(found[self.prior_key])
        for key in self.key_iterator(found):
            result = self._result(found, key, prior)
            found[key] = self.transform.given_back(result, found[key])
            if self.summary_postfix is not None:
                summary = result.summary()
                del summary["history"]  # of as many entries as steps, which loaders cannot put together to a batch
                found[f"{key}_{self.summary_postfix}"] = summary
        return found

    def _result(self, data: dict[Hashable, Any], key: Hashable, prior: Any) -> RefinementResult:
        return self.transform.result_of(data[key], prior)


class KeepTopologyd(_TopologyMapTransform):
    """`KeepTopology` of entries of a dictionary.

    Args:
        keys: Of the probability maps or masks, ``(channel, *spatial)``.
        prior: What is wanted of all items; or else
        prior_key: the entry in which each item has its own. Text such as ``"1,1"`` passes through data loaders.
        output: ``"probability"`` or ``"mask"``.
        construction: As for `KeepTopology`.
        boundary: As for `KeepTopology`.
        threshold: As for `KeepTopology`.
        summary_postfix: If given, ``f"{key}_{summary_postfix}"`` gets the summary of the change: Betti numbers before
            and after, pixels changed, whether it succeeded; without the history.
        allow_missing_keys: Whether keys may be missing.

    Raises:
        TypeError: If something is no prior.
        ValueError: If not exactly one of ``prior`` and ``prior_key`` is given; else as `KeepTopology`.

    Examples:
        >>> import torch
        >>> keep = KeepTopologyd("pred", prior_key="wanted", output="mask")
        >>> row = torch.tensor([[0.9, 0.1, 0.6, 0.2]])
        >>> keep({"pred": row, "wanted": "1"})["pred"], keep({"pred": row, "wanted": "2"})["pred"]
        (tensor([[1., 0., 0., 0.]]), tensor([[1., 0., 1., 0.]]))
    """

    def __init__(
        self,
        keys: Any,
        prior: ItemPrior | None = None,
        *,
        prior_key: Hashable | None = None,
        output: Output = "probability",
        construction: Construction = "T",
        boundary: Boundary = "background",
        threshold: float = 0.5,
        summary_postfix: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, prior, prior_key, summary_postfix, allow_missing_keys)
        self.transform = KeepTopology(
            prior, output=output, construction=construction, boundary=boundary, threshold=threshold
        )


class RefineTopologyd(_TopologyMapTransform):
    """`RefineTopology` of entries of a dictionary.

    Args:
        keys: Of the predictions. Without a network they are probability maps, ``(channel, *spatial)``, and are
            refined; with one they are replaced by its refined output.
        prior: What is wanted of all items; or else
        prior_key: the entry in which each item has its own. Text such as ``"1,1"`` passes through data loaders.
        network: What is adapted to each image.
        image_key: With a network, the entry of its image.
        inferer: How the network is applied, see `RefineTopology`.
        output: ``"probability"`` or ``"mask"``.
        guarantee: Whether to edit what refinement leaves wrong.
        summary_postfix: As for `KeepTopologyd`.
        allow_missing_keys: Whether keys may be missing.
        **options: Other keyword arguments of `RefineTopology`.

    Raises:
        TypeError: If something is no prior, or an option is unknown.
        ValueError: If not exactly one of ``prior`` and ``prior_key`` is given; else as `RefineTopology`.

    Examples:
        >>> import torch
        >>> refined = RefineTopologyd("pred", "1", weight=1, summary_postfix="topology")
        >>> item = refined({"pred": torch.tensor([[1.0, 0.9, 0.1, 0.9]])})
        >>> item["pred_topology"]["betti_before"], item["pred_topology"]["betti_after"]
        ([[2]], [[1]])
    """

    def __init__(
        self,
        keys: Any,
        prior: ItemPrior | None = None,
        *,
        prior_key: Hashable | None = None,
        network: nn.Module | None = None,
        image_key: Hashable = "image",
        inferer: Inferer | None = None,
        output: Output = "probability",
        guarantee: bool = False,
        summary_postfix: str | None = None,
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, prior, prior_key, summary_postfix, allow_missing_keys)
        self.image_key = None if network is None else image_key
        self.transform = RefineTopology(
            prior, network=network, inferer=inferer, output=output, guarantee=guarantee, **options
        )

    def _result(self, data: dict[Hashable, Any], key: Hashable, prior: Any) -> RefinementResult:
        return self.transform.result_of(data[key if self.image_key is None else self.image_key], prior)
