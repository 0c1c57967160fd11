"""One slice and its prior in, a refinement out: what all that refines has in common."""

from pathlib import Path
from typing import Any, Protocol

from topoprior.imaging.image import Array, Image
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.result import RefinementResult


class Refiner(Protocol):
    """How files are read, and how their slices are refined."""

    def read(self, path: Path, slices: int | None) -> tuple[Image, Array]:
        """A file and its slices as they are refined: ``(slices, *spatial)`` or ``(slices, channel, *spatial)``.

        Raises:
            OSError: If there is no such file.
            ValueError: If it cannot be read, or is of the wrong kind.
        """

    def parts(self, image: Image, slices: int | None) -> Array:
        """The slices of an image of one channel; ValueError if it is of the wrong kind."""

    def back(self, values: Array, image: Image, slices: int | None) -> Array:
        """The inverse for a mask or probabilities: on the grid of the file."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of all channels, background first; None if nobody said."""

    @property
    def digest(self) -> str | None:
        """Of the network's weights, so that no run goes on with those of another training; None without a network."""

    @property
    def resamples(self) -> bool:
        """Whether the file gets other pixels than those that were refined: its mask is to be judged anew."""

    def values(self, channels: Array) -> Array:
        """What a label map has for the channel of each pixel."""

    def __call__(self, values: Array, prior: BettiPrior | ClassPriors, image: Image) -> RefinementResult:
        """Refine one slice of an image; with one prior the result has one channel, the one that has the prior."""

    def completed(
        self, result: RefinementResult, prior: BettiPrior | ClassPriors, conventions: dict[str, Any]
    ) -> RefinementResult:
        """The same if it succeeded, otherwise with its output edited."""
