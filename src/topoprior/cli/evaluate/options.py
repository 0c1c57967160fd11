"""What ``topoprior evaluate`` is told, and ``robustness`` too, with one wording."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

RIGHT_MASKS = Parameter(help="The same for the right masks: same names, or with _gt, _label, _mask or _seg at the end.")
WANTED = Group("What is wanted", sort_key=1)
PriorTable = Annotated[
    Path | None,
    Parameter(group=WANTED, help="A CSV table with a prior for each file, slice or both, as `refine` takes it."),
]
