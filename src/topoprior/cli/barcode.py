"""``topoprior barcode``: the bars of probability maps, as a table and as pictures."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.options import (
    Boundary,
    Construction,
    Csv,
    Files,
    Journal,
    Json,
    Overwrite,
    Slices,
    Workers,
)
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import check_one_form, print_csv, print_json, print_table
from topoprior.cli.output.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from topoprior.topology.diagram import PersistenceDiagrams

_PICTURES = (".png", ".svg", ".pdf")
_DRAWING = Lock()  # matplotlib is not made for several threads


def barcode(
    files: Files,
    /,
    *,
    plot: Annotated[
        Path | None,
        Parameter(help="Draw the barcode to this file, .png, .svg or .pdf; those of several files into this folder."),
    ] = None,
    dimensions: Annotated[
        str | None, Parameter(help="Only these dimensions: 0 components, 1 loops, 2 cavities; for example 0,1.")
    ] = None,
    min_persistence: Annotated[float, Parameter(help="Only bars at least this long.")] = 0.0,
    slices: Slices = None,
    slice_: Annotated[int | None, Parameter(name="--slice", help="With --slices: only this slice.")] = None,
    activation: Annotated[Literal["sigmoid"] | None, Parameter(help="sigmoid: the files hold logits.")] = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
    overwrite: Overwrite = False,
    workers: Workers = Workers(),  # noqa: B008  # frozen
    journal: Journal = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """List the bars of probability maps: each component, loop and cavity with where it is born and where it dies.

    The threshold falls from 1 to 0. A feature is there from its birth down to its death, so it is in the mask at 0.5
    if birth >= 0.5 > death. The longer a bar, the surer the feature.
    """
    from topoprior.jobs import for_each

    check_one_form(json=json, csv=csv)
    _check_options(min_persistence, slices, slice_, drawn=plot is not None)
    maps = images_of(files)
    alone = len(files) == 1 and not files[0].is_dir()
    wanted = None if dimensions is None else _numbers(dimensions)
    options: dict[str, Any] = {"construction": construction, "boundary": boundary, "min_persistence": min_persistence}
    settings = {**options, "dimensions": wanted, "slices": slices, "slice": slice_, "activation": activation}
    pictures = [None] * len(maps) if plot is None else _pictures(maps, plot)
    with progress("Computing", len(maps)) as advance:
        outcome = for_each(
            _Listing(**settings),
            [_Map(*places) for places in zip(maps, pictures, strict=True)],
            name=lambda each: str(each.file),
            **workers.arguments(),
            reads=lambda each: [each.file],
            writes=lambda each: [] if each.picture is None else [each.picture],
            overwrite=overwrite,
            journal=journal,
            settings={"command": "barcode", **settings},
            advance=advance,
        )
    found = list(outcome.results.values())
    if json and found and alone:
        bars = found[0].pop("bars")
        print_json({**found[0], **options, "bars": bars})
    elif json and found:
        print_json({**options, "files": found, **failures_told(outcome.failures)})
    elif found:
        rows = [_row(bar, None if alone else each["file"], rounded=not csv) for each in found for bar in each["bars"]]
        (print_csv if csv else print_table)(rows)
    check_all_done(outcome.failures, total=len(maps))


def _check_options(min_persistence: float, slices: int | None, slice_: int | None, *, drawn: bool) -> None:
    if not 0 <= min_persistence <= 1:
        raise ValueError(f"--min-persistence must be from 0 to 1, got {min_persistence}")
    if slice_ is not None and slices is None:
        raise ValueError("--slice needs --slices AXIS, which says how the image is cut")
    if slice_ is None and slices is not None and drawn:
        raise ValueError("--plot draws one slice: choose it with --slice")


def _pictures(maps: "Sequence[Path]", plot: Path) -> list[Path]:
    """Where the barcode of each map is drawn; a folder for several is made."""
    from topoprior.cli.arguments.places import check_apart, destinations, make_folder

    if plot.suffix and plot.suffix.lower() not in _PICTURES and not plot.is_dir():
        raise ValueError(f"{plot}: the picture's name must end in {', '.join(_PICTURES)}")
    pictures = destinations(maps, plot, endings=_PICTURES, added=".png")
    check_apart(maps, pictures)
    if pictures != [plot]:
        make_folder(plot)
    return pictures


@dataclass(frozen=True)
class _Map:
    """One file, and where its barcode is drawn, if anywhere."""

    file: Path
    picture: Path | None


@dataclass(frozen=True)
class _Listing:
    """Lists the bars of one map, for `topoprior.jobs.for_each`."""

    construction: Construction
    boundary: Boundary
    min_persistence: float
    dimensions: list[int] | None
    slices: int | None
    slice: int | None
    activation: str | None

    def __call__(self, each: _Map) -> dict[str, Any]:
        import topoprior
        from topoprior.imaging.io import read_image

        image = read_image(each.file)
        parts = image.cut(image.probability(activation=self.activation), self.slices)
        if self.slice is not None:
            if not 0 <= self.slice < len(parts):
                raise ValueError(f"--slice must be from 0 to {len(parts) - 1}, got {self.slice}")
            parts = parts[self.slice : self.slice + 1]
        diagrams = topoprior.persistence(
            parts[:, None], construction=self.construction, boundary=self.boundary, dimensions=self.dimensions
        )
        if each.picture is not None:
            _draw(diagrams, each.picture, threshold=0.5 if self.dimensions is None else None)
        bars = _bars(diagrams, self.slice or 0, cut=self.slices is not None)
        long = [bar for bar in bars if bar["persistence"] >= self.min_persistence]
        return {"file": str(each.file), "shape": list(parts.shape[1:]), "bars": long}


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


def _row(bar: dict[str, Any], file: str | None, *, rounded: bool) -> dict[str, object]:
    """A bar as the table shows it, after the name of its file if there are several."""
    values = {name: f"{bar[name]:.4f}" if rounded else bar[name] for name in ("birth", "death", "persistence")}
    places = {name: bar[name] and ",".join(map(str, bar[name])) for name in ("birth_pixel", "death_pixel")}
    return {**({} if file is None else {"file": file}), **bar, **values, **places}


def _draw(diagrams: "PersistenceDiagrams", path: Path, *, threshold: float | None) -> None:
    from topoprior.imaging.new_file import new_file
    from topoprior.viewing import plot

    with _DRAWING, new_file(path, overwrite=True) as temporary:
        figure: Any = plot.barcode(diagrams, threshold=threshold).get_figure(root=True)
        figure.savefig(temporary, dpi=150)
