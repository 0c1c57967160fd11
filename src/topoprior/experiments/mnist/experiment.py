"""The MNIST experiment from its options to its report."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from topoprior.experiments.cells import compute
from topoprior.experiments.folder import open_folder, write_results
from topoprior.experiments.mnist.bench import Bench
from topoprior.experiments.mnist.cells import (
    CleanCell,
    DenoisedCell,
    RefinedCell,
    denoise,
    read_clean,
    refine_digits,
)
from topoprior.experiments.mnist.report import missing, write_page
from topoprior.experiments.mnist.scores import results_of
from topoprior.experiments.mnist.settings import PRESETS, RECIPES, Preset, Recipe, RecipeName, Settings
from topoprior.experiments.mnist.tables import table_1
from topoprior.experiments.mnist.variants import ANY, PRIOR_OF, PRIORS, range_priors
from topoprior.imaging.datasets.digits import DigitSets, download_mnist, read_mnist, small_digits
from topoprior.training.device import chosen_device

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from topoprior.experiments.demo import Progress
    from topoprior.imaging.datasets.digits import Digits
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.training.device import Device

_MORE_EPOCHS = 10  # for the small digits, of which there are so many fewer


def run(
    output: str | os.PathLike[str],
    *,
    preset: Preset = "quick",
    recipe: RecipeName = "paper",
    data: str | os.PathLike[str] | None = None,
    lines: Sequence[int] | None = None,
    digits: int | None = None,
    controls: bool | None = None,
    jobs: int = 1,
    device: Device = "auto",
    seed: int = 0,
    overwrite: bool = False,
    command: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Repeat the experiment, and write its tables, figures and report. What is there already is not computed again.

    Args:
        output: A folder, made if need be, for ``report.html``, ``results.json``, ``cells/`` (raw results),
            ``figures/`` and ``networks/``.
        preset: ``"paper"``: 1000 digits, six numbers of lines. ``"quick"``: 200 and two, in minutes.
        recipe: ``"paper"``, or ``"official"``: as the authors' published code has it, without the controls.
        data: Folder of the four files of MNIST. By default they are downloaded and kept in the user's cache; if that
            fails, ``"quick"`` goes on with the small digits of scikit-learn, and says so.
        lines: Other numbers of lines than the preset's, each from 1 to 27.
        digits: Another number of test digits than the preset's.
        controls: Whether digits are refined towards priors of other digits too. By default as the recipe has it.
        jobs: Cells at once, in processes.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: Of the test digits, the corruption and all training.
        overwrite: Replace what was computed with other settings.
        command: The command line, to be shown in the report.
        progress: Called as ``progress(what, done, of)`` now and then.

    Returns:
        What ``results.json`` holds.

    Raises:
        ValueError: If an option is out of range, a file of the data is damaged, or the folder holds cells or networks
            of other settings and ``overwrite`` is false.
        OSError: If data are missing and cannot be downloaded, or the folder cannot be written to.
        topoprior.experiments.cells.CellsFailed: After all others are done, if cells failed.
        ImportError: If an optional dependency is missing.
    """
    size, how = _chosen(preset, recipe, lines, digits)
    how = how if controls is None else replace(how, controls=controls)
    folder = open_folder(output, overwrite=overwrite)
    sets = _read(data, fall_back=preset == "quick")
    if sets.source != "MNIST":
        size = replace(size, classifier=replace(size.classifier, epochs=_MORE_EPOCHS * size.classifier.epochs))
    bench, to_read = _bench(folder, sets, size, how, seed=seed, device=device, overwrite=overwrite)
    bench.classifier(to_read, progress)

    shared = {"source": sets.source, "recipe": recipe, "seed": seed, **asdict(size), **asdict(how)}
    del shared["lines"], shared["controls"]  # a cell depends on its own only, and on no other cells
    every = partial(
        compute, folder=folder / "cells", settings=shared, jobs=jobs, overwrite=overwrite, progress=progress
    )
    [clean] = every(partial(read_clean, bench=bench), [CleanCell()], what="reading the clean digits")
    noisy = [DenoisedCell(number) for number in size.lines]
    before = every(partial(denoise, bench=bench), noisy, what="denoising")
    ranges = range_priors(to_read)
    wanted = refinements(size, how, ranges)
    after = every(partial(refine_digits, bench=bench), wanted, what="refining")

    results = results_of(clean, before, after, ranges, seed=seed)
    results = {
        "table": table_1(results).records(),
        "missing": missing(preset, sets.source, bench),
        "preset": preset,
        "source": sets.source,
        "settings": {**shared, "lines": list(size.lines)},
        **results,
    }
    write_results(folder, results)
    write_page(folder, results, bench, before, after, command=command)
    return results


def refinements(size: Settings, recipe: Recipe, ranges: Mapping[int, BettiPrior]) -> list[RefinedCell]:
    """The cells that are refined, most important first."""
    if not recipe.controls:
        return [RefinedCell(lines, str(prior), _labels_of(prior, PRIOR_OF)) for prior in PRIORS for lines in size.lines]
    wide = dict.fromkeys(prior for prior in ranges.values() if prior not in PRIORS)
    return [
        *(RefinedCell(lines, str(prior)) for prior in PRIORS for lines in size.lines),
        *(RefinedCell(lines, str(prior), _labels_of(prior, ranges)) for prior in wide for lines in size.lines),
        *(RefinedCell(lines, str(ANY)) for lines in size.lines),
    ]


def _chosen(preset: str, recipe: str, lines: Sequence[int] | None, digits: int | None) -> tuple[Settings, Recipe]:
    for name, word, words in (("preset", preset, get_args(Preset)), ("recipe", recipe, get_args(RecipeName))):
        if word not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {word!r}")
    size = PRESETS[preset]  # type: ignore[index]
    if lines is not None:
        size = replace(size, lines=tuple(dict.fromkeys(lines)))
    if digits is not None:
        size = replace(size, test_digits=digits)
    if not size.lines or not all(1 <= number <= 27 for number in size.lines):
        raise ValueError(f"lines must be numbers from 1 to 27, got {list(size.lines)}")
    if size.test_digits < 1:
        raise ValueError(f"digits must be at least 1, got {size.test_digits}")
    return size, RECIPES[recipe]  # type: ignore[index]


def _read(data: str | os.PathLike[str] | None, *, fall_back: bool) -> DigitSets:
    if data is not None:
        return read_mnist(data)
    try:
        return download_mnist()
    except (OSError, ImportError):
        if not fall_back:
            raise
        return small_digits()


def _bench(
    folder: Path, sets: DigitSets, size: Settings, recipe: Recipe, *, seed: int, device: Device, overwrite: bool
) -> tuple[Bench, Digits]:
    """What the cells work with, and the digits for the classifier."""
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    training, test = sets.training, sets.test
    paired = size.labelled + size.validation
    if len(training) <= paired:
        raise ValueError(f"there must be more than {paired} training digits, got {len(training)}")
    if size.test_digits > len(test):
        raise ValueError(f"digits must be at most the {len(test)} there are, got {size.test_digits}")
    places = np.sort(np.random.default_rng(seed).choice(len(test), size.test_digits, replace=False))
    first = (len(training) + len(test)) * seed  # no two digits, and no two seeds, have a stream in common
    return Bench(
        folder / "networks",
        size,
        recipe,
        training.select(slice(size.labelled)),
        training.select(slice(size.labelled, paired)),
        test.select(torch.from_numpy(places)),
        (
            tuple(range(first, first + size.labelled)),
            tuple(range(first + size.labelled, first + paired)),
            tuple((first + len(training) + places).tolist()),
        ),
        seed,
        chosen_device(device).type,
        overwrite,
    ), training.select(slice(max(paired, len(training) - size.classifier_digits), None))


def _labels_of(prior: BettiPrior, rule: Mapping[int, BettiPrior]) -> str:
    """The digits that have that prior."""
    return "".join(str(digit) for digit, own in rule.items() if own == prior)
