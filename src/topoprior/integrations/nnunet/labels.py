"""What the channels of nnU-Net's networks mean: the labels or the regions of dataset.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from topoprior.imaging.image import Array
    from topoprior.priors.class_priors import Classes, Numbers
    from topoprior.refinement.output import Activation

DATASET = "dataset.json"


@dataclass(frozen=True)
class Labels:
    """The channels of a network, in their order.

    Attributes:
        names: Of the channels. Plain labels: a softmax with background first. Regions: a sigmoid of each, and none for
            the background.
        values: For each channel the values in label files that it stands for.
        has_regions: Whether the channels are regions.
        written: For each channel the value that its pixels get in a label file; of regions that overlap, the later one
            counts (``regions_class_order``).
        ignored: The value that says nothing, or None.
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    has_regions: bool
    written: tuple[int, ...]
    ignored: int | None

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Labels:
        """As nnU-Net reads the content of dataset.json.

        Raises:
            ValueError: If it names no labels, or nnU-Net would read them in another way than one channel for each.

        Examples:
            >>> Labels.of({"labels": {"background": 0, "wall": 1, "cavity": 2}}).names
            ('background', 'wall', 'cavity')
            >>> regions = {"background": 0, "heart": [1, 2], "cavity": 2}
            >>> Labels.of({"labels": regions, "regions_class_order": [1, 2]}).written
            (1, 2)
        """
        given = dataset.get("labels")
        if not isinstance(given, Mapping) or given.get("background") != 0:
            raise ValueError(f"{DATASET} must have labels with background as 0, got {given!r}")
        ignored = given.get("ignore")
        table = {name: _as_values(name, value) for name, value in given.items() if name != "ignore"}
        if any(len(values) > 1 for values in table.values()):
            regions = {name: values for name, values in table.items() if set(values) != {0}}
            order = dataset.get("regions_class_order")
            if not isinstance(order, list) or len(order) != len(regions):
                raise ValueError(f"{DATASET} must have a regions_class_order for each of {list(regions)}, got {order}")
            return cls(tuple(regions), tuple(regions.values()), True, tuple(map(int, order)), ignored)
        names = sorted(table, key=lambda name: table[name])
        found = [table[name][0] for name in names]
        if found != list(range(len(found))):
            raise ValueError(f"labels of {DATASET} must be 0, 1, 2, ... once each, got {found}")
        return cls(tuple(names), tuple((value,) for value in found), False, tuple(found), ignored)

    @classmethod
    def read(cls, path: Path) -> Labels:
        """The labels of a file.

        Raises:
            OSError: If there is none.
            ValueError: If it is no such file.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} must hold an object, got {type(content).__name__}")
        return cls.of(content)

    @property
    def activation(self) -> Activation:
        """What turns the network's output into probabilities."""
        return "sigmoid" if self.has_regions else "softmax"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names with background first, which are what a pixel of a label file can be, and what priors are about."""
        return ("background", *self.names) if self.has_regions else self.names

    def priors(self, given: Mapping[str, str | BettiPrior], *, relations: Sequence[str] = ()) -> ClassPriors:
        """Priors of the labels and their unions, or of the regions, by their names.

        Args:
            given: For each name, or names with plus signs between them, the Betti numbers.
            relations: Sentences, see `topoprior.ClassPriors.from_words`.

        Raises:
            ValueError: If a name is not in dataset.json, or something is no prior.

        Examples:
            >>> labels = Labels.of({"labels": {"background": 0, "wall": 1, "cavity": 2}})
            >>> print(labels.priors({"wall": "1,1", "wall+cavity": "1,0"}))
            wall 1,1; wall+cavity 1,0
        """
        entries: dict[Classes, Numbers] = {}
        for name, prior in given.items():
            union = tuple(part.strip() for part in name.split("+"))
            if union in entries:
                raise ValueError(f"{name} must have one prior, got {prior} as the second")
            entries[union] = BettiPrior.parse(prior) if isinstance(prior, str) else prior
        if relations:
            return ClassPriors.from_words(relations, entries, classes=self.classes)
        return ClassPriors(entries, classes=self.classes)

    def numbers(self, mask: Array) -> Array:
        """The place in `classes` of each pixel: of regions that overlap the later one counts, as nnU-Net has it.

        Args:
            mask: Bool, shape ``(channel, *spatial)``.
        """
        if not self.has_regions:
            return np.asarray(mask.argmax(0))
        painted = np.zeros(mask.shape[1:], dtype=np.int64)
        for number, channel in enumerate(mask, start=1):
            painted[channel] = number
        return painted

    def label_map(self, numbers: Array) -> Array:
        """The values that a label file has for places in `classes`.

        Raises:
            ValueError: If one of them does not fit into 8 bits.
        """
        values = (0, *self.written) if self.has_regions else self.written
        if max(values) > 255:
            raise ValueError(f"label files are written with values up to 255, got {max(values)}")
        return np.asarray(values, dtype=np.uint8)[numbers]


def find_dataset(place: Path) -> Path:
    """The dataset.json that belongs to a file or folder of nnU-Net: beside it, or up to three folders above.

    Predictions have one beside them, those of a validation have it in the folder of the model.

    Raises:
        FileNotFoundError: If there is none.
    """
    resolved = place.resolve()
    folders = [resolved, *resolved.parents][:5]
    for folder in folders:
        if (folder / DATASET).is_file():
            return folder / DATASET
    raise FileNotFoundError(f"there is no {DATASET} beside {place} nor in the folders above: nnU-Net writes one there")


def _as_values(name: object, given: object) -> tuple[int, ...]:
    values = given if isinstance(given, list | tuple) else [given]
    if not values or not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise ValueError(f"the label {name!r} of {DATASET} must be a whole number or a list of them, got {given!r}")
    return tuple(sorted(values))
