"""Arguments that several commands share, with one wording."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

Files = Annotated[list[Path], Parameter(name="FILE", help="Images: .nii, .nii.gz, .png or .npy; or folders of them.")]
MaskOutput = Annotated[
    Path, Parameter(name=("--output", "-o"), help="The mask (uint8): a file for one input, a folder for several.")
]
Construction = Annotated[
    Literal["T", "V"],
    Parameter(help="Which pixels touch. T: at corners too (8 / 26 neighbours); V: at faces only (4 / 6)."),
]
Boundary = Annotated[
    Literal["background", "foreground"],
    Parameter(
        help="What lies outside the image. background: a hole that the frame cuts is no hole; "
        "foreground: all that touches the frame is one component, and closes its loops through it."
    ),
]
HOW = Group("How", sort_key=4)


@Parameter(name="*", group=HOW)
@dataclass(frozen=True)
class Conventions:
    """What is connected, where a command has a group of options for how it works."""

    construction: Construction = "T"
    boundary: Boundary = "background"

    def arguments(self) -> dict[str, Any]:
        """As keywords."""
        return asdict(self)


Preset = Literal["short-axis-heart", "cortical-shell", "cortical-solid", "vascular-tree", "ring", "ball"]
Classes = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        help="Name of each channel, background first: BG RV MYO LV. [default: what the checkpoint says, or the preset]",
        show_default=False,
    ),
]
Relation = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        help='Sentences, each in quotes, about classes of --prior: "MYO encloses LV", "RV touches MYO once", '
        '"RV touches MYO", "LV apart from RV".',
    ),
]
Slices = Annotated[
    int | None,
    Parameter(
        name="--slices", help="Take the image as a stack of slices along this axis, 0, 1 or 2. Slices count from 0."
    ),
]
Overwrite = Annotated[bool, Parameter(help="Replace output files that exist.")]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON document instead of a table.")]

Csv = Annotated[bool, Parameter(name="--csv", help="Print comma-separated values instead of a table.")]
_JOBS = Group("Many files", sort_key=8)


@Parameter(name="*", group=_JOBS)
@dataclass(frozen=True)
class Workers:
    """Who does the files: the arguments of `topoprior.jobs.for_each` with these names."""

    jobs: Annotated[int, Parameter(name=("--jobs", "-j"), help="How many files at once; -1 for one on each core.")] = 1
    backend: Annotated[
        Literal["threading", "loky", "dask", "ray"],
        Parameter(
            help="Who does them. threading: threads; loky: processes; dask, ray: the workers of a cluster, by default "
            "one of as many processes as there are jobs, on this machine.",
        ),
    ] = "threading"
    scheduler: Annotated[
        str | None,
        Parameter(
            help="With dask or ray: address of the cluster. [default: DASK_SCHEDULER_ADDRESS or RAY_ADDRESS, if set]",
            show_default=False,
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """As keywords."""
        return asdict(self)


Journal = Annotated[
    Path | None,
    Parameter(
        group=_JOBS,
        help="Remember in this file what is done: the same command goes on where it was stopped.",
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Parameter(help="Where to compute. auto: on the GPU if there is one.")
]
