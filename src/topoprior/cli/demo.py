"""``topoprior demo``: the whole method on images that the project makes, in about a minute."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from topoprior.cli.options import Json, Overwrite


def demo(
    *,
    output: Annotated[Path, Parameter(help="Folder for the report and the numbers; made if it is not there.")] = Path(
        "topoprior-demo"
    ),
    seed: Annotated[int, Parameter(help="Of the images and of the training; the same seed gives the same result.")] = 0,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a small network on images of rings, then give its wrong masks the right topology. About a minute.

    Prints Dice and the share of topologically correct masks before and after, and writes a report to look at.
    """
    raise NotImplementedError
