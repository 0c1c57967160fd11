"""``topoprior refine``: masks with the wanted topology, from probability maps or from a network and its images."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from topoprior.cli.arguments.inputs import images_of
from topoprior.cli.arguments.options import (
    HOW,
    Conventions,
    Csv,
    Device,
    Files,
    Json,
    MaskOutput,
    Overwrite,
    Slices,
    Workers,
)
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import check_one_form, print_csv, print_json, print_table
from topoprior.cli.output.progress import progress, stages
from topoprior.cli.refine.economy import EconomyOptions
from topoprior.cli.refine.options import Activation, ClassOptions, MethodOptions, NetworkOptions, WantedOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_JOURNAL = ".topoprior-refine.jsonl"


def refine(
    files: Files,
    /,
    *,
    output: MaskOutput,
    wanted: WantedOptions = WantedOptions(),  # noqa: B008  # frozen, as are those below
    of_classes: ClassOptions = ClassOptions(),  # noqa: B008
    slices: Slices = None,
    probability: Annotated[
        Path | None, Parameter(help="Write the refined probabilities too (float32): a file, or a folder for several.")
    ] = None,
    report: Annotated[Path | None, Parameter(help="Write one HTML page with pictures of what changed.")] = None,
    with_network: NetworkOptions = NetworkOptions(),  # noqa: B008
    activation: Annotated[
        Activation | None,
        Parameter(
            help="What turns logits into probabilities. "
            "[default: what the checkpoint says; none for a map, which then has values in 0 to 1]"
        ),
    ] = None,
    method: MethodOptions = MethodOptions(),  # noqa: B008
    conventions: Conventions = Conventions(),  # noqa: B008
    device: Annotated[Device, Parameter(group=HOW)] = "auto",
    economy: EconomyOptions = EconomyOptions(),  # noqa: B008
    overwrite: Overwrite = False,
    workers: Workers = Workers(),  # noqa: B008
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
    from topoprior.cli.refine.choice import RefinerChoice
    from topoprior.cli.refine.nnunet_files import inputs_of, is_model, labels_beside
    from topoprior.cli.refine.plan import plan
    from topoprior.cli.refine.refinement import Refined, Refinement
    from topoprior.cli.refine.telling import as_text, remark, write_page
    from topoprior.jobs import for_each

    check_one_form(json=json, csv=csv)
    if report is not None and report.suffix.lower() != ".html":
        raise ValueError(f"{report}: the report's name must end in .html")
    saved = economy.economy()
    shared = {"threshold": method.threshold, **conventions.arguments()}
    options = {name: value for name, value in method.of_steps().items() if value is not None} | shared
    network, classes = with_network.network, of_classes.classes
    images = images_of(inputs_of(files, network))
    dataset = labels_beside(images)
    choice = RefinerChoice(
        network=network,
        activation=activation,
        normalise=with_network.normalise,
        channel=with_network.channel,
        device=device,
        options=tuple((options | ({} if saved is None else {"economy": saved})).items()),
        run=token_hex(8),
        channel_axis=of_classes.channel_axis,
        dataset=dataset,
    )
    known = choice.class_names()
    if known is not None and (dataset is not None or is_model(network)):
        classes = list(known)
    priors = wanted_of_classes(
        wanted.prior,
        wanted.priors,
        relation=of_classes.relation,
        preset=wanted.preset,
        classes=classes,
        known=known,
        **conventions.arguments(),
    )
    if priors.classes is None:
        of_classes.check_unused()
    else:
        with_network.check_classes()
        method.check_classes()
    if network is None and dataset is None and priors.classes is not None:
        choice = replace(choice, classes=len(priors.classes))
    refinement = Refinement(choice, slices, method.guarantee, pictures=report is not None)
    settings = refinement.settings()
    planned = plan(
        images,
        wanted=priors,
        cut=slices is not None,
        boundary=conventions.boundary,
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
        given = method.of_steps() | economy.given() | {"guarantee": method.guarantee}
        write_page(report, cases, overwrite=overwrite, given=given, network=network, **shared)
    remark(results, outcome, priors, report=report is not None)
    if json and results:
        print_json({**shared, "results": results, **failures_told(outcome.failures)})
    elif results:
        (print_csv if csv else print_table)([as_text(row) for row in results])
    check_all_done(outcome.failures, total=len(images))


@contextmanager
def _bars(files: int) -> "Iterator[tuple[Callable[[], None], Callable[[int, int], None] | None]]":
    """A progress bar: of the files, or of the slices of a single one."""
    if files == 1:
        with stages() as report:
            yield lambda: None, partial(report, "Refining")
    else:
        with progress("Refining", files) as advance:
            yield advance, None
