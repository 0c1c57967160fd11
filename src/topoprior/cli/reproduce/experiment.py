"""What all experiments of ``topoprior reproduce`` have in common: their options, and how one is run and told."""

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Device, Json
from topoprior.cli.output.failures import FilesFailed
from topoprior.cli.output.printed import note, print_json, print_table
from topoprior.cli.output.progress import stages

_ALL = Group("Of every experiment", sort_key=2)
_DEFAULT_FOLDER = "topoprior-{}"
_NOT_OF_THE_RESULT = ("jobs", "device", "overwrite", "json", "output")


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


COMMON = Common()


def run_experiment(name: str, run: Callable[..., dict[str, Any]], common: Common, **own: Any) -> None:
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
    command = command_line(name, output, {**shared, **own})
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


def command_line(name: str, output: Path, options: dict[str, Any]) -> str:
    """The command that gives these results elsewhere: of paths, which are this machine's, the last part only."""
    words = ["topoprior", "reproduce", name]
    for key, value in options.items():
        if key not in _NOT_OF_THE_RESULT and value is not None and value is not False:
            values = value if isinstance(value, list) else [value.name if isinstance(value, Path) else value]
            words += [f"--{key.replace('_', '-')}", *(str(each) for each in values if each is not True)]
    return shlex.join([*words, "-o", output.resolve().name])
