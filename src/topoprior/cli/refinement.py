"""The refinement of one file among others: read, check, refine, write, and tell what came of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from topoprior.cli.options import Device
from topoprior.cli.plan import Job
from topoprior.cli.refiners import NetworkRefiner, Refiner, as_written, refiner, weights_digest
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import check_format, read_image, write_mask, write_probability
from topoprior.imaging.networks import Activation, Normalisation
from topoprior.priors.betti_prior import BettiPrior
from topoprior.refinement.guarantee import completed
from topoprior.refinement.result import RefinementResult
from topoprior.viewing.report import Case


@dataclass(frozen=True)
class Refined:
    """What came of a file.

    Attributes:
        rows: What the table tells of each slice, as plain values.
        cases: What the report tells, if one is wanted and the file was refined just now.
    """

    rows: list[dict[str, Any]]
    cases: list[Case] = field(default_factory=list)


@dataclass(frozen=True)
class Refinement:
    """The work of `topoprior.jobs.for_each`: small, for it is sent with every file; the network is read over there.

    Attributes:
        network: Checkpoint or ``module:factory``; None for probability maps.
        activation: As the command takes it.
        normalise: As the command takes it.
        channel: Of the network's output.
        device: Where to compute.
        slices: The axis along which images are cut, or None.
        options: For `topoprior.refine` or `topoprior.refine_map`, name and value.
        guarantee: Whether to edit what does not reach its prior.
        pictures: Whether the report wants cases.
        run: Different for each run: a network is read once in each process, and anew for the next run.
        on_slice: Called after each slice with how many are done, and of how many; for work in this process.
    """

    network: str | None
    activation: Literal["none"] | Activation | None
    normalise: Normalisation | None
    channel: int | None
    device: Device
    slices: int | None
    options: tuple[tuple[str, Any], ...]
    guarantee: bool
    pictures: bool
    run: str
    on_slice: Callable[[int, int], None] | None = field(default=None, compare=False)

    def __call__(self, job: Job) -> Refined:
        """Refine all slices of a file, and write its mask."""
        image, options = read_image(job.source), dict(self.options)
        refine = _refiner(self)
        parts = refine.parts(image, self.slices)
        for path in job.writes:
            check_format(path, image.array.ndim)
        slices = None if self.slices is None else len(parts)
        priors = job.wanted.priors(job.source, slices=slices, axes=parts.ndim - 1, boundary=options["boundary"])
        refined = []
        for index, (part, prior) in enumerate(zip(parts, priors, strict=True)):
            try:
                one = refine(part, prior)
                if self.guarantee:
                    conventions = {name: options[name] for name in ("construction", "boundary", "threshold")}
                    one = completed(one, prior, **conventions)
                refined.append(one)
            except (ValueError, TypeError) as error:
                raise type(error)(f"{self._place(job.source, index)}: {error}") from error
            if self.on_slice is not None:
                self.on_slice(index + 1, len(parts))
        mask = self._write(job, image, refined, refine)
        if isinstance(refine, NetworkRefiner) and refine.preparation is not None:
            written = zip(refined, image.cut(mask, self.slices), priors, strict=True)
            refined = [as_written(one, part, prior, options) for one, part, prior in written]
        cases = self._cases(job, parts, refined, priors) if self.pictures else []
        return Refined(self._rows(job, refined, priors), cases)

    def settings(self) -> dict[str, Any]:
        """All that every result depends on, as plain values: the network by its weights.

        Raises:
            OSError, TypeError, ValueError: As :func:`topoprior.cli.refiners.refiner`.
        """
        told = {name: value for name, value in asdict(self).items() if name not in _NOT_SETTINGS}
        return {**told, **dict(self.options), "weights": weights_digest(_refiner(self))}

    def _place(self, file: Path, index: int) -> str:
        return f"{file}" if self.slices is None else f"{file}, slice {index}"

    def _write(self, job: Job, image: Image, refined: list[RefinementResult], refine: Refiner) -> Array:
        """The mask in the file. What may be written over was checked: an output of an earlier run, or allowed."""
        mask = refine.back(np.concatenate([one.mask[0].cpu().numpy() for one in refined]), image, self.slices) >= 0.5
        write_mask(job.mask, mask, like=image, overwrite=True)
        if job.probability is not None:
            probability = np.concatenate([one.output[0].cpu().numpy() for one in refined])
            write_probability(job.probability, refine.back(probability, image, self.slices), like=image, overwrite=True)
        return mask

    def _rows(self, job: Job, refined: list[RefinementResult], priors: list[BettiPrior]) -> list[dict[str, Any]]:
        return [
            {
                "file": str(job.source),
                **({} if self.slices is None else {"slice": index}),
                "prior": str(prior),
                **_summary(one),
                "output": str(job.mask),
            }
            for index, (one, prior) in enumerate(zip(refined, priors, strict=True))
        ]

    def _cases(self, job: Job, parts: Array, refined: list[RefinementResult], priors: list[BettiPrior]) -> list[Case]:
        threshold = dict(self.options)["threshold"]
        return [
            Case.of(self._place(job.source, index), part, result, prior, threshold=threshold)
            for index, (part, result, prior) in enumerate(zip(parts, refined, priors, strict=True))
        ]


_NOT_SETTINGS = ("options", "pictures", "run", "on_slice")


@lru_cache(maxsize=1)
def _refiner(refinement: Refinement) -> Refiner:
    """Read once in each process and run."""
    return refiner(
        refinement.network,
        activation=refinement.activation,
        normalise=refinement.normalise,
        channel=refinement.channel,
        options=dict(refinement.options),
        device=refinement.device,
    )


def _summary(result: RefinementResult) -> dict[str, Any]:
    """What a result tells, its Betti numbers those of its one channel."""
    summary = result.summary()
    return {**summary, **{name: summary[name][0] for name in ("betti_before", "betti_after")}}
