"""``topoprior reproduce``: the paper's experiments, each one command and one report.

An experiment is a package of `topoprior.experiments` with a function ``run``. To add one: write a function below that
takes the options that all share, ``--data``, and what it alone has, and hands them to ``run_experiment``.
"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from topoprior.cli.reproduce.experiment import COMMON, Common, run_experiment

_OWN = Group("Of this experiment", sort_key=1)
_Numbers = Annotated[list[int] | None, Parameter(consume_multiple=True)]
_BY_DEFAULT = Parameter(group=_OWN)

reproduce = App(
    name="reproduce",
    help="""Run an experiment of the paper (Clough et al. 2022), and write a report with its numbers beside the paper's.

    A run that was stopped goes on where it was: say the same again. The folder gets report.html to look at, the table
    (results.json), every cell of it with its settings (cells/), and the figures.
    """,
    help_epilogue="",
    usage="Usage: topoprior reproduce EXPERIMENT [OPTIONS]",
)


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
    common: Common = COMMON,
) -> None:
    """Digits whose topology is known: a denoiser adapted to each, and whether a classifier then reads it right.

    Experiment 1: Table 1 and Figures 2, 4, 5 and 6.
    """
    from topoprior.experiments import mnist as experiment

    run_experiment(
        "mnist", experiment.run, common, data=data, recipe=recipe, lines=lines, digits=digits, controls=controls
    )


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
    common: Common = COMMON,
) -> None:
    """Heart slices, few of them labelled: training with the prior of a ring beside four other methods.

    Experiment 2: Table 2 and Figures 7 to 10.
    """
    from topoprior.experiments import myocardium as experiment

    run_experiment(
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
    common: Common = COMMON,
) -> None:
    """Stacks of heart slices: each slice of an unseen patient refined with the topology that it has.

    Experiment 3: Dice as the challenge measures it, and how many slices have the right topology.
    """
    from topoprior.experiments import acdc as experiment

    run_experiment("acdc", experiment.run, common, data=data, priors=priors, classes=classes, folds=folds)


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
    common: Common = COMMON,
) -> None:
    """Volumes of a solid body: each unseen one refined to one component without tunnels and cavities.

    Experiment 4: Figures 11 and 12, on phantoms of placenta ultrasound or other volumes.
    """
    from topoprior.experiments import placenta as experiment

    run_experiment(
        "placenta", experiment.run, common, source=source, data=data, patients=patients, values=values, folds=folds
    )
