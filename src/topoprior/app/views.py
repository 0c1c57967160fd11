"""From the values of the page's fields to what its panels show; what is wrong with a value is said in the panel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from topoprior.app import panels
from topoprior.app.canvas import decoded, encoded
from topoprior.app.exploration import explore
from topoprior.app.sources import EXAMPLES, degraded, load
from topoprior.app.trial import Method, refined
from topoprior.app.wish import Wish, entry
from topoprior.priors.betti_prior import BettiPrior

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Fields:
    """What the user has set; numbers that were deleted are None.

    Attributes:
        drawing: The canvas, see `topoprior.app.canvas`.
        blur: Standard deviation in pixels.
        noise: Standard deviation.
        components: How many are wanted, one of `topoprior.app.wish.AMOUNTS`.
        fewest_components: The number, or the lower end.
        most_components: The upper end.
        loops: As ``components``.
        fewest_loops: As ``fewest_components``.
        most_loops: As ``most_components``.
        construction: ``"T"`` or ``"V"``.
        boundary: What lies outside the image.
        threshold: Where the mask is cut.
        level: Which super-level set is shown.
    """

    drawing: Any
    blur: float
    noise: float
    components: str
    fewest_components: float | None
    most_components: float | None
    loops: str
    fewest_loops: float | None
    most_loops: float | None
    construction: Literal["T", "V"]
    boundary: Literal["background", "foreground"]
    threshold: float
    level: float

    def probability(self) -> NDArray[np.float32]:
        """The map: the drawing under blur and noise."""
        return degraded(decoded(self.drawing), blur_by=self.blur, noise=self.noise)

    def wish(self) -> Wish:
        """What is wanted.

        Raises:
            ValueError: If a field is empty, or no mask can have what is wanted.
        """
        prior = BettiPrior(
            entry(self.components, self.fewest_components, self.most_components, dimension=0),
            entry(self.loops, self.fewest_loops, self.most_loops, dimension=1),
        )
        return Wish(prior, self.construction, self.boundary, self.threshold)


@dataclass(frozen=True)
class Shown:
    """The panels of a map, as HTML."""

    verdict: str
    map: str
    bars: str


@dataclass(frozen=True)
class Source:
    """What the canvas becomes when a map is chosen.

    Attributes:
        drawing: For the canvas; None to leave it as it is.
        note: What was done, or what is wrong, as HTML.
        slices: How many slices the file has; 0 if it is no stack of them.
        index: Which of them it is.
    """

    drawing: dict[str, Any] | None
    note: str = ""
    slices: int = 0
    index: int = 0


def show(fields: Fields) -> Shown:
    """The panels for these fields, or what is wrong with them."""
    try:
        probability, wish = fields.probability(), fields.wish()
        found = explore(probability, wish, level=fields.level)
    except ValueError as error:
        return Shown(panels.problem(str(error)), "", "")
    return Shown(panels.verdict_panel(found, wish), panels.map_panel(probability, found), panels.bars_panel(found))


def attempt(fields: Fields, *, weight: float | None, max_steps: float | None, guarantee: bool) -> tuple[str, str]:
    """The panels of a refinement and of the code for it, or what is wrong."""
    try:
        if weight is None or max_steps is None:
            raise ValueError("the weight and the number of steps must not be empty")
        method = Method(weight, int(max_steps), guarantee)
        probability, wish = fields.probability(), fields.wish()
        trial = refined(probability, wish, method)
    except ValueError as error:
        return panels.problem(str(error)), ""
    after = explore(trial.probability, wish, level=wish.threshold)
    return panels.trial_panel(trial, wish, after), panels.recipe_panel(probability, wish, method)


def example(name: str) -> Source:
    """One of the maps that the page knows.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in EXAMPLES:
        raise ValueError(f"an example must be one of {', '.join(EXAMPLES)}, got {name!r}")
    return Source(encoded(EXAMPLES[name]()))


def upload(path: str, *, axis: int, index: float | None, logits: bool) -> Source:
    """A user's file, or what is wrong with it."""
    try:
        loaded = load(Path(path), axis=axis, index=None if index is None else int(index), logits=logits)
    except (ValueError, ImportError) as error:
        return Source(None, panels.problem(str(error)))
    slices = loaded.slices if loaded.axes == 3 else 0
    return Source(encoded(loaded.values), panels.note(loaded.note), slices, loaded.index)
