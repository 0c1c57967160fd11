"""One call for every correction of a mask: probabilities in, mask out, options as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from topoprior.baselines.closing import Closing
from topoprior.baselines.components import Components
from topoprior.baselines.crf import DenseCRF
from topoprior.baselines.mask import as_mask

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Images


class PostProcessing(Protocol):
    """What turns probabilities into a mask.

    Each one takes what it needs of image and prior, and says so if that is missing.

    Attributes:
        name: The word for it in a configuration.
    """

    name: ClassVar[str]

    def __call__(self, probability: Images, *, image: Images | None = None, prior: PriorLike | None = None) -> Tensor:
        """The mask: boolean, of the shape of ``probability``, ``(batch, 1, *spatial)``."""

    def as_dict(self) -> dict[str, Any]:
        """Name and options as plain JSON values, which `baselines.post_processing.post_processing` reads."""


@dataclass(frozen=True)
class NoPostProcessing:
    """The mask as it is: ``probability >= 0.5``.

    Examples:
        >>> import torch
        >>> NoPostProcessing()(torch.tensor([[[0.2, 0.5, 0.9]]]))
        tensor([[[False,  True,  True]]])
    """

    name: ClassVar[str] = "none"

    def __call__(  # the arguments that are not used belong to the common call
        self,
        probability: Images,
        *,
        image: Images | None = None,  # noqa: ARG002
        prior: PriorLike | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The mask; image and prior are not used.

        Raises:
            TypeError: If ``probability`` is no tensor or array of floating-point numbers.
            ValueError: If its shape or a value is wrong.
        """
        return as_mask(probability)

    def as_dict(self) -> dict[str, Any]:
        """Name and options as plain JSON values, which `baselines.post_processing.post_processing` reads."""
        return {"name": self.name}


_KINDS: dict[str, type[NoPostProcessing | Closing | DenseCRF | Components]] = {
    kind.name: kind for kind in (NoPostProcessing, Closing, DenseCRF, Components)
}


def post_processing(settings: Mapping[str, Any]) -> PostProcessing:
    """The post-processing with that name and these options, as `PostProcessing.as_dict` writes them.

    Args:
        settings: ``name``, one of "none", "closing", "crf" and "components", and any options; those left out have their
            defaults.

    Raises:
        TypeError: If ``settings`` is no mapping, or an option has another type.
        ValueError: If the name or an option is unknown, or a value is out of range.

    Examples:
        >>> post_processing({"name": "closing", "radius": 3})
        Closing(radius=3)
        >>> post_processing(Components().as_dict()) == Components()
        True
    """
    options = _as_options(settings)
    name = options.pop("name", None)
    if name not in _KINDS:
        raise ValueError(f"name of the post-processing must be one of {', '.join(map(repr, _KINDS))}, got {name!r}")
    kind = _KINDS[name]
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}: known are {', '.join(known) or 'none'}")
    return kind(**options)


def _as_options(settings: object) -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        example = {"name": "closing"}
        raise TypeError(f"settings of a post-processing must be a mapping such as {example}, got {settings!r}")
    return dict(settings)
