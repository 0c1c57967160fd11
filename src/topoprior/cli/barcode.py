"""``topoprior barcode``: the bars of a probability map, as a table and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from topoprior.cli.options import Boundary, Construction, Json, Overwrite, Slices
from topoprior.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topoprior.topology.diagram import PersistenceDiagrams

_PICTURES = (".png", ".svg", ".pdf")


def barcode(
    file: Annotated[Path, Parameter(name="FILE", help="A probability map: .nii, .nii.gz, .png or .npy.")],
    /,
    *,
    plot: Annotated[Path | None, Parameter(help="Draw the barcode to this file, .png, .svg or .pdf.")] = None,
    dimensions: Annotated[
        str | None, Parameter(help="Only these dimensions: 0 components, 1 loops, 2 cavities; for example 0,1.")
    ] = None,
    min_persistence: Annotated[float, Parameter(help="Only bars at least this long.")] = 0.0,
    slices: Slices = None,
    slice_: Annotated[int | None, Parameter(name="--slice", help="With --slices: only this slice.")] = None,
    activation: Annotated[Literal["sigmoid"] | None, Parameter(help="sigmoid: the file holds logits.")] = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """List the bars of a probability map: each component, loop and cavity with where it is born and where it dies.

    The threshold falls from 1 to 0. A feature is there from its birth down to its death, so it is in the mask at 0.5
    if birth >= 0.5 > death. The longer a bar, the surer the feature.
    """
    import topoprior
    from topoprior.imaging.io import read_image

    if not 0 <= min_persistence <= 1:
        raise ValueError(f"--min-persistence must be from 0 to 1, got {min_persistence}")
    if plot is not None:
        _check_picture(plot, overwrite=overwrite)
    image = read_image(file)
    parts = image.cut(image.probability(activation=activation), slices)
    first = _first_slice(slice_, len(parts), cut=slices is not None, drawn=plot is not None)
    if slice_ is not None:
        parts = parts[first : first + 1]
    wanted = None if dimensions is None else _numbers(dimensions)
    diagrams = topoprior.persistence(parts[:, None], construction=construction, boundary=boundary, dimensions=wanted)
    bars = [bar for bar in _bars(diagrams, first, cut=slices is not None) if bar["persistence"] >= min_persistence]
    if plot is not None:
        _draw(diagrams, plot, threshold=0.5 if wanted is None else None, overwrite=overwrite)
    if json:
        options = {"construction": construction, "boundary": boundary, "min_persistence": min_persistence}
        print_json({"file": str(file), "shape": list(parts.shape[1:]), **options, "bars": bars})
    else:
        print_table([_row(bar) for bar in bars])


def _check_picture(path: Path, *, overwrite: bool) -> None:
    from topoprior.imaging.new_file import check_new_file

    if path.suffix.lower() not in _PICTURES:
        raise ValueError(f"{path}: the picture's name must end in {', '.join(_PICTURES)}")
    check_new_file(path, overwrite=overwrite)


def _first_slice(wanted: int | None, count: int, *, cut: bool, drawn: bool) -> int:
    if wanted is not None and not cut:
        raise ValueError("--slice needs --slices AXIS, which says how the image is cut")
    if wanted is not None and not 0 <= wanted < count:
        raise ValueError(f"--slice must be from 0 to {count - 1}, got {wanted}")
    if wanted is None and drawn and cut:
        raise ValueError("--plot draws one slice: choose it with --slice")
    return wanted or 0


def _numbers(dimensions: str) -> list[int]:
    if not all(entry.strip().isdecimal() for entry in dimensions.split(",")):
        raise ValueError(f"--dimensions must be like 0 or 0,1, got {dimensions!r}")
    return [int(entry) for entry in dimensions.split(",")]


def _bars(diagrams: "PersistenceDiagrams", first: int, *, cut: bool) -> "Iterator[dict[str, Any]]":
    """The bars as plain values; pixels are named by their indices along the axes of the image or slice."""
    spatial = diagrams.shape[2:]
    columns = (diagrams.image, diagrams.dimension, diagrams.births, diagrams.deaths)
    pixels = (diagrams.birth_index, diagrams.death_index)
    for image, dimension, birth, death, born, died in zip(*(c.tolist() for c in (*columns, *pixels)), strict=True):
        yield {
            **({"slice": first + image} if cut else {}),
            "dimension": dimension,
            "birth": birth,
            "death": death,
            "persistence": birth - death,
            "birth_pixel": _pixel(born, spatial),
            "death_pixel": _pixel(died, spatial),
        }


def _pixel(index: int, shape: tuple[int, ...]) -> list[int] | None:
    if index < 0:
        return None
    places = []
    for size in reversed(shape):
        index, place = divmod(index, size)
        places.append(place)
    return places[::-1]


def _row(bar: dict[str, Any]) -> dict[str, object]:
    """A bar as the table shows it."""
    values = {name: f"{bar[name]:.4f}" for name in ("birth", "death", "persistence")}
    places = {
        name: "-" if bar[name] is None else ",".join(map(str, bar[name])) for name in ("birth_pixel", "death_pixel")
    }
    return {**bar, **values, **places}


def _draw(diagrams: "PersistenceDiagrams", path: Path, *, threshold: float | None, overwrite: bool) -> None:
    from topoprior.imaging.new_file import new_file
    from topoprior.viewing import plot

    figure: Any = plot.barcode(diagrams, threshold=threshold).get_figure(root=True)
    with new_file(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=150)
