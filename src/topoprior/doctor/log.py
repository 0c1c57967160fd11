"""Why did a training run not learn the topology? Looks at its log."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.doctor.finding import Finding, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LEAST = 3  # looks at the validation images, from which a trend can be read
_FLAT = 0.02  # relative fall
_SMALL = 0.01  # share of the labelled loss
_LARGE = 10.0
_DICE_LOST = 0.05
_UNTRAINED = 0.5  # Dice
_SUCCESS = 0.05


def diagnose_log(log: str | Path | Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Say what a training log tells about a flat or wrong loss.

    Args:
        log: ``metrics.jsonl`` of a run of `topoprior.training.fit`, the folder that holds it, or
            ``TrainingResult.history``.

    Returns:
        Findings, the worst first; an empty list if nothing is to be said.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no record.

    Examples:
        >>> looks = [{"phase": "prior", "step": 0, "facts/weight": 1e-6}]
        >>> for step in (0, 10, 20, 30):
        ...     looks.append({"phase": "prior", "step": step, "train/labelled": 0.4, "train/topology": 2.0})
        ...     looks[-1] |= {"validation/dice": 0.8, "validation/success": 0.1, "validation/topology": 2.0}
        >>> [finding.name for finding in diagnose_log(looks)]
        ['weight too small', 'kept the start']
    """
    records = read_log(Path(log)) if isinstance(log, str | Path) else list(log)
    if not any(name.startswith(("train/", "validation/")) for record in records for name in record):
        empty = Finding(
            "error",
            "empty log",
            f"The log has {len(records)} records, and no loss in them.",
            "Train longer than to the first look (validate_every), or give the metrics.jsonl of another run.",
            {"records": len(records)},
        )
        return [empty]
    findings = list(_not_finite(records))
    phases = dict.fromkeys(str(record["phase"]) for record in records)
    for phase in phases:
        curves = _Curves([record for record in records if record["phase"] == phase], phase)
        findings += [*_start(curves), *_labelled(curves), *_topology(curves)]
    return worst_first(findings)


def read_log(path: Path) -> list[Mapping[str, Any]]:
    """The records of ``metrics.jsonl``, or of the one in a folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no record.
    """
    file = path / "metrics.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist: a run of topoprior train writes its log there")
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{file}: line {number} is not JSON: {error}") from error
        if not isinstance(record, dict) or not {"phase", "step"} <= set(record):
            raise ValueError(f"{file}: line {number} is no record of a run, which has a phase and a step")
        records.append(record)
    return records


class _Curves:
    """What one phase logged, each number by its name."""

    def __init__(self, records: list[Mapping[str, Any]], phase: str) -> None:
        self.phase = phase
        self._records = records

    def __call__(self, name: str) -> list[float]:
        """The finite values, in time."""
        found = [float(record[name]) for record in self._records if name in record]
        return [value for value in found if math.isfinite(value)]

    def steps(self, name: str) -> list[int]:
        """Where they were logged."""
        return [int(record["step"]) for record in self._records if name in record]


def _not_finite(records: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for record in records:
        bad = [name for name, value in record.items() if isinstance(value, float) and not math.isfinite(value)]
        if bad:
            yield Finding(
                "error",
                "not finite",
                f"In step {record['step']} of the phase {record['phase']} {', '.join(bad)} became NaN or infinite.",
                "Lower the learning_rate of this phase, or its weight.",
                {"phase": record["phase"], "step": record["step"], "names": bad},
            )
            return


def _start(curves: _Curves) -> Iterator[Finding]:
    """The network that the prior begins with."""
    dice = curves("validation/dice")
    if curves("train/topology") and dice and dice[0] < _UNTRAINED:
        yield Finding(
            "warning",
            "no warm start",
            f"The phase {curves.phase} begins with a Dice of {dice[0]:.2f}: bars of an untrained network mean nothing, "
            "and what the map shows no trace of gets no push.",
            "Give the supervised phase more steps or patience (supervised.steps, supervised.patience).",
            {"phase": curves.phase, "dice": dice[0]},
        )


def _labelled(curves: _Curves) -> Iterator[Finding]:
    """The supervised loss."""
    loss, dice = curves("train/labelled"), curves("validation/dice")
    if curves("train/topology") or len(loss) < _LEAST or not dice:
        return
    if min(loss) > (1 - _FLAT) * loss[0] and max(dice) < _UNTRAINED:
        yield Finding(
            "warning",
            "labelled loss flat",
            f"The loss on labels went from {loss[0]:.4g} to {loss[-1]:.4g} in {len(loss)} looks, Dice is at most "
            f"{max(dice):.2f}.",
            "Change the learning_rate tenfold, look at the labels (topoprior audit) and at the preparation of images.",
            {"phase": curves.phase, "first": loss[0], "last": loss[-1], "dice": max(dice)},
        )


def _topology(curves: _Curves) -> Iterator[Finding]:
    """The loss of the prior, against that of the labels and against Dice."""
    train, labelled = curves("train/topology"), curves("train/labelled")
    dice, success, topology = (curves(f"validation/{name}") for name in ("dice", "success", "topology"))
    if len(train) < _LEAST:
        return
    fall = (train[0] - min(train[-2:])) / train[0] if train[0] > 0 else 1.0
    lost = dice[0] - dice[-1] if dice else 0.0
    weight = next(iter(curves("facts/weight")), None)
    share = weight * _mean(train) / _mean(labelled) if weight and labelled and _mean(labelled) > 0 else None
    measured = {"phase": curves.phase, "first": train[0], "last": train[-1], "weight": weight, "share": share}
    if dice:
        measured |= {"dice first": dice[0], "dice last": dice[-1]}
    course = f"The topological loss went from {train[0]:.4g} to {train[-1]:.4g}"
    if lost > _DICE_LOST and fall < 0:
        yield Finding(
            "warning",
            "both get worse",
            f"{course} while Dice fell from {dice[0]:.2f} to {dice[-1]:.2f}.",
            "Lower the learning_rate of this phase.",
            measured,
        )
    elif lost > _DICE_LOST:
        size = "" if share is None else f" (weighted it is {share:.3g} times the loss on labels)"
        yield Finding(
            "warning",
            "weight too large",
            f"{course}, but Dice fell from {dice[0]:.2f} to {dice[-1]:.2f}{size}.",
            "Lower prior.weight threefold, or keep the state by Dice (prior.keep: dice).",
            measured,
        )
    elif share is not None and share > _LARGE:
        yield Finding(
            "note",
            "weight large",
            f"Weighted, the topological loss is {share:.3g} times the loss on labels.",
            "Watch Dice; if it falls, lower prior.weight.",
            measured,
        )
    if fall < _FLAT and train[-1] > 0 and lost <= _DICE_LOST:
        small = share is not None and share < _SMALL
        size = "" if share is None else f"; weighted it is {share:.2g} times the loss on labels"
        yield Finding(
            "warning",
            "weight too small" if small else "topological loss flat",
            f"{course} in {len(train)} looks{size}.",
            "Raise prior.weight tenfold."
            if small
            else "Look at one probability map of this run with topoprior doctor MAP --prior: a wanted feature may have "
            "no trace, or the prior may not be what the labels have (topoprior audit).",
            measured,
        )
    elif fall > 0.5 and success and max(success) < _SUCCESS:
        yield Finding(
            "warning",
            "loss falls, topology stays wrong",
            f"{course}, but at most {max(success):.0%} of the masks have the right topology.",
            "The last short bars count: give power=1, and check that loss and metric share construction and boundary.",
            {**measured, "success": max(success)},
        )
    if len(topology) > _LEAST and min(topology) >= topology[0] > 0:
        yield Finding(
            "warning",
            "kept the start",
            f"No look at the validation images found a lower topological loss than the first, {topology[0]:.4g}: with "
            f"keep: topology the phase {curves.phase} keeps the network that it began with.",
            "Change prior.weight or the learning_rate; if the phase ended early, raise prior.patience.",
            {"phase": curves.phase, "first": topology[0], "lowest later": min(topology[1:])},
        )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
