"""The numbers of the MNIST experiment's tables, from its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from topoprior.evaluation.paired_tests import mcnemar, wilcoxon
from topoprior.experiments.mnist.variants import PRIOR_OF, Outcome, outcomes
from topoprior.priors.betti_prior import BettiPrior

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def results_of(
    clean: Mapping[str, Any],
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    ranges: Mapping[int, BettiPrior],
    *,
    seed: int,
) -> dict[str, Any]:
    """All numbers of the tables.

    Args:
        clean: Document of the cell of clean digits.
        before: Documents of the denoised cells.
        after: Documents of the refined cells.
        ranges: The range prior of each digit.
        seed: Of the controls.

    Returns:
        ``clean`` (accuracy, and the share of digits that satisfy their priors), ``lines`` (for each number of lines
        the variants, each with accuracy, error, topology, and its comparison with the denoiser) and ``ranges``.
    """
    labels = [int(letter) for letter in clean["result"]["labels"]]
    truth = np.array(labels)
    rows = []
    for document in before:
        lines = document["cell"]["lines"]
        refined = {
            BettiPrior.parse(other["cell"]["prior"]): other["result"]
            for other in after
            if other["cell"]["lines"] == lines and other["result"]["places"]
        }
        found = _scores(outcomes(document["result"], refined, labels, ranges, seed=seed), truth)
        corrupted = np.array([int(letter) for letter in document["result"]["corrupted_read"]]) == truth
        rows.append({
            "lines": lines,
            "corrupted": {
                "accuracy": float(corrupted.mean()),
                "error": float(np.mean(document["result"]["corrupted_error"])),
            },
            "variants": found,
        })  # fmt: skip
    return {
        "clean": _ceiling(clean["result"], truth, ranges),
        "ranges": {str(digit): str(prior) for digit, prior in ranges.items()},
        "lines": rows,
    }


def _scores(found: Mapping[str, Outcome], truth: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Of each variant, against the denoiser alone."""
    alone = found["denoised"]
    right_alone = alone.read == truth
    own = [PRIOR_OF[label] for label in truth.tolist()]
    scores = {}
    for variant, outcome in found.items():
        right = outcome.read == truth
        scores[variant] = {
            "accuracy": float(right.mean()),
            "error": float(outcome.error.mean()),
            "true_topology": _satisfied(outcome.betti, own),
            "asked_topology": None if outcome.asked is None else _satisfied(outcome.betti, outcome.asked),
            "gained": int((right & ~right_alone).sum()),
            "lost": int((right_alone & ~right).sum()),
            "accuracy_p": mcnemar(right, right_alone)[1],
            "error_p": wilcoxon(outcome.error, alone.error)[1],
            "by_digit": {
                str(digit): float(right[truth == digit].mean()) for digit in range(10) if (truth == digit).any()
            },
        }
    return scores


def _ceiling(clean: Mapping[str, Any], truth: np.ndarray[Any, Any], ranges: Mapping[int, BettiPrior]) -> dict[str, Any]:
    """What clean digits come to."""
    read = np.array([int(letter) for letter in clean["read"]])
    labels = truth.tolist()
    betti = {
        construction: np.stack([clean[f"components_{construction}"], clean[f"loops_{construction}"]], axis=1)
        for construction in ("T", "V")
    }

    def shares(chosen: np.ndarray[Any, Any]) -> dict[str, Any]:
        places = np.flatnonzero(chosen)
        own = [PRIOR_OF[labels[place]] for place in places]
        wide = [ranges[labels[place]] for place in places]
        return {
            "digits": len(places),
            "accuracy": float((read == truth)[places].mean()),
            "T": _satisfied(betti["T"][places], own),
            "V": _satisfied(betti["V"][places], own),
            "range": _satisfied(betti["T"][places], wide),
        }

    return {
        **shares(np.ones(len(truth), dtype=bool)),
        "by_digit": {str(digit): shares(truth == digit) for digit in range(10) if (truth == digit).any()},
    }


def _satisfied(betti: np.ndarray[Any, Any], asked: Sequence[BettiPrior]) -> float:
    """Share of digits that have the topology asked."""
    return float(
        np.mean(
            [bool(prior.is_satisfied_by(torch.tensor(row))) for row, prior in zip(betti.tolist(), asked, strict=True)]
        )
    )
