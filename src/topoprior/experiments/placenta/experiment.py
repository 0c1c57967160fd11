"""The 3-D experiment from its options to its report."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from topoprior.experiments.cells import compute
from topoprior.experiments.folder import open_folder, write_results
from topoprior.experiments.placenta.phantoms import PATIENT, write_phantom_volumes
from topoprior.experiments.placenta.refinement import WAYS, VolumeCell, refine_volume
from topoprior.experiments.placenta.report import write_page
from topoprior.experiments.placenta.tables import main_table, summary
from topoprior.experiments.placenta.training import Settings, Work, folds_of, train
from topoprior.experiments.placenta.volumes import EACH, Source, check_volumes, find_volumes

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from topoprior.experiments.demo import Progress
    from topoprior.experiments.placenta.volumes import Volume
    from topoprior.training.device import Device

Preset = Literal["quick", "paper"]

PRESETS: dict[Preset, Settings] = {
    "paper": Settings(),
    "quick": Settings(folds=5, network="small_unet", steps=200, learning_rates=(3e-4, 1e-3), max_steps=60),
}
HIPPOCAMPUS = Settings(network="small_unet", steps=300)
"""In place of the preset paper for these: a hundredth of the voxels."""
PHANTOMS: dict[Preset, dict[str, Any]] = {
    "paper": {"patients": 17, "volumes": 67, "shape": (96, 240, 256)},
    "quick": {"patients": 20, "volumes": 40, "shape": (24, 48, 56)},
}
QUICK_PATIENTS = 16
_HIPPOCAMPUS = (1, 2)  # its head and its body, of which the union is one solid body
_MULTIPLE, _LEAST = 8, 24  # sides of what the networks see: four levels need so many voxels


def run(
    output: str | os.PathLike[str],
    *,
    preset: Preset = "quick",
    recipe: str = "paper",
    source: Source = "phantom",
    data: str | os.PathLike[str] | None = None,
    patients: str | None = None,
    values: Sequence[int] | None = None,
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
            ``figures/``, ``networks/`` (with which a training that was stopped goes on), ``predictions/`` (the masks of
            every way, over the original volumes), and ``phantoms/``.
        preset: ``"paper"``: all volumes, 13 folds. ``"quick"``: few or small ones, a small network, minutes.
        recipe: ``"paper"``; the authors published no code of this experiment.
        source: ``"phantom"``: made on the spot. ``"folder"``: your own. ``"hippocampus"``: Task04 of the Medical
            Segmentation Decathlon, the union of its labels, each volume a patient of its own.
        data: Folder with ``images`` and ``labels``, or ``imagesTr`` and ``labelsTr``; for all sources but phantoms.
        patients: For folders: whose a volume is, see `topoprior.experiments.placenta.volumes.find_volumes`.
        values: For folders: the values that make up the structure in the labels; by default 1.
        folds: How many parts the patients are dealt into.
        jobs: Cells at once, in processes.
        device: Where to compute.
        seed: Of the phantoms, the folds and the training.
        overwrite: Replace what was computed with other settings.
        command: The command line, to be shown in the report.
        progress: Called as ``progress(what, done, of)`` now and then.

    Returns:
        What ``results.json`` holds.

    Raises:
        ValueError: If an option is out of range, a file of the data is damaged or does not fit, or the folder holds
            cells or networks of other settings and ``overwrite`` is false.
        OSError: If data are missing, or the folder cannot be written to.
        topoprior.experiments.cells.CellsFailed: After all others are done, if cells failed.
        ImportError: If an optional dependency is missing.
    """
    settings = _chosen(preset, recipe, source, data, patients, values, folds, seed)
    folder = open_folder(output, overwrite=overwrite)
    volumes = _volumes(folder, preset, source, data, patients, values, seed)
    to_train = folds_of(volumes, folds=settings.folds, seed=seed)
    largest = check_volumes(volumes)
    work = Work(
        volumes={volume.name: volume for volume in volumes},
        size=tuple(max(_LEAST, -(-side // _MULTIPLE) * _MULTIPLE) for side in largest),
        settings=settings,
        networks=folder / "networks",
        predictions=folder / "predictions",
        device=device,
        seed=seed,
        overwrite=overwrite,
    )
    shared = {"seed": seed, "source": source, "size": work.size, **asdict(settings)}
    every = partial(
        compute, folder=folder / "cells", settings=shared, jobs=jobs, overwrite=overwrite, progress=progress
    )
    trained = every(partial(train, work=work, tell=progress if jobs == 1 else None), to_train, what="training")
    to_refine = [
        VolumeCell(name, work.volumes[name].patient, fold.name, one["result"]["weights"], one["result"]["chosen"])
        for fold, one in zip(to_train, trained, strict=True)
        for name in fold.test
    ]
    refined = every(partial(refine_volume, work=work), to_refine, what="refining unseen volumes")

    summaries = {way: summary(refined, way) for way in WAYS}
    results = {
        "table": main_table(summaries).records(),
        "missing": _missing(preset, source),
        "preset": preset,
        "source": source,
        "patients": len({volume.patient for volume in volumes}),
        "volumes": len(volumes),
        "settings": {**shared, "recipe": recipe, "patients": patients, "values": list(volumes[0].values)},
        "summary": summaries,
    }
    write_results(folder, results)
    write_page(folder, results, work, trained, refined, command=command)
    return results


def _chosen(
    preset: str, recipe: str, source: str, data: object, patients: object, values: object, folds: int | None, seed: int
) -> Settings:
    for name, word, words in (("preset", preset, get_args(Preset)), ("source", source, get_args(Source))):
        if word not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {word!r}")
    if recipe != "paper":
        raise ValueError(f"recipe must be paper, got {recipe!r}: the authors published no code of this experiment")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    if (data is None) != (source == "phantom"):
        raise ValueError(f"data must be {'left out' if source == 'phantom' else 'given'} with the source {source}")
    if source == "folder" and patients is None:
        raise ValueError(
            "a folder needs a rule of the patients, whose volumes stay together: a regular expression that finds the "
            "patient in a volume's name, a table X.csv with the columns volume and patient, or each (one volume each)"
        )
    if source != "folder" and (patients is not None or values is not None):
        raise ValueError(f"patients and values are for the source folder, got the source {source}")
    settings = HIPPOCAMPUS if (preset, source) == ("paper", "hippocampus") else PRESETS[preset]  # type: ignore[index]
    return settings if folds is None else replace(settings, folds=folds)


def _volumes(
    folder: Path,
    preset: Preset,
    source: Source,
    data: str | os.PathLike[str] | None,
    patients: str | None,
    values: Sequence[int] | None,
    seed: int,
) -> list[Volume]:
    if data is None:
        options = PHANTOMS[preset]
        shape = "x".join(map(str, options["shape"]))
        place = write_phantom_volumes(folder / "phantoms" / f"{shape}_seed{seed}", **options, seed=seed)
        return find_volumes(place, patients=PATIENT, values=(1,))
    if source == "hippocampus":
        found = find_volumes(Path(data), patients=EACH, values=_HIPPOCAMPUS)
    else:
        found = find_volumes(Path(data), patients=patients or EACH, values=tuple(values or (1,)))
    if preset == "paper":
        return found
    names = sorted({volume.patient for volume in found})
    kept = names[:: max(1, -(-len(names) // QUICK_PATIENTS))]
    return [volume for volume in found if volume.patient in kept]


def _missing(preset: Preset, source: Source) -> list[str]:
    """What the paper has and this run has not, in words."""
    what = {
        "phantom": "these volumes are phantoms",
        "hippocampus": "these volumes show the hippocampus in MR images",
        "folder": "these volumes are others",
    }
    found = [f"The paper's volumes, which are private: {what[source]}. Compare the design with the paper, not numbers."]
    if preset == "quick":
        found.append("The paper's size: this is the quick preset, with a small network and few or small volumes.")
    return found
