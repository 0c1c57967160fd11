"""``topoprior reproduce``: the paper's experiments, each one command and one report.

An experiment is a package of `topoprior.experiments` with a function ``run``. To add one: write a function below that
takes the options that all share, ``--data``, and what it alone has, and hands them to ``_reproduce``.
"""

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Device, Json
from topoprior.cli.output.failures import FilesFailed
from topoprior.cli.output.printed import note, print_json, print_table
from topoprior.cli.output.progress import stages

_OWN = Group("Of this experiment", sort_key=1)
_Numbers = Annotated[list[int] | None, Parameter(consume_multiple=True)]
_BY_DEFAULT = Parameter(group=_OWN)
_ALL = Group("Of every experiment", sort_key=2)
_DEFAULT_FOLDER = "topoprior-{}"
_NOT_OF_THE_RESULT = ("jobs", "device", "overwrite", "json", "output")

reproduce = App(
    name="reproduce",
    help="""Run an experiment of the paper (Clough et al. 2022), and write a report with its numbers beside the paper's.

    A run that was stopped goes on where it was: say the same again. The folder gets report.html to look at, the table
    (results.json), every cell of it with its settings (cells/), and the figures.
    """,
    help_epilogue="",
    usage="Usage: topoprior reproduce EXPERIMENT [OPTIONS]",
)


@Parameter(name="*", group=_ALL)
@dataclass(frozen=True, kw_only=True)
class Common:
    """What every experiment takes."""

    preset: Annotated[
        Literal["quick", "paper"],
        Parameter(help="quick: minutes on two cores, to see that it works; paper: the protocol of the paper."),
    ] = "quick"
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"),
            help="Folder for all that comes of it; made, with the folders above it, if it is not there. "
            "[default: topoprior-EXPERIMENT]",
        ),
    ] = None
    seed: Annotated[int, Parameter(help="Of every random choice.")] = 0
    jobs: Annotated[
        int, Parameter(name=("--jobs", "-j"), help="How many cells of the table at once; -1 for one on each core.")
    ] = 1
    device: Device = "auto"
    overwrite: Annotated[
        bool, Parameter(help="Compute anew the cells that were computed with other settings, or are damaged.")
    ] = False
    json: Json = False


_COMMON = Common()


@reproduce.command(usage="Usage: topoprior reproduce mnist [--data DIR] [OPTIONS]", default_parameter=_BY_DEFAULT)
def mnist(
    *,
    data: Annotated[
        Path | None, Parameter(help="Folder with the four files of MNIST. [default: they are downloaded]")
    ] = None,
    recipe: Annotated[
        Literal["paper", "official"], Parameter(help="Where the paper and its authors' code differ, the one to follow.")
    ] = "paper",
    lines: Annotated[
        _Numbers,
        Parameter(help="Numbers of lines of k-space that are removed from a digit. [default: those of the preset]"),
    ] = None,
    digits: Annotated[
        int | None, Parameter(help="How many digits of the test set are refined. [default: as the preset]")
    ] = None,
    controls: Annotated[
        bool | None,
        Parameter(
            negative="--no-controls",
            help="Refine each digit towards other priors too, to tell what its own gives away. "
            "[default: as the recipe has it]",
        ),
    ] = None,
    common: Common = _COMMON,
) -> None:
    """Digits whose topology is known: a denoiser adapted to each, and whether a classifier then reads it right.

    Experiment 1: Table 1 and Figures 2, 4, 5 and 6.
    """
    from topoprior.experiments import mnist as experiment

    _reproduce("mnist", experiment.run, common, data=data, recipe=recipe, lines=lines, digits=digits, controls=controls)


@reproduce.command(
    usage="Usage: topoprior reproduce myocardium [--source SOURCE --data PATH] [OPTIONS]", default_parameter=_BY_DEFAULT
)
def myocardium(
    *,
    source: Annotated[
        Literal["phantom", "acdc", "crops", "biobank"],
        Parameter(
            help="Where the slices come from. phantom: made here, needs no data; acdc: folder of the ACDC challenge; "
            "crops: an .npz of short-axis crops; biobank: folder in the layout of UK Biobank."
        ),
    ] = "phantom",
    data: Annotated[Path | None, Parameter(help="The folder or file, for all sources but phantom.")] = None,
    myocardium: Annotated[int, Parameter(help="Its value in the labels of acdc and biobank.")] = 2,
    recipe: Annotated[
        Literal["tuned", "paper"],
        Parameter(help="tuned: every method trained as is best for it; paper: as far as the paper tells how."),
    ] = "tuned",
    lines: Annotated[
        _Numbers,
        Parameter(help="Numbers of lines of k-space that are removed from a slice. [default: those of the preset]"),
    ] = None,
    labelled: Annotated[_Numbers, Parameter(help="Numbers of labelled slices. [default: those of the preset]")] = None,
    repeats: Annotated[
        int | None, Parameter(help="How many times each, with other splits of the patients. [default: as the preset]")
    ] = None,
    only_report: Annotated[
        bool, Parameter(help="Compute nothing: report the cells that are there, and name the others.")
    ] = False,
    common: Common = _COMMON,
) -> None:
    """Heart slices, few of them labelled: training with the prior of a ring beside four other methods.

    Experiment 2: Table 2 and Figures 7 to 10.
    """
    from topoprior.experiments import myocardium as experiment

    _reproduce(
        "myocardium",
        experiment.run,
        common,
        source=source,
        data=data,
        myocardium=myocardium,
        recipe=recipe,
        lines=lines,
        labelled=labelled,
        repeats=repeats,
        only_report=only_report,
    )


@reproduce.command(usage="Usage: topoprior reproduce acdc [--data DIR] [OPTIONS]", default_parameter=_BY_DEFAULT)
def acdc(
    *,
    data: Annotated[
        Path | None,
        Parameter(
            help="Folder of the ACDC challenge, best with training and testing in it. [default: patients made here]"
        ),
    ] = None,
    priors: Annotated[
        Path | None, Parameter(help="A CSV table with the prior of each slice. [default: counted in the ground truth]")
    ] = None,
    classes: Annotated[
        Literal["myocardium", "heart", "both"],
        Parameter(help="myocardium: as the paper; heart: both ventricles too, refined at once; both: each in turn."),
    ] = "myocardium",
    folds: Annotated[
        int | None,
        Parameter(
            help="How many parts the patients are dealt into, if there are no testing patients. "
            "[default: as the preset]"
        ),
    ] = None,
    common: Common = _COMMON,
) -> None:
    """Stacks of heart slices: each slice of an unseen patient refined with the topology that it has.

    Experiment 3: Dice as the challenge measures it, and how many slices have the right topology.
    """
    from topoprior.experiments import acdc as experiment

    _reproduce("acdc", experiment.run, common, data=data, priors=priors, classes=classes, folds=folds)


@reproduce.command(
    usage="Usage: topoprior reproduce placenta [--source SOURCE --data DIR] [OPTIONS]", default_parameter=_BY_DEFAULT
)
def placenta(
    *,
    source: Annotated[
        Literal["phantom", "folder", "hippocampus"],
        Parameter(
            help="Where the volumes come from. phantom: ultrasound made here, needs no data; folder: your own; "
            "hippocampus: Task04 of the Medical Segmentation Decathlon, the union of its labels."
        ),
    ] = "phantom",
    data: Annotated[
        Path | None, Parameter(help="Folder with images and labels, or imagesTr and labelsTr; for all but phantom.")
    ] = None,
    patients: Annotated[
        str | None,
        Parameter(
            help="For folder, whose a volume is: a regular expression that finds the patient in its name; a table "
            "X.csv with the columns volume and patient; or each, if every volume is another patient's."
        ),
    ] = None,
    values: Annotated[
        _Numbers, Parameter(help="For folder: the values that make up the structure in the labels. [default: 1]")
    ] = None,
    folds: Annotated[
        int | None, Parameter(help="How many parts the patients are dealt into. [default: 13, quick 4]")
    ] = None,
    common: Common = _COMMON,
) -> None:
    """Volumes of a solid body: each unseen one refined to one component without tunnels and cavities.

    Experiment 4: Figures 11 and 12, on phantoms of placenta ultrasound or other volumes.
    """
    from topoprior.experiments import placenta as experiment

    _reproduce(
        "placenta", experiment.run, common, source=source, data=data, patients=patients, values=values, folds=folds
    )


def _reproduce(name: str, run: Callable[..., dict[str, Any]], common: Common, **own: Any) -> None:
    """Run it, then print its table and where the report is.

    Args:
        name: Of the experiment.
        run: Gives what ``results.json`` holds; ``table`` is a list of rows, from column to text.
        common: What all take.
        **own: What this one takes besides.

    Raises:
        FilesFailed: If cells could not be computed.
    """
    from topoprior.experiments.cells import CellsFailed
    from topoprior.experiments.folder import check_folder

    chosen_device(common.device)
    shared = {key: value for key, value in asdict(common).items() if key not in ("output", "json")}
    output = common.output or Path(_DEFAULT_FOLDER.format(name))
    check_folder(output, overwrite=common.overwrite)
    command = _command(name, output, {**shared, **own})
    try:
        with stages() as progress:
            results = run(output, **shared, **own, progress=progress, command=command)
    except CellsFailed as failed:
        note("What was computed is kept: the same command computes only what is missing.")
        raise FilesFailed(failed.failures, total=failed.total, things="cells") from failed
    if common.json:
        print_json(results)
        return
    print_table(results["table"])
    for each in results.get("missing", ()):
        note(f"missing: {each}")
    print(f"\nLook at {output / 'report.html'}")


def _command(name: str, output: Path, options: dict[str, Any]) -> str:
    """The command that gives these results elsewhere: of paths, which are this machine's, the last part only."""
    words = ["topoprior", "reproduce", name]
    for key, value in options.items():
        if key not in _NOT_OF_THE_RESULT and value is not None and value is not False:
            values = value if isinstance(value, list) else [value.name if isinstance(value, Path) else value]
            words += [f"--{key.replace('_', '-')}", *(str(each) for each in values if each is not True)]
    return shlex.join([*words, "-o", output.resolve().name])
