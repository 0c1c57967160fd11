"""``topoprior refine``: masks with the wanted topology, from probability maps or from a network and its images."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.options import (
    Boundary,
    Classes,
    Construction,
    Csv,
    Device,
    Files,
    Json,
    Overwrite,
    Preset,
    Relation,
    Slices,
    Workers,
)
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import check_one_form, note, print_csv, print_json, print_table
from topoprior.cli.output.progress import progress, stages
from topoprior.cli.refine.economy import EconomyOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from topoprior.cli.arguments.wanted import Wanted
    from topoprior.cli.refine.refinement import Refined
    from topoprior.jobs import Outcome
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.viewing.report import Case, ClassCase

_JOURNAL = ".topoprior-refine.jsonl"

_WANTED = Group("What is wanted (--prior, --preset or --priors)", sort_key=1)
_CLASSES = Group("With several classes", sort_key=2)
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
        list[str] | None,
        Parameter(
            group=_WANTED,
            consume_multiple=True,
            help="Betti numbers for every image or slice: components, loops and, in 3-D, cavities. "
            "1,1 is a ring; 1,0-2 allows up to two loops, 1- one or more; * is any number. "
            "For classes and unions of classes: RV=1,0 MYO=1,1 MYO+LV=1,0.",
        ),
    ] = None,
    preset: Annotated[
        Preset | None, Parameter(group=_WANTED, help="Priors of well-known anatomy; the heart has classes RV, MYO, LV.")
    ] = None,
    priors: Annotated[
        Path | None,
        Parameter(
            group=_WANTED,
            help="A CSV table with a prior for each file, slice or both: columns file and/or slice, and prior (quoted) "
            "or b0,b1[,b2]; for classes one column for each class or union, such as MYO+LV.",
        ),
    ] = None,
    relation: Annotated[Relation, Parameter(group=_CLASSES)] = None,
    classes: Annotated[Classes, Parameter(group=_CLASSES)] = None,
    channel_axis: Annotated[
        int | None,
        Parameter(
            group=_CLASSES,
            help="Axis of the channels in a file of probabilities, from 0. [default: the first in .npy, the last in "
            ".nii]",
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
            "X.json beside it, module:factory, or nnunet:FOLDER for a model folder of nnU-Net (or one fold in it).",
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
        Parameter(
            group=_NETWORK,
            help="The output channel that has the prior, from 0, where only one has. [default: the only one]",
        ),
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
        float | None,
        Parameter(
            group=_METHOD,
            help="Step size of Adam. [default: 0.5 for a map, 0.0003 for a network, 0.0001 for one with priors of "
            "classes]",
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        Parameter(
            group=_METHOD,
            help="Give up after so many. [default: 500 for a map, 100 for a network, 200 for one with priors of "
            "classes]",
        ),
    ] = None,
    push: Annotated[
        float | None,
        Parameter(
            group=_METHOD,
            help="How hard to push towards what the map shows no trace of, beyond the paper; try 1. [default: 0]",
        ),
    ] = None,
    guarantee: Annotated[
        bool,
        Parameter(
            group=_METHOD,
            negative="",
            help="Where the refinement ends with the wrong topology, edit its mask by the smallest change found that "
            "makes it right: in 2-D wherever there is room, nearly always in 3-D. With --max-steps 0 edit alone.",
        ),
    ] = False,
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
    device: Annotated[Device, Parameter(group=_METHOD)] = "auto",
    economy: EconomyOptions = EconomyOptions(),  # noqa: B008  # frozen
    overwrite: Overwrite = False,
    workers: Workers = Workers(),  # noqa: B008  # frozen
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Give masks the topology that is wanted, near the probabilities that they come from.

    Each FILE is a probability map, or with --network an image for that network. It may be what nnU-Net writes with
    --save_probabilities, case.npz, and for its models an image case_0000.nii.gz. Masks come back with the shape and the
    geometry of their input. With --slices each slice is refined on its own and the stack is put together again. The
    table tells Betti numbers before and after, whether they are right now, how many pixels of the mask changed, and why
    the refinement stopped: already right, topology right (with the margin), no more steps (then the best mask that
    was seen is kept; it may well be right), or edited (with --guarantee).

    With priors of classes and unions of classes the file holds a softmax, or the network gives one, and a label map
    comes back: the values that classes have in the checkpoint's labels, else the numbers of the channels. The table
    lists the classes and unions whose prior does not hold. `topoprior priors` tells what a set of priors says.

    A folder of masks gets a journal, .topoprior-refine.jsonl: the same command goes on where it was stopped.
    """
    from topoprior.cli.arguments.wanted import wanted_of_classes
    from topoprior.cli.refine.nnunet import inputs_of, is_model, labels_beside
    from topoprior.cli.refine.plan import plan
    from topoprior.cli.refine.refinement import Refined, Refinement
    from topoprior.jobs import for_each

    check_one_form(json=json, csv=csv)
    if report is not None and report.suffix.lower() != ".html":
        raise ValueError(f"{report}: the report's name must end in .html")
    method = {"weight": weight, "learning_rate": learning_rate, "max_steps": max_steps}
    given = method | {"push": push, "margin": margin} | economy.given()
    saved = economy.economy()
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options = {name: value for name, value in options.items() if name not in economy.given()}
    options |= {} if saved is None else {"economy": saved}
    shared: dict[str, Any] = {"threshold": threshold, "construction": construction, "boundary": boundary}
    images = images_of(inputs_of(files, network))
    dataset = labels_beside(images)
    refinement = Refinement(
        network=network,
        activation=activation,
        normalise=normalise,
        channel=channel,
        device=device,
        slices=slices,
        options=tuple((options | shared).items()),
        guarantee=guarantee,
        pictures=report is not None,
        run=token_hex(8),
        channel_axis=channel_axis,
        dataset=dataset,
    )
    known = refinement.class_names()
    if known is not None and (dataset is not None or is_model(network)):
        classes = list(known)
    wanted = wanted_of_classes(
        prior,
        priors,
        relation=relation,
        preset=preset,
        classes=classes,
        known=known,
        construction=construction,
        boundary=boundary,
    )
    _check_classes(wanted.classes, channel=channel, channel_axis=channel_axis, threshold=threshold)
    if network is None and dataset is None and wanted.classes is not None:
        refinement = replace(refinement, classes=len(wanted.classes))
    settings = refinement.settings()
    planned = plan(
        images,
        wanted=wanted,
        cut=slices is not None,
        boundary=boundary,
        output=output,
        probability=probability,
        report=report,
        overwrite=overwrite,
        network=network,
    )
    with _bars(len(planned)) as (advance, on_slice):
        outcome = for_each(
            refinement if on_slice is None else replace(refinement, on_slice=on_slice),
            planned,
            name=lambda job: str(job.source),
            **workers.arguments(),
            reads=lambda job: [job.source],
            writes=lambda job: job.writes,
            given=lambda job: job.wanted.told(),
            overwrite=overwrite,
            journal=output / _JOURNAL if output.is_dir() else None,
            settings={"command": "refine", **settings},
            record=lambda refined: refined.rows,
            restore=Refined,
            advance=advance,
        )
    results = [row for refined in outcome.results.values() for row in refined.rows]
    cases = [case for refined in outcome.results.values() for case in refined.cases]
    if report is not None and cases:
        _write_report(
            report, cases, overwrite=overwrite, given=given | {"guarantee": guarantee}, network=network, **shared
        )
    _tell(results, outcome, wanted, report=report is not None)
    if json and results:
        print_json({**shared, "results": results, **failures_told(outcome.failures)})
    elif results:
        (print_csv if csv else print_table)([_as_text(row) for row in results])
    check_all_done(outcome.failures, total=len(images))


def _check_classes(
    classes: tuple[str, ...] | None,
    *,
    channel: int | None,
    channel_axis: int | None,
    threshold: float,
) -> None:
    """Refuse options that make no sense with priors of classes, or without."""
    if classes is None and channel_axis is not None:
        raise ValueError("--channel-axis is for priors of classes: name the channels with --classes")
    if classes is None:
        return
    if channel is not None:
        raise ValueError("--channel is for a single prior; priors of classes are about all channels")
    if threshold != 0.5:
        raise ValueError(
            f"with priors of classes each pixel has its most probable class: no --threshold, got {threshold}"
        )


@contextmanager
def _bars(files: int) -> "Iterator[tuple[Callable[[], None], Callable[[int, int], None] | None]]":
    """A progress bar: of the files, or of the slices of a single one."""
    if files == 1:
        with stages() as report:
            yield lambda: None, partial(report, "Refining")
    else:
        with progress("Refining", files) as advance:
            yield advance, None


def _tell(
    results: list[dict[str, Any]],
    outcome: "Outcome[Refined]",
    wanted: "Wanted[BettiPrior] | Wanted[ClassPriors]",
    *,
    report: bool,
) -> None:
    """What is remarkable about a run that went well."""
    failed = sum(not row["succeeded"] for row in results)
    if failed:
        note(f"note: {failed} of {len(results)} did not reach their prior; the best mask seen is kept")
    if outcome.skipped:
        pictures = ", and are not in the report" if report else ""
        note(f"note: {len(outcome.skipped)} of {len(outcome.results)} files were done before{pictures}")
    try:
        wanted.check_slices({name: len(refined.rows) for name, refined in outcome.results.items()})
    except ValueError as error:  # which a single file is refused for; of several each may lack a slice
        note(f"note: {error}")


def _write_report(
    path: Path,
    cases: "list[Case | ClassCase]",
    *,
    overwrite: bool,
    given: dict[str, Any],
    network: str | None,
    **shared: Any,
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
    shown: dict[str, object] = {name: row[name] for name in ("file", "slice") if name in row}
    if isinstance(row["betti_before"], dict):
        shown |= {f"wrong {when}": "; ".join(row[f"wrong_{when}"]) or "-" for when in ("before", "after")}
    else:
        shown["prior"] = row["prior"]
        shown |= {when: ",".join(map(str, row[f"betti_{when}"])) for when in ("before", "after")}
    right = "yes" if row["succeeded"] else "no"
    return {
        **shown,
        "right": right,
        "pixels": row["pixels_changed"],
        "steps": row["steps"],
        "stopped": row["stop_reason"],
    }
