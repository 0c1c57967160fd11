"""The ACDC experiment from its options to its report."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from topoprior.experiments.acdc.phantoms import write_phantom_patients
from topoprior.experiments.acdc.priors import digest, priors_of
from topoprior.experiments.acdc.refinement import WAYS, ChoiceCell, StackCell, Strength, Work, choose, refine_stack
from topoprior.experiments.acdc.report import write_page
from topoprior.experiments.acdc.scores import summary
from topoprior.experiments.acdc.splits import Split, patients_in, splits
from topoprior.experiments.acdc.tables import PAPER, main_table
from topoprior.experiments.acdc.training import NetworkCell, Settings, train
from topoprior.experiments.cells import compute
from topoprior.experiments.folder import open_folder, write_results
from topoprior.imaging.datasets.acdc import PHASES

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from topoprior.experiments.acdc.training import Variant
    from topoprior.experiments.demo import Progress
    from topoprior.imaging.datasets.acdc import Patient
    from topoprior.training.device import Device

Preset = Literal["quick", "paper"]
Classes = Literal["myocardium", "heart", "both"]

QUICK_PATIENTS = 10
PRESETS: dict[Preset, Settings] = {
    "paper": Settings(),
    "quick": Settings(
        spacing=2.0,
        size=64,
        network="small_unet",
        steps=150,
        learning_rate=1e-2,
        validate_every=50,
        folds=2,
        learning_rates=(1e-3,),
        max_steps=40,
        max_map_steps=200,
    ),
}


def run(
    output: str | os.PathLike[str],
    *,
    preset: Preset = "quick",
    recipe: str = "paper",
    data: str | os.PathLike[str] | None = None,
    priors: str | os.PathLike[str] | None = None,
    classes: Classes = "myocardium",
    folds: int | None = None,
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
            ``figures/``, ``networks/`` (with which a training that was stopped goes on), ``priors.csv``, and
            ``predictions/``: the masks of every way, over the original images.
        preset: ``"paper"``: all patients. ``"quick"``: ten of them, a small network, minutes.
        recipe: ``"paper"``; the authors published no code of this experiment.
        data: Folder of the ACDC challenge. With ``training`` and ``testing`` in it the networks learn from the one and
            are tested on the other; otherwise every patient is unseen once. None: patients made of phantoms.
        priors: Table of the prior of each slice; by default they are counted in the ground truth.
        classes: ``"myocardium"`` (the paper's), ``"heart"``: a softmax over three classes, refined with the priors of
            all classes and pairs of classes; or ``"both"``.
        folds: How many parts the patients are dealt into, if there are no testing patients.
        jobs: Cells at once, in processes.
        device: Where to compute.
        seed: Of the split and of the training.
        overwrite: Replace what was computed with other settings.
        command: The command line, to be shown in the report.
        progress: Called as ``progress(what, done, of)`` now and then.

    Returns:
        What ``results.json`` holds.

    Raises:
        ValueError: If an option is out of range, a file of the data is damaged or does not fit, a slice has no prior,
            or the folder holds cells or networks of other settings and ``overwrite`` is false.
        OSError: If data are missing, or the folder cannot be written to.
        topoprior.experiments.cells.CellsFailed: After all others are done, if cells failed.
        ImportError: If an optional dependency is missing.
    """
    settings = _chosen(preset, recipe, classes, folds, seed)
    variants: tuple[Variant, ...] = ("myocardium", "heart") if classes == "both" else (classes,)
    folder = open_folder(output, overwrite=overwrite)
    training, testing = _patients(data, folder, preset, seed)
    if testing:
        settings = settings.official
    patients = {patient.name: patient for patient in (*training, *testing)}
    table = priors_of(patients.values(), None if priors is None else Path(priors), folder / "priors.csv")

    every = partial(compute, folder=folder / "cells", jobs=jobs, overwrite=overwrite, progress=progress)
    to_train = [
        NetworkCell(variant, split)
        for variant in variants
        for split in splits(training, testing, folds=settings.folds, seed=seed)
    ]
    trained = every(
        partial(
            train,
            patients=patients,
            settings=settings,
            folder=folder / "networks",
            device=device,
            seed=seed,
            overwrite=overwrite,
            tell=progress if jobs == 1 else None,
        ),
        to_train,
        settings={"seed": seed, **settings.of_training},
        what="training",
    )
    work = Work(patients, table, settings, folder / "networks", folder / "predictions", device)
    shared = {"seed": seed, **asdict(settings), "priors": digest(table)}
    to_choose = [
        ChoiceCell(cell.name, cell.variant, cell.split.validation, found["result"]["weights"])
        for cell, found in zip(to_train, trained, strict=True)
    ]
    chosen = every(partial(choose, work=work), to_choose, settings=shared, what="choosing λ on validation patients")
    to_refine = [
        cell
        for network, choice, found in zip(to_train, to_choose, chosen, strict=True)
        for cell in _stacks(network.split, choice, found["result"])
    ]
    refined = every(partial(refine_stack, work=work), to_refine, settings=shared, what="refining unseen patients")

    summaries = {
        variant: {way: summary([one for one in refined if one["cell"]["variant"] == variant], way) for way in WAYS}
        for variant in variants
    }
    first = [one for one in refined if one["cell"]["variant"] == variants[0]]
    results = {
        "table": main_table(first, summaries[variants[0]]).records(),
        "missing": _missing(preset, data, testing, priors),
        "preset": preset,
        "source": "phantoms" if data is None else "ACDC",
        "patients": {"training": len(training), "testing": len(testing)},
        "settings": {**shared, "recipe": recipe, "classes": classes},
        "paper": {f"dice_{phase}": PAPER[phase] for phase in PHASES},
        "summary": summaries,
    }
    write_results(folder, results)
    write_page(folder, results, work, trained, chosen, refined, command=command)
    return results


def _stacks(split: Split, choice: ChoiceCell, found: dict[str, Any]) -> list[StackCell]:
    """Both phases of the unseen patients of a network."""
    strengths = Strength(**found["paper"]), Strength(**found["chosen"])
    return [
        StackCell(patient, phase, choice.variant, choice.network, choice.weights, *strengths)
        for patient in split.test
        for phase in PHASES
    ]


def _chosen(preset: str, recipe: str, classes: str, folds: int | None, seed: int) -> Settings:
    for name, word, words in (("preset", preset, get_args(Preset)), ("classes", classes, get_args(Classes))):
        if word not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {word!r}")
    if recipe != "paper":
        raise ValueError(f"recipe must be paper, got {recipe!r}: the authors published no code of this experiment")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    settings = PRESETS[preset]  # type: ignore[index]
    return settings if folds is None else replace(settings, folds=folds)


def _patients(
    data: str | os.PathLike[str] | None, folder: Path, preset: str, seed: int
) -> tuple[list[Patient], list[Patient]]:
    if data is None:
        if preset != "quick":
            raise ValueError("the preset paper needs data: the folder of the ACDC challenge")
        return patients_in(write_phantom_patients(folder / "phantoms", QUICK_PATIENTS, seed=seed))
    training, testing = patients_in(Path(data))
    return (training, testing) if preset == "paper" else (_some(training), _some(testing))


def _some(patients: Sequence[Patient]) -> list[Patient]:
    """At most ten, evenly spaced: the challenge sorts them by group."""
    step = max(1, -(-len(patients) // QUICK_PATIENTS))
    return list(patients[::step])


def _missing(preset: str, data: object, testing: Sequence[Patient], priors: object) -> list[str]:
    """What the paper has and this run has not, in words."""
    found = []
    if data is None:
        found.append("The challenge's images: these patients are phantoms. Compare nothing with the paper's numbers.")
    elif not testing:
        found.append(
            "The challenge's 50 test patients: they are not in the data. Instead every training patient is unseen by "
            "one of the networks, which learn from fewer patients than the paper's 100."
        )
    if preset == "quick":
        found.append("The paper's size: this is the quick preset, with a small network and few patients.")
    if priors is None:
        found.append(
            "Manual inspection of the slices: their priors were counted in the ground truth, as a careful person would "
            "have judged them."
        )
    return found
