"""``topoprior predict``: masks of images, by a network that ``topoprior train`` made."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.options import Device, Files, Json, MaskOutput, Overwrite, Workers
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import note, print_json, print_table
from topoprior.cli.output.progress import progress

if TYPE_CHECKING:
    from topoprior.cli.arguments.wanted import Wanted
    from topoprior.cli.predict.prediction import Job
    from topoprior.imaging.datasets.pairs import ImageFiles
    from topoprior.imaging.segmenter import Segmenter
    from topoprior.priors.betti_prior import BettiPrior

_POST = Group("After the network", sort_key=2)
_JOURNAL = ".topoprior-predict.jsonl"


def predict(
    files: Files,
    /,
    *,
    checkpoint: Annotated[
        Path,
        Parameter(
            name=("--checkpoint", "-c"), help="X.safetensors with X.json beside it, as topoprior train makes it."
        ),
    ],
    output: MaskOutput,
    probability: Annotated[
        Path | None,
        Parameter(
            help="Write the probabilities too (float32): a file, or a folder for several; with several classes a "
            "folder, one file for each class."
        ),
    ] = None,
    post_processing: Annotated[
        str | None,
        Parameter(
            group=_POST,
            help="none, closing, components or crf, with options after commas: closing,radius=5. "
            "[default: what the checkpoint says]",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        Parameter(
            group=_POST,
            help="For the post-processing components: Betti numbers of every image or slice. "
            "[default: what the checkpoint says]",
        ),
    ] = None,
    priors: Annotated[
        Path | None, Parameter(group=_POST, help="Or a CSV table of them for each file or slice, as `refine` takes it.")
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    workers: Workers = Workers(),  # noqa: B008  # frozen
    json: Json = False,
) -> None:
    """Segment images with a trained network.

    The checkpoint says how images are cut, resampled, cropped and normalised, what the classes are, and what masks go
    through after the network. Masks come back with the shape and geometry of their image, and with the values that the
    classes had in the labels. Where the network did not look, because images were cropped, is background. The table
    tells how many pixels each class has.

    A folder of masks gets a journal, .topoprior-predict.jsonl: the same command goes on where it was stopped.
    """
    from topoprior.cli.arguments.places import make_folder
    from topoprior.cli.predict.prediction import Prediction, stated_post_processing
    from topoprior.jobs import for_each

    stated = None if post_processing is None else dumps(stated_post_processing(post_processing))
    prediction = Prediction(checkpoint, stated, device, token_hex(8))
    segmenter = prediction.segmenter()
    images = _images(images_of(files), segmenter)
    planned = _plan(images, segmenter, output, probability, _wanted(segmenter, prior, priors))
    for folder in {path.parent for job in planned for path in job.writes if path.parent in (output, probability)}:
        make_folder(folder)
    with progress("Predicting", len(planned)) as advance:
        outcome = for_each(
            prediction,
            planned,
            name=lambda job: job.name,
            **workers.arguments(),
            reads=lambda job: job.image.channels,
            writes=lambda job: job.writes,
            given=lambda job: None if job.wanted is None else job.wanted.told(),
            overwrite=overwrite,
            journal=output / _JOURNAL if output.is_dir() else None,
            settings={"command": "predict", **prediction.settings()},
            advance=advance,
        )
    results = list(outcome.results.values())
    if outcome.skipped:
        note(f"note: {len(outcome.skipped)} of {len(planned)} files were done before")
    if json and results:
        print_json({"results": results, **failures_told(outcome.failures)})
    elif results:
        print_table([_as_text(row) for row in results])
    check_all_done(outcome.failures, total=len(planned))


def _images(files: Sequence[Path], segmenter: "Segmenter") -> "list[ImageFiles]":
    """The files of each image: one, or several that are its channels."""
    from topoprior.imaging.datasets.pairs import has_channel_numbers, stem_of, unlabelled_images

    recipe = segmenter.recipe
    numbered = recipe.channel_numbers and (recipe.channels > 1 or has_channel_numbers(map(stem_of, files)))
    return unlabelled_images(files, channels=numbered)


def _wanted(segmenter: "Segmenter", prior: str | None, priors: Path | None) -> "Wanted[BettiPrior] | None":
    """The priors, if the post-processing looks at them."""
    from topoprior.cli.arguments.wanted import Wanted

    process = segmenter.post_processing
    if process is None or process.name != "components":
        if prior is not None or priors is not None:
            raise ValueError("--prior and --priors are for --post-processing components, which alone looks at them")
        return None
    if prior is None and priors is None:
        stated = (segmenter.recipe.prior or {}).get(next(iter(segmenter.recipe.classes)))
        if stated is None:
            raise ValueError("--post-processing components needs --prior or --priors: the checkpoint has no prior")
        return Wanted.of(stated, None)
    return Wanted.of(prior, priors)


def _plan(
    images: "Sequence[ImageFiles]",
    segmenter: "Segmenter",
    output: Path,
    probability: Path | None,
    wanted: "Wanted[BettiPrior] | None",
) -> "list[Job]":
    """What is read and written, if no file is written twice or over an input."""
    from topoprior.cli.arguments.places import check_apart, destinations
    from topoprior.cli.predict.prediction import Job
    from topoprior.imaging.io import ENDINGS, ending

    paths, classes = [image.path for image in images], list(segmenter.recipe.classes)
    masks = destinations(paths, output, endings=ENDINGS)
    maps: list[tuple[Path, ...]] = [()] * len(images)
    if probability is not None and len(classes) == 1:
        maps = [(path,) for path in destinations(paths, probability, endings=ENDINGS)]
    elif probability is not None:
        if probability.name.lower().endswith(ENDINGS) and not probability.is_dir():
            raise ValueError(f"{probability}: the probabilities of {len(classes)} classes need a folder")
        maps = [
            tuple(
                probability / f"{path.name.removesuffix(ending(path))}_{name.replace('/', '-')}{ending(path)}"
                for name in classes
            )
            for path in paths
        ]
    jobs = [
        Job(image, mask, places, wanted and wanted.only(image.path, several=len(images) > 1))
        for image, mask, places in zip(images, masks, maps, strict=True)
    ]
    check_apart((path for image in images for path in image.channels), (path for job in jobs for path in job.writes))
    return jobs


def _as_text(row: dict[str, Any]) -> dict[str, object]:
    """A row as the table shows it."""
    return {"file": row["file"], **row["pixels"], "output": row["output"]}
