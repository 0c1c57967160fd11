"""The refinement of one file among others: read, check, refine, write, and tell what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import topoprior
from topoprior.cli.refine.choice import RefinerChoice
from topoprior.cli.refine.plan import Job
from topoprior.cli.refine.refiner import Refiner
from topoprior.imaging.class_map import check_class_format, write_class_map
from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import check_format, write_labels, write_mask, write_probability
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.refinement.result import RefinementResult
from topoprior.viewing.report import Case, ClassCase
from topoprior.viewing.report.class_case import broken

Priors = Sequence[BettiPrior | ClassPriors]


@dataclass(frozen=True)
class Refined:
    """What came of a file.

    Attributes:
        rows: What the table tells of each slice, as plain values.
        cases: What the report tells, if one is wanted and the file was refined just now.
    """

    rows: list[dict[str, Any]]
    cases: list[Case | ClassCase] = field(default_factory=list)


@dataclass(frozen=True)
class Refinement:
    """The work of `topoprior.jobs.for_each`.

    Attributes:
        choice: What refines.
        slices: The axis along which images are cut, or None.
        guarantee: Whether to edit what does not reach its prior.
        pictures: Whether the report wants cases.
        on_slice: Called after each slice with how many are done, and of how many; for work in this process.
    """

    choice: RefinerChoice
    slices: int | None
    guarantee: bool
    pictures: bool
    on_slice: Callable[[int, int], None] | None = field(default=None, compare=False)

    def __call__(self, job: Job) -> Refined:
        """Refine all slices of a file, and write its mask, or with priors of classes its label map."""
        options, refine = dict(self.choice.options), self.choice.refiner()
        image, parts = refine.read(job.source, self.slices)
        check_format(job.mask, image.array.ndim)
        if job.probability is not None and job.wanted.classes is None:
            check_format(job.probability, image.array.ndim)
        elif job.probability is not None:
            check_class_format(job.probability)
        slices = None if self.slices is None else len(parts)
        axes = image.cut(image.array, self.slices).ndim - 1
        priors: Priors = job.wanted.priors(job.source, slices=slices, axes=axes, boundary=options["boundary"])
        refined = []
        for index, (part, prior) in enumerate(zip(parts, priors, strict=True)):
            try:
                one = refine(part, prior, image)
                if self.guarantee:
                    conventions = {name: options[name] for name in ("construction", "boundary", "threshold")}
                    one = refine.completed(one, prior, conventions)
                refined.append(one)
            except (ValueError, TypeError) as error:
                raise type(error)(f"{self._place(job.source, index)}: {error}") from error
            if self.on_slice is not None:
                self.on_slice(index + 1, len(parts))
        mask = self._write(job, image, refined, refine)
        if refine.resamples:
            written = zip(refined, image.cut(mask, self.slices), priors, strict=True)
            refined = [_as_written(one, part, prior, options) for one, part, prior in written]
        cases = self._cases(job, parts, refined, priors) if self.pictures else []
        return Refined(self._rows(job, refined, priors), cases)

    def settings(self) -> dict[str, Any]:
        """All that every result depends on, as plain values.

        Raises:
            OSError, TypeError, ValueError: As :meth:`RefinerChoice.refiner`.
        """
        return {**self.choice.settings(), "slices": self.slices, "guarantee": self.guarantee}

    def _place(self, file: Path, index: int) -> str:
        return f"{file}" if self.slices is None else f"{file}, slice {index}"

    def _write(self, job: Job, image: Image, refined: list[RefinementResult], refine: Refiner) -> Array:
        """The mask, or the channel of each pixel, in the file.

        What may be written over was checked: an output of an earlier run, or allowed.
        """

        def back(stack: list[Array]) -> Array:  # (slices, channel, *spatial) to (channel, *image)
            return np.stack([refine.back(np.stack(each), image, self.slices) for each in zip(*stack, strict=True)])

        masks = back([one.mask[0].cpu().numpy() for one in refined])
        outputs = None if job.probability is None else back([one.output[0].cpu().numpy() for one in refined])
        if job.wanted.classes is None:
            mask: Array = masks[0] >= 0.5
            write_mask(job.mask, mask, like=image, overwrite=True)
            if job.probability is not None and outputs is not None:
                write_probability(job.probability, outputs[0], like=image, overwrite=True)
            return mask
        channels: Array = masks.argmax(0)
        write_labels(job.mask, refine.values(channels), like=image, overwrite=True)
        if job.probability is not None and outputs is not None:
            write_class_map(job.probability, outputs, like=image, axis=self.choice.channel_axis, overwrite=True)
        return channels

    def _rows(self, job: Job, refined: list[RefinementResult], priors: Priors) -> list[dict[str, Any]]:
        return [
            {
                "file": str(job.source),
                **({} if self.slices is None else {"slice": index}),
                "prior": str(prior),
                **_summary(one, prior),
                "output": str(job.mask),
            }
            for index, (one, prior) in enumerate(zip(refined, priors, strict=True))
        ]

    def _cases(self, job: Job, parts: Array, refined: list[RefinementResult], priors: Priors) -> list[Case | ClassCase]:
        threshold = dict(self.choice.options)["threshold"]
        cases: list[Case | ClassCase] = []
        for index, (part, result, prior) in enumerate(zip(parts, refined, priors, strict=True)):
            name = self._place(job.source, index)
            if isinstance(prior, ClassPriors):
                background = result.reference[0, 0].cpu().numpy()
                picture = (
                    part if self.choice.network is not None else 1 - background
                )  # of a map: all that is foreground
                cases.append(ClassCase.of(name, picture, result, prior))
            else:
                cases.append(Case.of(name, part, result, prior, threshold=threshold))
        return cases


def _summary(result: RefinementResult, prior: BettiPrior | ClassPriors) -> dict[str, Any]:
    """What a result tells, its Betti numbers those of its one channel, or by class and union."""
    summary = result.summary()
    for name in ("betti_before", "betti_after"):
        rows = summary[name]
        summary[name] = dict(zip(prior.names, rows, strict=True)) if isinstance(prior, ClassPriors) else rows[0]
        if isinstance(prior, ClassPriors):
            summary[name.replace("betti", "wrong")] = broken(prior, rows)
    return summary


def _as_written(
    result: RefinementResult, part: Array, prior: BettiPrior | ClassPriors, options: dict[str, Any]
) -> RefinementResult:
    """A result judged by what goes into the file, as resampling can change its topology.

    Args:
        result: Of a slice.
        part: Its mask, or the channel of each pixel, in the file, shape ``(*spatial)``.
        prior: What was wanted.
        options: With the conventions.
    """
    words: Any = {name: options[name] for name in ("construction", "boundary")}
    if isinstance(prior, ClassPriors):
        found = topoprior.class_topology(part[None].astype(np.int64), prior, **words)
        return replace(result, betti_after=found.betti, succeeded=bool(found.success))
    betti = topoprior.betti_numbers(part[None, None], **words)
    return replace(result, betti_after=betti, succeeded=bool(prior.is_satisfied_by(betti[0, 0])))
