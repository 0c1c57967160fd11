"""``topoprior robustness``: how far from the truth refinement still finds it."""

from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import (
    HOW,
    Conventions,
    Csv,
    Device,
    Journal,
    Json,
    Overwrite,
    Slices,
    Workers,
)
from topoprior.cli.arguments.places import check_new_files
from topoprior.cli.evaluate.options import RIGHT_MASKS, WANTED, PriorTable
from topoprior.cli.output.failures import check_all_done
from topoprior.cli.output.printed import check_one_form
from topoprior.cli.output.progress import stages
from topoprior.cli.refine.options import Activation, Normalisation, Threshold, Weight

_CORRUPTION = Group("What makes the images worse", sort_key=2)
_NETWORK = Group("With a network", sort_key=3)


def robustness(
    images: Annotated[
        Path | None,
        Parameter(help="Folder, pattern or file. [default: the demo's phantoms and its network]", show_default=False),
    ] = None,
    labels: Annotated[Path | None, RIGHT_MASKS] = None,
    /,
    *,
    prior: Annotated[
        str | None,
        Parameter(
            group=WANTED,
            help="Betti numbers: components, loops and, in 3-D, cavities; 1,1 is a ring. "
            "[default: those of each label]",
            show_default=False,
        ),
    ] = None,
    priors: PriorTable = None,
    label: Annotated[
        int | None,
        Parameter(group=WANTED, help="In label maps, the label that is segmented. [default: all that is not 0]"),
    ] = None,
    slices: Slices = None,
    corruption: Annotated[
        Literal["noise", "blur", "lines"],
        Parameter(
            group=_CORRUPTION,
            help="noise: Gaussian, its deviation in units of the range of the image; blur: Gaussian, its deviation in "
            "pixels; lines: rows of k-space, drawn at random, are lost.",
        ),
    ] = "noise",
    levels: Annotated[
        list[float] | None,
        Parameter(
            group=_CORRUPTION,
            consume_multiple=True,
            help="How much; 0 is the image as it is. "
            "[default: noise 0 0.05 0.1 0.2 0.3 0.5 0.8; blur 0 1 2 3 4 6; lines 0 8 16 24 32 40 48]",
            show_default=False,
        ),
    ] = None,
    keep_centre: Annotated[
        int, Parameter(group=_CORRUPTION, help="Of the rows of k-space, how many in the middle are never lost.")
    ] = 8,
    seed: Annotated[int, Parameter(group=_CORRUPTION, help="Of all that is drawn.")] = 0,
    phantoms: Annotated[int, Parameter(help="How many, if no images are given.")] = 20,
    network: Annotated[
        str | None,
        Parameter(
            group=_NETWORK,
            help="What segments the images: X.safetensors with X.json beside it, or module:factory. Without it they "
            "are probability maps.",
        ),
    ] = None,
    normalise: Annotated[
        Normalisation | None,
        Parameter(
            group=_NETWORK, help="What each image or slice goes through first. [default: what the checkpoint says]"
        ),
    ] = None,
    channel: Annotated[
        int | None,
        Parameter(group=_NETWORK, help="The output channel that has the prior, from 0. [default: the only one]"),
    ] = None,
    activation: Annotated[
        Activation | None,
        Parameter(group=_NETWORK, help="What turns logits into probabilities. [default: what the checkpoint says]"),
    ] = None,
    weight: Weight = None,
    learning_rate: Annotated[
        float | None, Parameter(group=HOW, help="Step size of Adam. [default: 0.5 for a map, 0.0003 for a network]")
    ] = None,
    max_steps: Annotated[
        int | None, Parameter(group=HOW, help="Give up after so many. [default: 500 for a map, 100 for a network]")
    ] = None,
    push: Annotated[
        float,
        Parameter(group=HOW, help="How hard to push towards features without a trace, 0 for not at all, as the paper."),
    ] = 0.0,
    threshold: Threshold = 0.5,
    conventions: Conventions = Conventions(),  # noqa: B008  # frozen
    device: Annotated[Device, Parameter(group=HOW)] = "auto",
    figure: Annotated[Path | None, Parameter(help="Draw the table to this PNG file.")] = None,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="Write every case at every level to this CSV file.")
    ] = None,
    workers: Workers = Workers(),  # noqa: B008  # frozen
    journal: Journal = None,
    overwrite: Overwrite = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Try refinement on worse and worse images: where does it still find the right topology, and where not any more?

    Every image is corrupted at every level, segmented and refined. For each level the table tells how many masks had
    the right topology before and after, with a 95 % interval, how many of the wrong ones were repaired, the mean Dice,
    and the median number of steps that the wrong ones took. Do this once in each new domain before you trust it there.
    Without arguments it shows phantoms, in a minute or two.
    """
    from topoprior.cli.evaluate.pairs import find_pairs
    from topoprior.cli.evaluate.stated_scorer import scorer
    from topoprior.cli.refine.choice import RefinerChoice
    from topoprior.cli.robustness.data import data_of
    from topoprior.cli.robustness.level_table import tell
    from topoprior.cli.robustness.trials import Trial, Trials
    from topoprior.evaluation.result_table import write_scores
    from topoprior.experiments.robustness import LEVELS, Corruption
    from topoprior.jobs import for_each

    check_one_form(json=json, csv=csv)
    check_new_files({".png": figure, ".csv": output}, overwrite=overwrite)
    worse = Corruption(corruption, seed=seed, keep_centre=keep_centre)
    chosen = sorted(set(LEVELS[corruption] if levels is None else levels))
    for level in chosen:
        worse.check(level)
    given = {"weight": weight, "learning_rate": learning_rate, "max_steps": max_steps}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options |= {"push": push, "threshold": threshold, **conventions.arguments()}
    with (
        stages() as report,
        data_of(images, labels, network, journal, phantoms=phantoms, seed=seed, report=report) as data,
    ):
        judge = scorer(
            data.labels,
            prior=None if prior is None else [prior],
            priors=priors,
            label=label,
            predicted_label=None,
            classes=None,
            slices=slices,
            measures=["dice"],
            **conventions.arguments(),
        )
        if len(judge.names) > 1:
            raise ValueError(f"one class is segmented, the labels have {len(judge.names)}: choose one with --label")
        choice = RefinerChoice(
            data.network, activation, normalise, channel, device, tuple(options.items()), run=token_hex(8)
        )
        trials = Trials(worse, choice, judge)
        settings = trials.settings()
        items = [Trial(pair, level) for pair in find_pairs(data.images, data.labels) for level in chosen]
        done = count(1)
        report("Refining", 0, len(items))
        outcome = for_each(
            trials,
            items,
            name=lambda trial: trial.name,
            **workers.arguments(),
            reads=lambda trial: trial.pair.files,
            overwrite=overwrite,
            journal=journal,
            settings={"command": "robustness", **settings},
            advance=lambda: report("Refining", next(done), len(items)),
        )
    rows = [row for found in outcome.results.values() for row in found]
    if rows:
        tell(rows, settings, outcome.failures, corruption=corruption, figure=figure, json=json, csv=csv)
    if rows and output is not None:
        write_scores(output, rows, overwrite=overwrite)
    check_all_done(outcome.failures, total=len(items))
