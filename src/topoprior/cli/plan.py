"""What a refinement will read and write, checked as a whole before any work starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoprior.imaging.image import Array, Image
from topoprior.imaging.io import ENDINGS, check_format, read_image
from topoprior.imaging.new_file import check_new_file
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.feasibility import check_feasible
from topoprior.topology.filtration import Boundary

PriorOf = Callable[[Path, int | None], BettiPrior]
"""The prior of a file (its slice is None) or of one of its slices."""
PlaceOf = Callable[[Path, int | None], str]
"""Where that prior is written, for the errors."""


@dataclass(frozen=True)
class Job:
    """One file to refine.

    Attributes:
        source: The input.
        mask: Where its mask goes.
        probability: Where its refined probability goes, if anywhere.
        priors: One for each slice; a single one if the image is taken whole.
    """

    source: Path
    mask: Path
    probability: Path | None
    priors: list[BettiPrior]


def plan(
    files: Sequence[Path],
    *,
    read: Callable[[Image], Array],
    prior_of: PriorOf,
    place_of: PlaceOf,
    slices: int | None,
    boundary: Boundary,
    output: Path,
    probability: Path | None,
    report: Path | None,
    overwrite: bool,
) -> list[Job]:
    """The jobs, if every input can be read, has priors that it can reach, and every output can be written.

    Args:
        files: The inputs.
        read: The values that will be refined; raises ValueError if a file has none.
        prior_of: The prior of a file or slice.
        place_of: Where it is written.
        slices: The axis along which images are cut, or None.
        boundary: What lies outside the images.
        output: A file for one input, a folder for several.
        probability: The same for the probabilities; None to write none.
        report: One more file that will be written; None for none.
        overwrite: Whether outputs may exist.

    Raises:
        OSError: If an input is missing or an output exists or cannot be written.
        ValueError: If an input, a prior or a place to write is wrong.
    """
    masks = _destinations(files, output)
    maps = [None] * len(files) if probability is None else _destinations(files, probability)
    written = [*masks, *(path for path in maps if path is not None), *([] if report is None else [report])]
    _check_apart(files, written)
    for path in written:
        # A folder that is not there yet is made when the first file is written into it.
        folder_to_make = path.parent in (output, probability) and not path.parent.exists()
        check_new_file(path.parent if folder_to_make else path, overwrite=overwrite)
    jobs = []
    for source, mask, map_ in zip(files, masks, maps, strict=True):
        image = read_image(source)
        parts = image.cut(read(image), slices)
        for place in (mask, map_):
            if place is not None:
                check_format(place, image.array.ndim)
        indices = [None] if slices is None else list(range(len(parts)))
        priors = [prior_of(source, index) for index in indices]
        for prior, index in dict(zip(reversed(priors), reversed(indices), strict=True)).items():  # the first of equals
            try:
                check_feasible(prior, parts.ndim - 1, boundary=boundary)
            except ValueError as error:
                raise ValueError(f"{place_of(source, index)}: {error}") from error
        jobs.append(Job(source, mask, map_, priors))
    return jobs


def _destinations(files: Sequence[Path], output: Path) -> list[Path]:
    """The output itself for one input; for several, or if it is a folder, the names of the inputs in it."""
    names_a_file = output.name.lower().endswith(ENDINGS) and not output.is_dir()
    if names_a_file and len(files) > 1:
        raise ValueError(f"{output}: several inputs need a folder as their output, got the name of one file")
    if names_a_file:
        return [output]
    mistyped = len(files) == 1 and bool(output.suffix)
    if not output.is_dir() and (output.exists() or mistyped):
        raise ValueError(f"{output}: the output must be a folder or end in {', '.join(ENDINGS)}, got another file")
    return [output / file.name for file in files]


def _check_apart(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Refuse to write twice to one place, or onto an input, even where overwriting is allowed."""
    taken = {path.resolve(): f"the input {path}" for path in inputs}
    for path in outputs:
        if path.resolve() in taken:
            raise ValueError(f"{path} would be written over {taken[path.resolve()]}")
        taken[path.resolve()] = f"another output, {path}"
