"""One image, made worse by one level, segmented and refined: what a job of ``robustness`` does."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from topoprior.cli.evaluate.pairs import Pair
from topoprior.cli.evaluate.scorer import Scorer
from topoprior.cli.refine.choice import RefinerChoice
from topoprior.evaluation.metrics import dice
from topoprior.evaluation.result_table import Row
from topoprior.experiments.robustness import Corruption
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
class Trials:
    """The work of `topoprior.jobs.for_each`.

    Attributes:
        corruption: What makes images worse.
        choice: What segments and refines them.
        scorer: What reads labels, cuts slices, and knows the priors.
    """

    corruption: Corruption
    choice: RefinerChoice
    scorer: Scorer

    def settings(self) -> dict[str, Any]:
        """All that every trial depends on, as plain values: the network by its weights.

        Raises:
            OSError, TypeError, ValueError: As :meth:`topoprior.cli.refine.choice.RefinerChoice.refiner`.
        """
        of_classes = ("classes", "channel_axis")  # of which a trial has one
        choice = {name: value for name, value in self.choice.settings().items() if name not in of_classes}
        corruption = {f"corruption_{name}": value for name, value in asdict(self.corruption).items()}
        return {**self.scorer.as_dict(), **choice, **corruption}

    def __call__(self, trial: Trial) -> list[Row]:
        """One row for each slice: the topology and the overlap before and after, judged in the pixels of the file.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If a file is broken, the shapes differ, or a level, a prior or the network does not fit.
        """
        scorer, options, refine = self.scorer, dict(self.choice.options), self.choice.refiner()
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
