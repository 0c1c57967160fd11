"""``topoprior train``: a network from folders of images, by the method and with the settings of one file."""

import os
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Json
from topoprior.cli.output.printed import print_json, print_table
from topoprior.cli.output.progress import stages

if TYPE_CHECKING:
    from topoprior.cli.train.configuration import Configuration
    from topoprior.imaging.datasets.sets import Sets
    from topoprior.training.result import TrainingResult
    from topoprior.training.settings import Method

_SHORT = Group("For often changed keys", sort_key=1)
_RUN = Group("If the run has begun before", sort_key=2)


def train(
    *changes: Annotated[
        str,
        Parameter(
            name="KEY=VALUE",
            help="Changes of single values of the configuration, which may also come from here alone: "
            "supervised.steps=50, data.preparation.size=[80,80].",
        ),
    ],
    config: Annotated[
        Path | None, Parameter(name=("--config", "-c"), help="The configuration: a YAML or TOML file.")
    ] = None,
    example: Annotated[
        bool, Parameter(help="Print a configuration with all keys, each with a comment that says what it is.")
    ] = False,
    name: Annotated[str | None, Parameter(group=_SHORT, help="Of the run: its folder is runs/NAME.")] = None,
    seed: Annotated[int | None, Parameter(group=_SHORT, help="Of every random choice.")] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None,
        Parameter(group=_SHORT, help="Where to compute. auto: on the GPU if there is one. Means hardware.device."),
    ] = None,
    resume: Annotated[
        bool,
        Parameter(
            group=_RUN, help="Go on where the run was stopped, to the same end. Begins if it has not begun before."
        ),
    ] = False,
    overwrite: Annotated[bool, Parameter(group=_RUN, help="Remove what it left, and begin anew.")] = False,
    json: Json = False,
) -> None:
    """Train a network on folders of images, with labels and, if there are any, without.

    Start with `topoprior train --example > run.yaml`. Images, labels, classes and priors are checked before the
    training begins. The run's folder then holds config.yaml (all keys as they were), environment.json, metrics.jsonl,
    tensorboard/ and checkpoints/. The file to predict with is checkpoints/best.safetensors, with best.json beside it.
    """
    from topoprior.cli.train.configuration import example as example_configuration
    from topoprior.cli.train.configuration import read_configuration

    if example:
        print(example_configuration(), end="")
        return
    from topoprior.cli.train.folder import check_folder, open_folder

    short = {"name": name, "seed": seed, "hardware.device": device}
    added = [f"{key}={dumps(value)}" for key, value in short.items() if value is not None]
    if config is None and not changes:
        raise ValueError("say what to train with --config FILE; topoprior train --example prints such a file")
    configuration = read_configuration(config, [*changes, *added])
    chosen_device(configuration.hardware.device)
    first = _is_first_process()
    if first:
        check_folder(configuration, resume=resume, overwrite=overwrite)
    with stages() as report:
        sets = _sets(configuration, report if first else None)
    _check_sets(configuration, sets)
    if first:
        open_folder(configuration, overwrite=overwrite)
    result = _fit(configuration, sets, resume=resume)
    if first:
        _tell(configuration, result, json=json)


def _is_first_process() -> bool:
    """Whether this one of several processes reads and writes for all of them: launchers number them by these names."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def _sets(configuration: "Configuration", report: Any) -> "Sets":
    from topoprior.baselines.post_processing import post_processing
    from topoprior.imaging.datasets.sets import load_sets

    post_processing(configuration.post_processing)
    return load_sets(
        configuration.data,
        unlabelled=configuration.method != "supervised",
        seed=configuration.seed,
        report=report,
    )


def _check_sets(configuration: "Configuration", sets: "Sets") -> None:
    """Refuse what the training itself would refuse, before there is a folder."""
    from topoprior.training.checks import check_cases, check_shares

    later = () if configuration.method == "supervised" else (configuration.method,)
    phases: tuple[Method, ...] = ("supervised", *later)
    check_cases(configuration.training, phases, sets.labelled, sets.validation, sets.unlabelled)
    check_shares(configuration.training, phases)


def _fit(configuration: "Configuration", sets: "Sets", *, resume: bool) -> "TrainingResult":
    from topoprior.cli.train.bars import bars
    from topoprior.imaging.recipe import Recipe
    from topoprior.training import fit

    prior = configuration.data.prior
    texts = {next(iter(sets.classes)): prior} if isinstance(prior, str) else prior or {}
    recipe = Recipe(
        preparation=configuration.data.preparation,
        classes=dict(sets.classes),
        channels=sets.labelled.images.shape[1],
        channel_numbers=sets.channel_numbers,
        prior={name: text for name, text in texts.items() if name in sets.classes and not _is_table(text)} or None,
        construction=configuration.prior.construction,
        boundary=configuration.prior.boundary,
    )
    with bars() as progress:
        return fit(
            configuration.training,
            labelled=sets.labelled,
            validation=sets.validation,
            unlabelled=sets.unlabelled,
            folder=configuration.folder,
            resume=resume,
            progress=progress,
            metadata=recipe.as_metadata(),
        )


def _is_table(text: str) -> bool:
    return text.lower().endswith(".csv")


def _tell(configuration: "Configuration", result: "TrainingResult", *, json: bool) -> None:
    checkpoint = configuration.folder / "checkpoints" / "best.safetensors"
    if json:
        print_json({**result.summary(), "checkpoint": str(checkpoint)})
        return
    print_table(
        [
            {
                "phase": phase.name,
                "steps": phase.steps,
                "kept": phase.best_step,
                **_scores(phase.validation),
                "stopped": phase.stop_reason,
            }
            for phase in result.phases
        ]
    )
    print(f"\nThe network is {checkpoint}")


def _scores(validation: dict[str, float]) -> dict[str, str]:
    """Scores of the validation images under the names that the other commands use."""
    shown = {"Dice": f"{validation['dice']:.3f}"}
    if "success" in validation:
        shown |= {
            "right topology": f"{100 * validation['success']:.1f} %",
            "topology loss": f"{validation['topology']:.3f}",
        }
    return shown
