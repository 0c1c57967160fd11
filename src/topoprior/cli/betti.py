"""``topoprior betti``: components, loops and cavities of masks."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.options import Boundary, Construction, Csv, Files, Journal, Json, Slices, Workers
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import check_one_form, note, print_csv, print_json, print_table
from topoprior.cli.output.progress import progress


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
    workers: Workers = Workers(),  # noqa: B008  # frozen
    journal: Journal = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Count the components (b0), loops (b1) and, in 3-D, cavities (b2) of masks.

    A file is a mask (0 and one other value), a label map (choose a label), or a probability map (cut at a threshold).
    In a volume b1 counts tunnels: a torus is 1,1,0 and a hollow ball 1,0,1.
    """
    from topoprior.jobs import for_each

    check_one_form(json=json, csv=csv)
    images = images_of(files)
    count = _Count(label, threshold, slices, construction, boundary)
    with progress("Counting", len(images)) as advance:
        outcome = for_each(
            count,
            images,
            **workers.arguments(),
            reads=lambda path: [path],
            journal=journal,
            settings={"command": "betti", **asdict(count)},
            advance=advance,
        )
    results = [row for counted in outcome.results.values() for row in counted["rows"]]
    for name, counted in outcome.results.items():
        if counted["absent"]:
            note(f"note: {name} has no label {label} anywhere")
    if json and results:
        options = {"construction": construction, "boundary": boundary}
        print_json({**options, "results": results, **failures_told(outcome.failures)})
    elif results:
        (print_csv if csv else print_table)([_as_text(row) for row in results])
    check_all_done(outcome.failures, total=len(images))


@dataclass(frozen=True)
class _Count:
    """Counts what one file holds, for `topoprior.jobs.for_each`."""

    label: int | None
    threshold: float | None
    slices: int | None
    construction: Construction
    boundary: Boundary

    def __call__(self, path: Path) -> dict[str, Any]:
        import topoprior
        from topoprior.imaging.io import read_image

        image = read_image(path)
        mask, rule = image.foreground(threshold=self.threshold, label=self.label)
        parts = image.cut(mask, self.slices)[:, None]
        numbers = topoprior.betti_numbers(parts, construction=self.construction, boundary=self.boundary)[:, 0].tolist()
        places: list[dict[str, int]] = [{} if self.slices is None else {"slice": k} for k in range(len(numbers))]
        rows = [
            {"file": str(path), **place, "foreground": rule, "betti": row}
            for place, row in zip(places, numbers, strict=True)
        ]
        # A slice may lack the label; a file without it may be a slip.
        return {"rows": rows, "absent": self.label is not None and not mask.any()}


def _as_text(row: dict[str, Any]) -> dict[str, object]:
    """A row as the table shows it: one column for each Betti number."""
    numbers = {f"b{k}": number for k, number in enumerate(row["betti"])}
    return {**{name: value for name, value in row.items() if name != "betti"}, **numbers}
