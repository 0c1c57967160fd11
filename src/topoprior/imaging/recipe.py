"""What a trained network expects of files and what its outputs mean: kept in the JSON beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from topoprior.imaging.datasets.settings import check_classes
from topoprior.imaging.networks import LoadedNetwork
from topoprior.imaging.preparation import Preparation
from topoprior.topology.filtration import Boundary, Construction

_KEY = "recipe"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to use a network on files.

    Attributes:
        preparation: What images go through first.
        classes: Name to values in the labels; output k of the network, from 1, is the k-th of them.
        channels: How many an image has.
        channel_numbers: Whether file names end in the number of the channel, ``_0000``.
        prior: Betti numbers by class, as they were given to the training; without those that came from a table.
        construction: Of the topology in training.
        boundary: The same.

    Examples:
        >>> recipe = Recipe(preparation=Preparation(size=(80, 80)), classes={"wall": (2,)}, prior={"wall": "1,1"})
        >>> Recipe.from_metadata(recipe.as_metadata()) == recipe
        True
    """

    preparation: Preparation
    classes: dict[str, tuple[int, ...]]
    channels: int = 1
    channel_numbers: bool = False
    prior: dict[str, str] | None = None
    construction: Construction = "T"
    boundary: Boundary = "background"

    def as_metadata(self) -> dict[str, Any]:
        """An entry for the metadata of a checkpoint, as JSON knows it."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        classes = {name: list(values) for name, values in self.classes.items()}
        return {_KEY: plain | {"preparation": self.preparation.as_dict(), "classes": classes}}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "Recipe | None":
        """The recipe in the metadata of a checkpoint; None if there is none.

        Raises:
            ValueError: If there is one that cannot be read.
        """
        if _KEY not in metadata:
            return None
        try:
            content = dict(metadata[_KEY])
            content["preparation"] = Preparation.from_dict(content["preparation"])
            content["classes"] = {name: tuple(values) for name, values in content["classes"].items()}
            check_classes(content["classes"])
            return cls(**content)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"its recipe, how to use it on files, cannot be read: {error}") from error


def recipe_of(loaded: LoadedNetwork, path: Path) -> Recipe:
    """The recipe of a network, which must have one.

    Raises:
        ValueError: If it has none, or one that cannot be read.
    """
    try:
        recipe = Recipe.from_metadata(loaded.metadata)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if recipe is None:
        raise ValueError(
            f"{path} does not say how images are prepared for it and what its classes are, as checkpoints of "
            "topoprior train do"
        )
    return recipe
