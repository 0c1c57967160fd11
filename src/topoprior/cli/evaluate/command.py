"""``topoprior evaluate``: how good predictions are, against their labels and against what is known of the topology."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import (
    HOW,
    Conventions,
    Journal,
    Json,
    Overwrite,
    Slices,
    Workers,
)
from topoprior.cli.arguments.places import check_new_files
from topoprior.cli.evaluate.options import RIGHT_MASKS, WANTED, PriorTable
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import print_json, print_table
from topoprior.cli.output.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topoprior.cli.evaluate.findings import Findings
    from topoprior.cli.evaluate.pairs import Pair
    from topoprior.cli.evaluate.scorer import Scored, Scorer
    from topoprior.evaluation.result_table import Row
    from topoprior.jobs import Failure

_LABELS = Group("What the files hold", sort_key=2)
_REPORT = Group("Report", sort_key=3)

Measures = Literal["dice", "hausdorff95", "average_surface_distance", "cl_dice"]


def evaluate(
    predictions: Annotated[Path, Parameter(help="Folder, pattern or file: the masks to judge.")],
    labels: Annotated[Path, RIGHT_MASKS],
    /,
    *,
    prior: Annotated[
        list[str] | None,
        Parameter(
            group=WANTED,
            help="Betti numbers: components, loops and, in 3-D, cavities; 1,1 is a ring. Given once for all classes, "
            "or once for each class. [default: the Betti numbers of each label]",
            show_default=False,
        ),
    ] = None,
    priors: PriorTable = None,
    label: Annotated[
        int | None, Parameter(group=_LABELS, help="In label maps, the label to judge. [default: all that is not 0]")
    ] = None,
    predicted_label: Annotated[
        int | None,
        Parameter(group=_LABELS, help="The same in the predictions, where it differs: 1 if they are masks."),
    ] = None,
    classes: Annotated[
        list[int] | None,
        Parameter(
            group=_LABELS,
            consume_multiple=True,
            help="Several labels, each judged on its own. [default: those of nnU-Net's dataset.json beside LABELS]",
        ),
    ] = None,
    slices: Slices = None,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="Write the scores of all cases to this CSV file.")
    ] = None,
    report: Annotated[Path | None, Parameter(group=_REPORT, help="Write one HTML page, worst cases first.")] = None,
    worst: Annotated[int, Parameter(group=_REPORT, help="How many cases get a picture.")] = 20,
    images: Annotated[
        Path | None, Parameter(group=_REPORT, help="Folder, pattern or file: what was segmented, for the pictures.")
    ] = None,
    probabilities: Annotated[
        Path | None,
        Parameter(group=_REPORT, help="The probability maps of one class, named as PREDICTIONS, for barcodes."),
    ] = None,
    compare: Annotated[
        Path | None,
        Parameter(help="The CSV file of another method on the same cases: paired tests, with Holm's correction."),
    ] = None,
    measures: Annotated[
        list[Measures] | None,
        Parameter(group=HOW, consume_multiple=True, help="Beside the topology. [default: all four]"),
    ] = None,
    conventions: Conventions = Conventions(),  # noqa: B008  # frozen
    workers: Workers = Workers(),  # noqa: B008  # frozen
    journal: Journal = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Judge predictions: overlap, distances and topology of each case, and how sure the means are.

    PREDICTIONS and LABELS are masks (0 and one other value) or label maps, NIfTI, PNG or NPY, paired by name. Distances
    are in mm where NIfTI labels tell the size of their pixels, in pixels otherwise. The topology is right if every
    Betti number is as the prior wants, or without a prior as the label has it. Two empty masks agree in everything; an
    empty one against another has overlap 0 and an infinite distance, which is counted and left out of the mean.
    """
    from topoprior.cli.evaluate.findings import Findings
    from topoprior.cli.evaluate.pairs import find_pairs
    from topoprior.cli.evaluate.remarks import remark, unit_of
    from topoprior.cli.evaluate.stated_scorer import scorer
    from topoprior.evaluation.result_table import read_scores, write_scores

    judge = scorer(
        labels,
        prior=prior,
        priors=priors,
        label=label,
        predicted_label=predicted_label,
        classes=classes,
        slices=slices,
        measures=measures,
        **conventions.arguments(),
    )
    if probabilities is not None and len(judge.names) > 1:
        raise ValueError(f"--probabilities are those of one class, got {len(judge.names)}: choose one with --label")
    if worst < 0:
        raise ValueError(f"--worst must be at least 0, got {worst}")
    check_new_files({".csv": output, ".html": report}, overwrite=overwrite)
    other = None if compare is None else read_scores(compare)
    pairs = find_pairs(predictions, labels, images=images, probabilities=probabilities)
    scored, failures = _score(judge, pairs, **workers.arguments(), journal=journal, overwrite=overwrite)
    if not scored:
        check_all_done(failures, total=len(pairs))
    remark(scored)
    rows = [row for each in scored.values() for row in each.rows]
    if output is not None:
        write_scores(output, rows, overwrite=overwrite)
    findings = Findings.of(
        rows,
        name=_name(predictions),
        other=None if other is None else _without(other, failures),
        other_name="" if compare is None else compare.stem,
        unit=unit_of(scored),
    )
    if report is not None:
        _write_report(
            report,
            findings,
            judge,
            pairs,
            failures,
            title=f"Evaluation of {_name(predictions)}",
            worst=worst,
            overwrite=overwrite,
        )
    if json:
        settings = {**conventions.arguments(), "unit": findings.unit}
        print_json(settings | findings.as_dict() | failures_told(failures))
    else:
        for number, table in enumerate(findings.tables()):
            print("\n" * bool(number), end="")
            print_table(table)
        for sentence in findings.flips:
            print(f"\n{sentence}")
    check_all_done(failures, total=len(pairs))


def _score(
    scorer: "Scorer", pairs: "list[Pair]", *, journal: Path | None, **workers: Any
) -> "tuple[dict[str, Scored], list[Failure]]":
    """What came of the pairs, by name."""
    from topoprior.cli.evaluate.scorer import Scored
    from topoprior.cli.output.alike import alike
    from topoprior.jobs import for_each
    from topoprior.viewing.report import scores

    with progress("Scoring", len(pairs)) as advance:
        outcome = for_each(
            scorer,
            pairs,
            name=lambda pair: pair.name,
            reads=lambda pair: pair.files,
            journal=journal,
            settings={"command": "evaluate", **scorer.as_dict()},
            record=Scored.as_dict,
            restore=lambda content: Scored(**content),
            advance=advance,
            **workers,
        )
    return alike(outcome.results, outcome.failures, axes=lambda each: scores.dimensions(each.rows))


def _without(rows: "list[Row]", failures: "Sequence[Failure]") -> "list[Row]":
    """Another method's rows of the files that could be scored here."""
    failed = {failure.name for failure in failures}
    return [row for row in rows if str(row.get("file", row["case"])) not in failed]


def _name(predictions: Path) -> str:
    return predictions.resolve().name or str(predictions)


def _write_report(
    path: Path,
    findings: "Findings",
    scorer: "Scorer",
    pairs: "list[Pair]",
    failures: "Sequence[Failure]",
    *,
    title: str,
    worst: int,
    overwrite: bool,
) -> None:
    from topoprior.cli.evaluate.pictures import Pictures
    from topoprior.viewing.report import write_evaluation

    write_evaluation(
        path,
        findings.evaluation(scorer, files=len(pairs), failures=[str(failure) for failure in failures]),
        title=title,
        picture=Pictures(scorer, pairs),
        max_pictures=worst,
        overwrite=overwrite,
    )
