"""``topoprior betti``: components, loops and cavities of masks."""

from typing import Annotated, Any

from cyclopts import Parameter

from topoprior.cli.options import Boundary, Construction, Files, Json, Slices
from topoprior.cli.output import note, print_json, print_table, progress


def betti(
    files: Files,
    /,
    *,
    label: Annotated[int | None, Parameter(help="In a label map, the label whose topology is counted.")] = None,
    threshold: Annotated[
        float | None,
        Parameter(
            help="In a probability map, values at or above it are foreground. [default: 0.5]", show_default=False
        ),
    ] = None,
    slices: Slices = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
    json: Json = False,
) -> None:
    """Count the components (b0), loops (b1) and, in 3-D, cavities (b2) of masks.

    A file is a mask (0 and one other value), a label map (choose a label), or a probability map (cut at a threshold).
    In a volume b1 counts tunnels: a torus is 1,1,0 and a hollow ball 1,0,1.
    """
    import topoprior
    from topoprior.imaging.io import read_image

    results: list[dict[str, Any]] = []
    absent: list[str] = []
    with progress("Counting", len(files)) as advance:
        for path in files:
            image = read_image(path)
            mask, rule = image.foreground(threshold=threshold, label=label)
            if label is not None and not mask.any():  # a slice may lack it; a file without it may be a slip
                absent.append(str(path))
            parts = image.cut(mask, slices)[:, None]
            numbers = topoprior.betti_numbers(parts, construction=construction, boundary=boundary)[:, 0].tolist()
            for index, row in enumerate(numbers):
                place = {} if slices is None else {"slice": index}
                results.append({"file": str(path), **place, "foreground": rule, "betti": row})
            advance()
    for name in absent:
        note(f"note: {name} has no label {label} anywhere")
    if json:
        print_json({"construction": construction, "boundary": boundary, "results": results})
    else:
        print_table([_as_text(row) for row in results])


def _as_text(row: dict[str, Any]) -> dict[str, object]:
    """A row as the table shows it: one column for each Betti number."""
    numbers = {f"b{k}": number for k, number in enumerate(row["betti"])}
    return {**{name: value for name, value in row.items() if name != "betti"}, **numbers}
