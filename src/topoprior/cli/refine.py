"""``topoprior refine``: masks with the wanted topology, from probability maps or from a network and its images."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.options import Boundary, Construction, Files, Json, Overwrite, Slices
from topoprior.cli.output import note, print_json, print_table, progress

if TYPE_CHECKING:
    from topoprior.cli.plan import Job, PlaceOf, PriorOf
    from topoprior.cli.refiners import Refiner
    from topoprior.imaging.image import Array
    from topoprior.priors.table import PriorTable
    from topoprior.refinement.result import RefinementResult
    from topoprior.viewing.report import Case

_WANTED = Group("What is wanted (one of the two)", sort_key=1)
_NETWORK = Group("With a network", sort_key=3)
_METHOD = Group("How", sort_key=4)


def refine(
    files: Files,
    /,
    *,
    output: Annotated[
        Path, Parameter(name=("--output", "-o"), help="The mask (uint8): a file for one input, a folder for several.")
    ],
    prior: Annotated[
        str | None,
        Parameter(
            group=_WANTED,
            help="Betti numbers for every image or slice: components, loops and, in 3-D, cavities. "
            "1,1 is a ring; 1,0-2 allows up to two loops, 1- one or more; * is any number.",
        ),
    ] = None,
    priors: Annotated[
        Path | None,
        Parameter(
            group=_WANTED,
            help="A CSV table with a prior for each file, slice or both: columns file and/or slice, and prior (quoted) "
            "or b0,b1[,b2].",
        ),
    ] = None,
    slices: Slices = None,
    probability: Annotated[
        Path | None, Parameter(help="Write the refined probabilities too (float32): a file, or a folder for several.")
    ] = None,
    report: Annotated[Path | None, Parameter(help="Write one HTML page with pictures of what changed.")] = None,
    network: Annotated[
        str | None,
        Parameter(
            group=_NETWORK,
            help="Refine this network on each FILE, which then is an image and no probability map: X.safetensors with "
            "X.json beside it, or module:factory.",
        ),
    ] = None,
    normalise: Annotated[
        Literal["none", "standard", "minmax"] | None,
        Parameter(
            group=_NETWORK,
            help="What each image or slice goes through first. standard: mean 0, standard deviation 1; minmax: 0 to 1. "
            "[default: what the checkpoint says]",
        ),
    ] = None,
    channel: Annotated[
        int | None,
        Parameter(group=_NETWORK, help="The output channel that has the prior, from 0. [default: the only one]"),
    ] = None,
    activation: Annotated[
        Literal["none", "sigmoid", "softmax"] | None,
        Parameter(
            help="What turns logits into probabilities. "
            "[default: what the checkpoint says; none for a map, which then has values in 0 to 1]"
        ),
    ] = None,
    weight: Annotated[
        float | None,
        Parameter(group=_METHOD, help="Lambda: more gives more to topology. [default: 0.1]"),
    ] = None,
    learning_rate: Annotated[
        float | None, Parameter(group=_METHOD, help="Step size of Adam. [default: 0.5 for a map, 0.0003 for a network]")
    ] = None,
    max_steps: Annotated[
        int | None, Parameter(group=_METHOD, help="Give up after so many. [default: 500 for a map, 100 for a network]")
    ] = None,
    threshold: Annotated[
        float, Parameter(group=_METHOD, help="The mask is where the probability is at or above it.")
    ] = 0.5,
    margin: Annotated[
        float | None,
        Parameter(
            group=_METHOD,
            help="The topology has to be right at this distance below and above the threshold too. [default: 0.05]",
        ),
    ] = None,
    construction: Annotated[Construction, Parameter(group=_METHOD)] = "T",
    boundary: Annotated[Boundary, Parameter(group=_METHOD)] = "background",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Give masks the topology that is wanted, near the probabilities that they come from.

    Each FILE is a probability map, or with --network an image for that network. Masks come back with the shape and the
    geometry of their input. With --slices each slice is refined on its own and the stack is put together again. The
    table tells Betti numbers before and after, whether they are right now, how many pixels of the mask changed, and why
    the refinement stopped: already right, topology right (with the margin), or no more steps (then the best mask that
    was seen is kept; it may well be right).
    """
    from topoprior.cli.plan import plan
    from topoprior.cli.refiners import refiner

    if report is not None and report.suffix.lower() != ".html":
        raise ValueError(f"{report}: the report's name must end in .html")
    given = {"weight": weight, "learning_rate": learning_rate, "max_steps": max_steps, "margin": margin}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    shared: dict[str, Any] = {"threshold": threshold, "construction": construction, "boundary": boundary}
    refine_slice = refiner(
        network, activation=activation, normalise=normalise, channel=channel, options=options | shared
    )
    table = _table(prior, priors)
    jobs = plan(
        files,
        read=refine_slice.read,
        prior_of=_prior_of(prior, table),
        place_of=_place_of(prior, table),
        slices=slices,
        boundary=boundary,
        output=output,
        probability=probability,
        report=report,
        overwrite=overwrite,
    )
    if table is not None and slices is not None:
        table.check_slices({job.source: len(job.priors) for job in jobs})
    results: list[dict[str, Any]] = []
    cases: list[Case] = []
    with progress("Refining", sum(len(job.priors) for job in jobs)) as advance:
        for job in jobs:
            values, refined = _refine_file(job, refine_slice, slices, advance, overwrite=overwrite)
            results += _rows(job, refined, cut=slices is not None)
            if report is not None:
                cases += _cases(job, values, refined, threshold, cut=slices is not None)
    if report is not None:
        _write_report(report, cases, overwrite=overwrite, given=given, network=network, **shared)
    failed = sum(not row["succeeded"] for row in results)
    if failed:
        note(f"note: {failed} of {len(results)} did not reach their prior; the best mask seen is kept")
    if json:
        print_json({**shared, "results": results})
    else:
        print_table([_as_text(row) for row in results])


def _table(prior: str | None, priors: Path | None) -> "PriorTable | None":
    from topoprior.priors.table import read_prior_table

    if (prior is None) == (priors is None):
        raise ValueError("say what is wanted with --prior or --priors, one of the two")
    return None if priors is None else read_prior_table(priors)


def _prior_of(prior: str | None, table: "PriorTable | None") -> "PriorOf":
    from topoprior.priors.betti_prior import BettiPrior

    if table is not None:
        return lambda file, index: table.prior(file, slice_index=index)
    same = BettiPrior.parse(prior or "")
    return lambda file, index: same  # noqa: ARG005


def _place_of(prior: str | None, table: "PriorTable | None") -> "PlaceOf":
    if table is not None:
        return lambda file, index: table.place(file, slice_index=index)
    return lambda file, index: f"--prior {prior}"  # noqa: ARG005


def _refine_file(
    job: "Job", refine_slice: "Refiner", slices: int | None, advance: Callable[[], None], *, overwrite: bool
) -> "tuple[Array, list[RefinementResult]]":
    """Refine all slices of a file and write what belongs to it; the slices as they were, and what came of them."""
    import numpy as np

    from topoprior.imaging.io import read_image, write_mask, write_probability

    image = read_image(job.source)
    parts, refined = image.cut(refine_slice.read(image), slices), []
    for index, (part, prior) in enumerate(zip(parts, job.priors, strict=True)):
        try:
            refined.append(refine_slice(part, prior))
        except (ValueError, TypeError) as error:
            place = "" if slices is None else f", slice {index}"
            raise type(error)(f"{job.source}{place}: {error}") from error
        advance()
    job.mask.parent.mkdir(exist_ok=True)
    mask = image.join(np.concatenate([one.mask[0].numpy() for one in refined]), slices)
    write_mask(job.mask, mask, like=image, overwrite=overwrite)
    if job.probability is not None:
        job.probability.parent.mkdir(exist_ok=True)
        probability = image.join(np.concatenate([one.output[0].numpy() for one in refined]), slices)
        write_probability(job.probability, probability, like=image, overwrite=overwrite)
    return parts, refined


def _rows(job: "Job", refined: "list[RefinementResult]", *, cut: bool) -> list[dict[str, Any]]:
    return [
        {
            "file": str(job.source),
            **({"slice": index} if cut else {}),
            "prior": str(prior),
            **_summary(one),
            "output": str(job.mask),
        }
        for index, (one, prior) in enumerate(zip(refined, job.priors, strict=True))
    ]


def _summary(result: "RefinementResult") -> dict[str, Any]:
    """What a result tells, its Betti numbers those of its one channel."""
    summary = result.summary()
    return {**summary, **{name: summary[name][0] for name in ("betti_before", "betti_after")}}


def _cases(
    job: "Job", parts: "Array", refined: "list[RefinementResult]", threshold: float, *, cut: bool
) -> "list[Case]":
    from topoprior.viewing.report import Case

    return [
        Case.of(f"{job.source}{f', slice {index}' if cut else ''}", part, result, prior, threshold=threshold)
        for index, (part, result, prior) in enumerate(zip(parts, refined, job.priors, strict=True))
    ]


def _write_report(
    path: Path, cases: "list[Case]", *, overwrite: bool, given: dict[str, Any], network: str | None, **shared: Any
) -> None:
    from topoprior.viewing.report import write_report

    what = "a network" if network else "probability maps"
    configuration = {name: "default" if value is None else value for name, value in given.items()} | shared
    write_report(
        path,
        cases,
        title=f"Refinement of {what}",
        configuration=configuration | ({"network": network} if network else {}),
        overwrite=overwrite,
        **shared,
    )


def _as_text(row: dict[str, Any]) -> dict[str, object]:
    """A row as the table shows it."""
    shown: dict[str, object] = {name: row[name] for name in ("file", "slice", "prior") if name in row}
    betti = {name: ",".join(map(str, row[f"betti_{name}"])) for name in ("before", "after")}
    right = "yes" if row["succeeded"] else "no"
    work = {"pixels": row["pixels_changed"], "steps": row["steps"], "stopped": row["stop_reason"]}
    return {**shown, **betti, "right": right, **work}
