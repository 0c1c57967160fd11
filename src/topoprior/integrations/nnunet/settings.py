"""What a user says to the trainer: topoprior.json, read and checked before a network is made.

    {
      "priors": {"wall": "1,1", "cavity": "1,0", "wall+cavity": "1,0"},
      "weight": 0.01
    }

Names are those of dataset.json. Everything but ``priors`` has a default, see `PriorSettings`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from topoprior.losses.economy import Economy
from topoprior.losses.functional import Essential, check_loss_options
from topoprior.refinement.numbers import check_number
from topoprior.topology.filtration import Boundary, Construction, check_options

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "topoprior.json"
VARIABLE = "TOPOPRIOR_NNUNET"
LABEL = "label"  # in place of Betti numbers: those that the label of each patch has
Patches = Literal["agreeing", "all"]


@dataclass(frozen=True, kw_only=True)
class PriorSettings:
    """The prior of a training with nnU-Net.

    Attributes:
        priors: For each class or union of classes (``"wall+cavity"``), or for each region, the wanted Betti numbers as
            text, ``"1,1"``, ``"1,0-2,*"``; or ``"label"``: those that the label has in each patch.
        relations: Sentences about classes, ``"wall encloses cavity"``, as `topoprior.ClassPriors.from_words` takes.
        patches: In which patches the numbers are asked for. ``"agreeing"``: where the label has them, so that a patch
            that cuts the organ is not told what holds of the whole. ``"all"``: in all of them; right if the patch
            always holds the whole organ, or for numbers that no cut can change.
        weight: By which the topological loss is multiplied.
        start: Share of the epochs that pass without the prior: the network should segment already when it comes.
        full: Share of the epochs after which the weight, which grows evenly from then on, is reached.
        construction: ``"T"`` or ``"V"``, see `topoprior.betti_prior_loss`; so the four that follow.
        boundary: ``"background"`` or ``"foreground"``.
        power: 2 or 1.
        essential: ``"finite"`` or ``"drop"``.
        max_bars: None for all.
        economy: Arguments of `topoprior.Economy`, for large patches in 3-D; None for none.

    Raises:
        TypeError: If something is of another type.
        ValueError: If no prior is given, or an option is out of range.
    """

    priors: Mapping[str, str]
    relations: Sequence[str] = ()
    patches: Patches = "agreeing"
    weight: float = 0.01
    start: float = 0.1
    full: float = 0.3
    construction: Construction = "T"
    boundary: Boundary = "background"
    power: Literal[1, 2] = 2
    essential: Essential = "finite"
    max_bars: int | None = None
    economy: Economy | None = field(default=None)

    def __post_init__(self) -> None:
        if not isinstance(self.priors, Mapping) or not self.priors:
            raise ValueError(f'priors must be an object such as {{"organ": "1,1"}}, got {self.priors!r}')
        for name, numbers in self.priors.items():
            if not isinstance(numbers, str):
                raise TypeError(f'the prior of {name!r} must be text such as "1,1" or "label", got {numbers!r}')
        if isinstance(self.relations, str) or not all(isinstance(sentence, str) for sentence in self.relations):
            raise TypeError(f"relations must be a list of sentences, got {self.relations!r}")
        if self.patches not in get_args(Patches):
            raise ValueError(f"patches must be one of {', '.join(map(repr, get_args(Patches)))}, got {self.patches!r}")
        for name in ("weight", "start", "full"):
            check_number(name, getattr(self, name))
        if not 0 < self.weight < math.inf:
            raise ValueError(f"weight must be positive and finite, got {self.weight}")
        if not 0 <= self.start <= self.full <= 1 or self.start == 1:
            raise ValueError(
                f"start and full must be shares of the training, 0 <= start <= full <= 1 and start < 1, got "
                f"{self.start} and {self.full}"
            )
        check_options(self.construction, self.boundary)
        check_loss_options(self.power, self.essential, self.max_bars, "none")
        if self.max_bars is not None and LABEL in self.priors.values():
            raise ValueError(f"max_bars must be left out with the prior {LABEL!r}: a label may have more bars")

    @classmethod
    def read(cls, path: Path) -> PriorSettings:
        """The settings of a file.

        Raises:
            OSError: If there is none.
            TypeError, ValueError: If it is no such file, or says something that it must not; the path is named.
        """
        try:
            return cls(**_checked(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
        except TypeError as error:
            raise TypeError(f"{path}: {error}") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def factor(self, epoch: int, epochs: int) -> float:
        """Share of the weight in an epoch, counted from 0: 0 before the prior comes in, 1 at the end.

        The last epoch always has a prior, however few there are.

        Examples:
            >>> settings = PriorSettings(priors={"organ": "1"}, start=0.1, full=0.3)
            >>> [settings.factor(epoch, 10) for epoch in (0, 1, 2, 3, 9)]
            [0.0, 0.5, 1.0, 1.0, 1.0]
            >>> settings.factor(0, 1)
            1.0
        """
        first = min(math.ceil(self.start * epochs), epochs - 1)
        whole = max(math.ceil(self.full * epochs), first + 1)
        return min(max(epoch + 1 - first, 0) / (whole - first), 1.0)


def settings_file(folder: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings are: the file that the variable names, or topoprior.json in the folder.

    Args:
        folder: That of the preprocessed data set, with dataset.json and the plans.
        environment: Variables.

    Raises:
        FileNotFoundError: If there is none; the error says how to write one.
    """
    named = environment.get(VARIABLE)
    place = Path(named) if named else None if folder is None else folder / FILE
    if place is not None and place.is_file():
        return place
    missing = f"{place} does not exist" if place is not None else f"{VARIABLE} is not set"
    raise FileNotFoundError(
        f"{missing}: this trainer needs to know which topology is wanted. Write it to {FILE} beside dataset.json in "
        f'the folder of the preprocessed data set, or to a file that {VARIABLE} names, as in {{"priors": {{"organ": '
        f'"1,1"}}}}: names are those of dataset.json, numbers are components, loops and, in 3-D, cavities'
    )


def _checked(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TypeError(f"it must hold an object, got {type(given).__name__}")
    known = [one.name for one in fields(PriorSettings)]
    required = [one.name for one in fields(PriorSettings) if one.default is MISSING]
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"there is no setting {', '.join(unknown)}; there are {', '.join(known)}")
    if missing := [name for name in required if name not in given]:
        raise ValueError(f"it must say {', '.join(missing)}")
    if given.get("economy") is not None:
        if not isinstance(given["economy"], dict):
            raise TypeError(f"economy must be an object with arguments of topoprior.Economy, got {given['economy']!r}")
        names = [one.name for one in fields(Economy)]
        if unknown := sorted(set(given["economy"]) - set(names)):
            raise ValueError(f"economy has no {', '.join(unknown)}; it has {', '.join(names)}")
        blocks = given["economy"].get("downsample")
        listed = {"downsample": tuple(blocks)} if isinstance(blocks, list) else {}
        given = {**given, "economy": Economy(**{**given["economy"], **listed})}
    return given


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name comes twice, of which JSON would keep the last."""
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there twice")
    return dict(pairs)
