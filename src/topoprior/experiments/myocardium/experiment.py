"""The myocardium experiment from its options to its report."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from topoprior.experiments.cell_documents import as_json, provenance
from topoprior.experiments.cells import compute
from topoprior.experiments.folder import open_folder, write_figure, write_results
from topoprior.experiments.myocardium import figures, report, tables
from topoprior.experiments.myocardium.cells import LINES_KEPT, MOST_UNLABELLED, SHARES, Cell, run_cell
from topoprior.experiments.myocardium.recipes import RECIPES, RecipeName
from topoprior.imaging.datasets.acdc import MYOCARDIUM
from topoprior.imaging.datasets.short_axis import phantom_slices, read_crops
from topoprior.imaging.datasets.short_axis_folders import read_acdc, read_biobank
from topoprior.viewing.report.experiment import write_experiment_report
from topoprior.viewing.report.html import environment

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from topoprior.experiments.demo import Progress
    from topoprior.experiments.myocardium.recipes import Recipe
    from topoprior.imaging.datasets.short_axis import ShortAxisSlices
    from topoprior.training.device import Device

PresetName = Literal["quick", "paper"]
Source = Literal["phantom", "acdc", "crops", "biobank"]
FIRST_SEED = 3  # the splits with the seeds before it served to choose the recipe


@dataclass(frozen=True)
class Preset:
    """Which cells are computed.

    Attributes:
        lines: Lines of k-space removed, of 80.
        labelled: Numbers of labelled slices.
        repeats: Splits, labelled slices and trainings of each.
        phantoms: How many are made, if no data are given; 0.6, 0.1, 0.3 of them to train, to validate and to test.
    """

    lines: tuple[int, ...]
    labelled: tuple[int, ...]
    repeats: int
    phantoms: int


PRESETS: dict[PresetName, Preset] = {
    "quick": Preset(lines=(60,), labelled=(10, 40), repeats=2, phantoms=500),
    "paper": Preset(lines=(20, 60), labelled=(10, 20, 40, 100), repeats=10, phantoms=1000),
}


def run(
    output: str | os.PathLike[str],
    *,
    preset: PresetName = "quick",
    recipe: RecipeName = "tuned",
    source: Source = "phantom",
    data: str | os.PathLike[str] | None = None,
    lines: Sequence[int] | None = None,
    labelled: Sequence[int] | None = None,
    repeats: int | None = None,
    myocardium: int = MYOCARDIUM,
    only_report: bool = False,
    jobs: int = 1,
    device: Device = "auto",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Compute the cells that are missing, and write the tables, the figures and the report.

    Args:
        output: A folder, made if need be, for ``cells/`` (a JSON file each), ``networks/`` (of the first repeat),
            ``figures/``, ``results.json`` and ``report.html``.
        preset: ``quick``: minutes; smaller networks. ``paper``: the whole protocol; days on two cores.
        recipe: ``tuned``: ours, which gives every method its best. ``paper``: as far as the paper tells.
        source: ``phantom`` (made here), ``acdc`` (folder of patients), ``crops`` (npz) or ``biobank`` (folder of
            subjects); see `topoprior.imaging.datasets.short_axis`.
        data: Where the last three are.
        lines: Lines of k-space removed, of 80, instead of the preset's.
        labelled: Numbers of labelled slices, instead of the preset's.
        repeats: How many, instead of the preset's.
        myocardium: Its value in the labels of ``acdc`` and ``biobank``.
        only_report: Compute nothing; report the cells that are there, and name the others.
        jobs: Cells computed at once.
        device: Where networks are trained.
        seed: Added to the seeds of all repeats.
        overwrite: Compute cells anew that were computed with other settings.
        progress: Called as ``progress(what, done, of)`` now and then.
        command: That asked for it, for the report.

    Returns:
        What ``results.json`` holds.

    Raises:
        ValueError: If an option is wrong, data are missing or damaged, or cells were computed with other settings.
        FileNotFoundError: If there are no such data, or no cell to report.
        FileExistsError: If the folder holds something else than an experiment, and ``overwrite`` is false.
        CellsFailed: If cells could not be computed; the others are kept.
        ImportError: If an optional dependency is missing.
    """
    plan = _plan(preset, recipe, source, data, lines, labelled, repeats, seed)
    trained = (RECIPES[recipe].smaller() if preset == "quick" else RECIPES[recipe]).on(device)
    slices = _slices(source, data, plan.phantoms, myocardium)
    folder = open_folder(output, overwrite=overwrite)
    cells = _cells(plan, seed)
    if only_report:
        cells = [cell for cell in cells if (folder / "cells" / f"{cell.name}.json").is_file()]
        if not cells:
            raise FileNotFoundError(f"{folder / 'cells'} must hold cells of this plan to report, got none")
    settings = as_json(_settings(trained, slices), "the settings")
    documents = compute(
        partial(run_cell, slices=slices, recipe=trained, keep=folder / "networks", kept_seed=cells[0].seed),
        cells,
        folder / "cells",
        settings=settings,
        jobs=jobs,
        overwrite=overwrite,
        progress=progress,
        what="training networks",
    )

    table_2 = tables.table_2(documents)
    verdicts = tables.verdicts(documents)
    quality = tables.quality(slices, plan.lines, seed=cells[0].seed)

    # The pictures need networks: those of the first seed of a run are kept, and a folder may hold several runs.
    kept = {cell for cell in cells if (folder / "networks" / cell.name).is_dir()}
    hardest = max(cells, key=lambda cell: (cell in kept, cell.lines, -cell.labelled, -cell.seed))
    shown = documents[cells.index(hardest)]
    pictures, absent = figures.results(slices, shown, folder / "networks" / hardest.name)
    pictures["figure8"] = figures.degradation(slices, hardest, plan.lines)
    pictures = {name: write_figure(folder, name, figure) for name, figure in pictures.items()}

    paper = PRESETS["paper"]
    missing = [
        *report.missing(cells, paper.lines, paper.labelled, paper.repeats),
        *(f"{name.replace('figure', 'Figure ')}: {why}." for name, why in absent.items()),
    ]
    deviations = report.deviations(trained, source, FIRST_SEED)
    configuration = {"preset": preset, "recipe": recipe, "source": source, **provenance(documents)}
    results = {
        **configuration,
        "data": slices.note,
        "settings": settings,
        "table": tables.records(table_2),
        "verdicts": verdicts,
        "quality": {str(count): dict(zip(("snr", "gradient"), both, strict=True)) for count, both in quality.items()},
        "deviations": deviations,
        "missing": missing,
        "environment": environment(),
    }
    write_results(folder, results)
    write_experiment_report(
        folder / "report.html",
        title="Few labelled heart slices, many unlabelled ones: methods side by side",
        introduction=report.introduction(slices, shown),
        sections=report.sections(
            tables.verdict_table(verdicts), list(table_2.values()), tables.quality_table(quality), pictures
        ),
        deviations=deviations,
        missing=missing,
        configuration=configuration,
        command=command,
        overwrite=True,
    )
    return results


def _plan(
    preset: str,
    recipe: str,
    source: str,
    data: object,
    lines: Sequence[int] | None,
    labelled: Sequence[int] | None,
    repeats: int | None,
    seed: int,
) -> Preset:
    """The preset with what was asked for instead."""
    if recipe == "official":
        raise ValueError("this experiment's code was never published: recipe must be tuned or paper, got 'official'")
    for name, word, words in (
        ("preset", preset, get_args(PresetName)),
        ("recipe", recipe, get_args(RecipeName)),
        ("source", source, get_args(Source)),
    ):
        if word not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {word!r}")
    if (data is None) != (source == "phantom"):
        rule = "the phantom needs no data" if data is not None else f"{source} needs data, a path"
        raise ValueError(f"{rule}, got {data}")
    plan = PRESETS[preset]  # type: ignore[index]
    plan = replace(plan, lines=tuple(lines or plan.lines), labelled=tuple(labelled or plan.labelled))
    plan = replace(plan, repeats=plan.repeats if repeats is None else repeats)
    if min(*plan.labelled, plan.repeats) < 1 or min(*plan.lines, seed) < 0:
        raise ValueError(
            f"labelled and repeats must be at least 1, lines and seed at least 0, got {plan.labelled}, {plan.repeats}, "
            f"{plan.lines}, {seed}"
        )
    return plan


def _slices(source: Source, data: Any, phantoms: int, myocardium: int) -> ShortAxisSlices:
    if source == "phantom":
        return phantom_slices(phantoms)
    if source == "crops":
        return read_crops(data)
    return (read_acdc if source == "acdc" else read_biobank)(data, myocardium=myocardium)


def _cells(plan: Preset, seed: int) -> list[Cell]:
    """Repeat by repeat, so that a run that is stopped has whole tables."""
    seeds = range(FIRST_SEED + seed, FIRST_SEED + seed + plan.repeats)
    return [Cell(lines, count, one) for one, lines, count in itertools.product(seeds, plan.lines, plan.labelled)]


def _settings(recipe: Recipe, slices: ShortAxisSlices) -> dict[str, Any]:
    """What all cells share."""
    return {
        **recipe.as_dict(),
        "slices": slices.digest(),
        "lines_kept": LINES_KEPT,
        "shares": SHARES,
        "most_unlabelled": MOST_UNLABELLED,
    }
