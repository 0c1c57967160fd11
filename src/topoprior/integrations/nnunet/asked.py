"""Which Betti numbers are asked of which patch.

A prior is knowledge of a whole organ, and a patch may hold a piece of it: half a ring has no loop. In training every
patch has a label, which knows: so the numbers are asked for where the label of the patch has them. Such a patch may
well cut the organ, if the piece has the same topology; and where annotators broke the organ, nothing is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from topoprior.integrations.nnunet.settings import LABEL
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.consistency import check_consistent
from topoprior.priors.feasibility import check_asks, check_feasible
from topoprior.topology.betti import betti_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from topoprior.integrations.nnunet.labels import Labels
    from topoprior.integrations.nnunet.settings import PriorSettings


@dataclass(frozen=True)
class Asked:
    """Entries of the settings, by the channels of the network.

    Attributes:
        names: Of the entries.
        unions: For each the channels whose probabilities are added.
        priors: For each the numbers; None for those of the label.
        settings: Which say in what patches.
        labels: What the channels are.
    """

    names: tuple[str, ...]
    unions: tuple[tuple[int, ...], ...]
    priors: tuple[BettiPrior | None, ...]
    settings: PriorSettings
    labels: Labels

    @classmethod
    def of(cls, settings: PriorSettings, labels: Labels, *, axes: int) -> Asked:
        """What the settings ask of a data set.

        Args:
            settings: Of the user.
            labels: Of the data set.
            axes: Spatial axes of the patches.

        Raises:
            ValueError: If a name is none of the data set, a prior cannot be had, or priors contradict each other.
        """
        stated = {name: BettiPrior.parse(text) for name, text in settings.priors.items() if text != LABEL}
        wanted = _regions(stated, settings, labels) if labels.has_regions else _classes(stated, settings, labels)
        for union, prior in wanted.items():
            try:
                check_feasible(prior, axes, boundary=settings.boundary)
                check_asks(prior, boundary=settings.boundary, essential=settings.essential)
            except ValueError as error:
                raise ValueError(f"the prior of {_name(union, labels)}: {error}") from error
        entries: dict[tuple[int, ...], BettiPrior | None] = dict(wanted)
        for name, text in settings.priors.items():
            union = _union(name, labels)
            if text == LABEL and entries.setdefault(union, None) is not None:
                raise ValueError(f"{_name(union, labels)} must have one prior, got {LABEL!r} as the second")
        names = tuple(_name(union, labels) for union in entries)
        return cls(names, tuple(entries), tuple(entries.values()), settings, labels)

    def rows(self, target: Tensor) -> list[list[BettiPrior]]:
        """For each patch what is asked of each entry; "don't care" where nothing is.

        Args:
            target: As nnU-Net's losses take it: label values ``(batch, 1, *spatial)``, or of regions a channel for each
                and one more of the pixels to ignore, if there are such.
        """
        axes = target.ndim - 2
        nothing = BettiPrior(*[None] * axes)
        if self.settings.patches == "all" and None not in self.priors:
            return [[prior or nothing for prior in self.priors] for _ in range(len(target))]
        masks, known = self._masks(target)
        found = betti_numbers(masks, construction=self.settings.construction, boundary=self.settings.boundary).cpu()
        return [
            [self._asked(prior, numbers, sure, nothing) for prior, numbers in zip(self.priors, each, strict=True)]
            for each, sure in zip(found, known.tolist(), strict=True)
        ]

    def _asked(self, prior: BettiPrior | None, found: Tensor, sure: bool, nothing: BettiPrior) -> BettiPrior:
        if prior is None:
            return BettiPrior(*found.tolist()) if sure else nothing
        agrees = self.settings.patches == "all" or (sure and bool(prior.is_satisfied_by(found)))
        return prior if agrees else nothing

    def _masks(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The label of each entry, and for each patch whether all of it is labelled."""
        if self.labels.has_regions:
            regions = target[:, : len(self.labels.names)].bool()
            masks = torch.stack([regions[:, union[0]] for union in self.unions], 1)
            ignored = target[:, len(self.labels.names) :].bool()
        else:
            values = target[:, 0]
            masks = torch.stack([_any_of(values, union) for union in self.unions], 1)
            ignored = values == self.labels.ignored if self.labels.ignored is not None else values < 0
        return masks, ~ignored.flatten(1).any(1)


def _any_of(values: Tensor, union: tuple[int, ...]) -> Tensor:
    return torch.isin(values.long(), torch.tensor(union, device=values.device))


def _classes(
    stated: dict[str, BettiPrior], settings: PriorSettings, labels: Labels
) -> dict[tuple[int, ...], BettiPrior]:
    """Priors of labels, which exclude each other, and of their unions."""
    if not stated and settings.relations:
        raise ValueError("relations need the Betti numbers of the classes that they name")
    if not stated:
        return {}
    found = labels.priors(stated, relations=settings.relations)
    check_consistent(found, construction=settings.construction, boundary=settings.boundary)
    return dict(zip(found.unions, found.priors, strict=True))


def _regions(
    stated: dict[str, BettiPrior], settings: PriorSettings, labels: Labels
) -> dict[tuple[int, ...], BettiPrior]:
    """Priors of regions, each of which has a channel of its own."""
    if settings.relations:
        raise ValueError("relations are about labels that exclude each other, but this data set has regions")
    return {_union(name, labels): prior for name, prior in stated.items()}


def _union(name: str, labels: Labels) -> tuple[int, ...]:
    """The channels that a name stands for."""
    parts = [name] if name in labels.names else [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in labels.names:
            raise ValueError(f"there is no {part!r} in {', '.join(labels.names)}, the names of dataset.json")
    if labels.has_regions and len(parts) > 1:
        raise ValueError(f"regions have no unions, got {name!r}: make it a region of dataset.json")
    return tuple(sorted({labels.names.index(part) for part in parts}))


def _name(union: tuple[int, ...], labels: Labels) -> str:
    return "+".join(labels.names[channel] for channel in union)
