"""One image, made worse by one level, segmented and refined: what a job of ``robustness`` does."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from topoprior.cli.arguments.options import Device
from topoprior.cli.evaluate.pairs import Pair
from topoprior.cli.evaluate.scorer import Scorer
from topoprior.cli.refine.refiners import Refiner, digest_of, refiner
from topoprior.evaluation.metrics import dice
from topoprior.evaluation.result_table import Row
from topoprior.experiments.robustness import Corruption
from topoprior.imaging.networks import Activation, Normalisation
from topoprior.topology.betti import betti_numbers


@dataclass(frozen=True)
class Trial:
    """What is to be tried.

    Attributes:
        pair: An image, in place of the prediction, and its label.
        level: How much worse the image is to be.
    """

    pair: Pair
    level: float

    @property
    def name(self) -> str:
        """Different for every trial."""
        return f"{self.pair.name}, level {self.level:g}"


@dataclass(frozen=True)
class Refinement:
    """How images are segmented and refined: the arguments of `topoprior.cli.refine.refiners.refiner`, and one more.

    Attributes:
        run: Different for each run: a network is read once in each process, and anew for the next run.
    """

    network: str | None
    activation: Literal["none"] | Activation | None
    normalise: Normalisation | None
    channel: int | None
    device: Device
    options: tuple[tuple[str, Any], ...]
    run: str


@dataclass(frozen=True)
class Trials:
    """The work of `topoprior.jobs.for_each`.

    Attributes:
        corruption: What makes images worse.
        refinement: What segments and refines them.
        scorer: What reads labels, cuts slices, and knows the priors.
    """

    corruption: Corruption
    refinement: Refinement
    scorer: Scorer

    def settings(self) -> dict[str, Any]:
        """All that every trial depends on, as plain values: the network by its weights.

        Raises:
            OSError, TypeError, ValueError: As :func:`topoprior.cli.refine.refiners.refiner`.
        """
        told = {name: value for name, value in asdict(self.refinement).items() if name not in ("run", "options")}
        weights = {"weights": digest_of(_refiner(self.refinement))}
        corruption = {f"corruption_{name}": value for name, value in asdict(self.corruption).items()}
        return {**self.scorer.as_dict(), **told, **dict(self.refinement.options), **weights, **corruption}

    def __call__(self, trial: Trial) -> list[Row]:
        """One row for each slice: the topology and the overlap before and after, judged in the pixels of the file.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If a file is broken, the shapes differ, or a level, a prior or the network does not fit.
        """
        scorer, options, refine = self.scorer, dict(self.refinement.options), _refiner(self.refinement)
        words: Any = {"construction": scorer.construction, "boundary": scorer.boundary}
        image, label = scorer.read(trial.pair)
        target = scorer.masks(label, scorer.classes)
        priors = [each[0] for each in scorer.wanted(trial.pair, betti_numbers(target, **words))]
        worse = self.corruption(image.cut(image.intensity(), scorer.slices), trial.level, name=trial.pair.name)
        image = replace(image, array=image.join(worse, scorer.slices).astype(np.float32), full_scale=None)
        parts = refine.parts(image, scorer.slices)
        results = [refine(part, prior, image) for part, prior in zip(parts, priors, strict=True)]
        rows: list[Row] = [
            {
                "case": scorer.case(trial.pair, index),
                "corruption": self.corruption.kind,
                "level": trial.level,
                "wanted": str(prior),
                "steps": result.steps,
                "stopped": result.stop_reason,
            }
            for index, (prior, result) in enumerate(zip(priors, results, strict=True))
        ]
        states = {
            "before": [result.reference >= options["threshold"] for result in results],
            "after": [result.mask for result in results],
        }
        for when, masks in states.items():
            stack = np.concatenate([mask[0].cpu().numpy() for mask in masks])
            in_file = image.cut(refine.back(stack, image, scorer.slices) >= 0.5, scorer.slices)[:, None]
            betti, overlap = betti_numbers(in_file, **words), dice(in_file, target)
            for row, prior, numbers, value in zip(rows, priors, betti[:, 0], overlap[:, 0].tolist(), strict=True):
                row |= {f"right_{when}": int(prior.is_satisfied_by(numbers)), f"dice_{when}": value}
        return rows


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
