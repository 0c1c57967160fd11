"""The prediction of one file among others: read, segment, write, and tell what came of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from json import loads
from pathlib import Path
from typing import Any

import numpy as np

from topoprior.baselines.post_processing import post_processing
from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Device
from topoprior.cli.arguments.wanted import Wanted
from topoprior.imaging.datasets.folders import read_channels
from topoprior.imaging.datasets.pairs import ImageFiles
from topoprior.imaging.image import Image
from topoprior.imaging.io import check_format, write_labels, write_probability
from topoprior.imaging.networks import load
from topoprior.imaging.recipe import recipe_of
from topoprior.imaging.segmenter import Segmenter
from topoprior.priors.betti_prior import BettiPrior


@dataclass(frozen=True)
class Job:
    """One image to segment.

    Attributes:
        image: Its files.
        mask: Where its mask goes.
        probabilities: Where the probability of each class goes; empty if nowhere.
        wanted: The priors of the image, for the post-processing; None if there are none.
    """

    image: ImageFiles
    mask: Path
    probabilities: tuple[Path, ...]
    wanted: Wanted[BettiPrior] | None

    @property
    def name(self) -> str:
        """The file; of several channels, their common name."""
        return str(self.image.channels[0] if len(self.image.channels) == 1 else self.image.path)

    @property
    def writes(self) -> Iterable[Path]:
        """All that is written."""
        return (self.mask, *self.probabilities)


@dataclass(frozen=True)
class Prediction:
    """The work of `topoprior.jobs.for_each`: small, for it is sent with every file; the network is read over there.

    Attributes:
        checkpoint: ``X.safetensors``.
        post_processing: Name and options as JSON; None for what the checkpoint says.
        device: Where to compute.
        run: Different for each run: the network is read once in each process, and anew for the next run.
    """

    checkpoint: Path
    post_processing: str | None
    device: Device
    run: str

    def __call__(self, job: Job) -> dict[str, Any]:
        """Segment an image, write its mask, and return its row of the table."""
        segment = self.segmenter()
        channels = read_channels(job.image)
        image = channels[0]
        for path in job.writes:
            check_format(path, image.array.ndim)
        made = segment(channels, priors=self._priors(job, segment, image))
        write_labels(job.mask, made.labels, like=image, overwrite=True)
        for path, probability in zip(job.probabilities, made.probabilities, strict=False):
            write_probability(path, probability, like=image, overwrite=True)
        counts = {
            name: int(np.count_nonzero(made.labels == values[0])) for name, values in segment.recipe.classes.items()
        }
        return {"file": job.name, "pixels": counts, "output": str(job.mask)}

    def segmenter(self) -> Segmenter:
        """The network, read once.

        Raises:
            OSError, TypeError, ValueError: If the checkpoint or the post-processing cannot be used.
        """
        return _segmenter(self)

    def settings(self) -> dict[str, Any]:
        """All that every result depends on, as plain values."""
        process = self.segmenter().post_processing
        digest = hashlib.sha256()
        for file in (self.checkpoint, self.checkpoint.with_suffix(".json")):
            digest.update(file.read_bytes())
        return {
            "checkpoint": digest.hexdigest()[:16],
            "post-processing": None if process is None else process.as_dict(),
            "device": self.device,
        }

    def _priors(self, job: Job, segment: Segmenter, image: Image) -> list[BettiPrior] | None:
        """One for each slice, or for the image taken whole; None if the post-processing looks at none."""
        if job.wanted is None:
            return None
        axis = segment.recipe.preparation.slices
        parts = image.cut(image.array, axis)
        return job.wanted.priors(
            job.image.path,
            slices=None if axis is None else len(parts),
            axes=parts.ndim - 1,
            boundary=segment.recipe.boundary,
        )


def stated_post_processing(text: str) -> dict[str, Any]:
    """Name and options from the words of the command line.

    Raises:
        ValueError: If an option has no value, or the name or an option is unknown or out of range.
        TypeError: If an option has another type.

    Examples:
        >>> stated_post_processing("closing,radius=3")
        {'name': 'closing', 'radius': 3}
    """
    name, *words = text.split(",")
    options: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--post-processing takes a name and options, as in closing,radius=3, got {text!r}")
        try:
            options[key.strip()] = loads(value)
        except ValueError:
            options[key.strip()] = value
    return post_processing({"name": name.strip(), **options}).as_dict()


@lru_cache(maxsize=1)
def _segmenter(prediction: Prediction) -> Segmenter:
    """Read once in each process and run."""
    loaded, place = load(prediction.checkpoint), chosen_device(prediction.device)
    recipe = recipe_of(loaded, prediction.checkpoint)
    stated = prediction.post_processing
    content = loads(stated) if stated is not None else loaded.metadata.get("post_processing")
    process = None if content is None or content["name"] == "none" else post_processing(content)
    return Segmenter(replace(loaded, network=loaded.network.to(place)), recipe, process, place)
