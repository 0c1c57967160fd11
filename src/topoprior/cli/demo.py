"""``topoprior demo``: the whole method on images that the project makes, in about a minute."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from topoprior.cli.arguments.options import Json, Overwrite
from topoprior.cli.output.printed import print_json, print_table
from topoprior.cli.output.progress import stages


def demo(
    *,
    output: Annotated[
        Path,
        Parameter(
            name=("--output", "-o"),
            help="Folder for the report and the numbers; made, with the folders above it, if it is not there.",
        ),
    ] = Path("topoprior-demo"),
    seed: Annotated[int, Parameter(help="Of the images and of the training; the same seed gives the same result.")] = 0,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a small network on pictures of rings, then give its wrong masks the right topology.

    Takes about a minute. Prints the overlap with the truth (Dice) and the share of masks with the right topology,
    before and after, and writes a report to look at: report.html. All else is for the curious: numbers
    (results.json), images and masks (.npy), and the network (.safetensors).
    """
    from topoprior.experiments import demo as experiment

    with stages() as progress:
        results = experiment.run(output, seed=seed, overwrite=overwrite, progress=progress)
    if json:
        print_json(results)
        return
    print_table([{"": when, **_measures(results[when])} for when in ("before", "after")])
    print(f"\nLook at {output / 'report.html'}")


def _measures(row: dict[str, float]) -> dict[str, object]:
    return {"Dice": f"{row['dice']:.3f}", "right topology": f"{100 * row['topological_success']:.1f} %"}
