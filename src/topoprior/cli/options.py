"""Arguments that several commands share, with one wording."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Files = Annotated[list[Path], Parameter(name="FILE", help="Images: .nii, .nii.gz, .png or .npy.")]
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
Slices = Annotated[
    int | None,
    Parameter(
        name="--slices", help="Take the image as a stack of slices along this axis, 0, 1 or 2. Slices count from 0."
    ),
]
Overwrite = Annotated[bool, Parameter(help="Replace output files that exist.")]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON document instead of a table.")]
