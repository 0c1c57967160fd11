"""``topoprior audit``: which Betti numbers labels have, which prior fits them, which labels break it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import (
    Conventions,
    Csv,
    Journal,
    Json,
    Overwrite,
    Slices,
    Workers,
)
from topoprior.cli.output.failures import check_all_done, failures_told
from topoprior.cli.output.printed import check_one_form, note, print_csv, print_json, print_table

if TYPE_CHECKING:
    from topoprior.cli.audit.findings import AuditFindings

_LABELS = Group("What the files hold", sort_key=1)
_WANTED = Group("Priors", sort_key=2)
_REPORT = Group("What is written", sort_key=3)
_SHOWN = 20  # breakers on the screen


def audit(
    labels: Annotated[
        list[Path],
        Parameter(name="LABELS", help="Labels: .nii, .nii.gz, .png or .npy; or folders or patterns of them."),
    ],
    /,
    *,
    classes: Annotated[
        list[str] | None,
        Parameter(
            group=_LABELS,
            consume_multiple=True,
            help="Labels to look at, with names if you like: 2, MYO=2, or WHOLE=1,2 to take two for one. [default: "
            "those of nnU-Net's dataset.json beside the folder, or every value besides 0]",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Parameter(group=_LABELS, help="For probability maps and gray PNGs: values at or above it are foreground."),
    ] = None,
    slices: Slices = None,
    unions: Annotated[
        int | None,
        Parameter(
            group=_LABELS,
            help="Take up to so many classes together. [default: 2 in images and slices, 3 in volumes]",
            show_default=False,
        ),
    ] = None,
    coverage: Annotated[
        float, Parameter(group=_WANTED, help="The share of the labels that a proposed prior must hold for.")
    ] = 0.95,
    prior: Annotated[
        list[str] | None,
        Parameter(
            group=_WANTED,
            consume_multiple=True,
            help="Judge this prior too: 1,1 for every class, or RV=1,0 MYO=1,1 MYO+LV=1,0 for some.",
        ),
    ] = None,
    priors: Annotated[
        Path | None,
        Parameter(
            group=_WANTED,
            help="The same from a CSV table with a prior for each file, slice or both; with several classes one column "
            "for each class or union.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        Parameter(group=_REPORT, help="Write one HTML page, with pictures of labels that break priors."),
    ] = None,
    worst: Annotated[int, Parameter(group=_REPORT, help="How many labels get a picture, worst first.")] = 24,
    images: Annotated[
        Path | None,
        Parameter(group=_REPORT, help="Folder or pattern: what was labelled, to be seen below the labels."),
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"),
            group=_REPORT,
            help="Write the Betti numbers of each file or slice as a CSV table of priors. With several classes X.csv "
            "has a column for each class and union, as refine takes it; a folder gets a table for each.",
        ),
    ] = None,
    conventions: Conventions = Conventions(),  # noqa: B008  # frozen
    workers: Workers = Workers(),  # noqa: B008  # frozen
    journal: Journal = None,
    overwrite: Overwrite = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Look at the topology of labels before a network is trained towards it.

    Counts components, loops and, in 3-D, cavities of every class and of unions of classes, under every convention of
    what is connected; proposes the tightest prior that enough of the labels have; and lists the labels that break it,
    or that break the priors you give. A union is counted in the labels that hold all its classes.
    """
    from topoprior.cli.arguments.stated_priors import BACKGROUND, given_priors
    from topoprior.cli.audit.counting import count, findings_of, image_of, label_files
    from topoprior.cli.audit.judged_priors import judged_priors
    from topoprior.cli.audit.label_counter import LabelCounter, stated_classes
    from topoprior.evaluation.connectivity import Setting
    from topoprior.priors.audit import check_coverage
    from topoprior.priors.class_table import read_class_prior_table
    from topoprior.priors.table_file import prior_columns

    check_one_form(json=json, csv=csv)
    check_coverage(coverage)
    _check(prior, priors, classes, threshold, unions=unions, worst=worst)
    _check_outputs(report, output, overwrite=overwrite)
    stated = stated_classes(classes, labels[0]) if threshold is None else None
    given = given_priors(prior)
    if stated is not None:
        judged_priors(given, list(stated), axes=None, boundary=conventions.boundary)  # before hours of work
    if priors is not None and stated is not None:
        read_class_prior_table(priors, (BACKGROUND, *stated))
    elif priors is not None:
        prior_columns(priors)
    files = label_files(labels)
    image = image_of(images, labels)
    counter = LabelCounter(stated, threshold, slices, unions)
    counted, failures = count(counter, files, **workers.arguments(), journal=journal, overwrite=overwrite)
    if not counted:
        check_all_done(failures, total=len(files))
    setting = Setting(conventions.construction, conventions.boundary)
    findings = findings_of(counter, counted, given=given, table=priors, share=coverage, setting=setting)
    if output is not None:
        _write_priors(output, findings, overwrite=overwrite)
    if report is not None:
        from topoprior.cli.audit.page import audit_page
        from topoprior.cli.audit.pictures import BreakerPictures
        from topoprior.viewing.report import write_audit

        pictures = BreakerPictures(counter, list(findings.audit.classes[1:]), findings.setting, findings.files, image)
        write_audit(
            report,
            audit_page(findings, counter, files=files, failures=failures),
            title=f"Audit of {files[0].parent.resolve().name or files[0].parent}",
            picture=pictures,
            max_pictures=worst,
            overwrite=overwrite,
        )
    if json:
        print_json(findings.as_dict() | failures_told(failures))
    elif csv:
        print_csv(findings.histogram_rows())
    else:
        _print(findings)
    check_all_done(failures, total=len(files))


def _check(
    prior: list[str] | None,
    priors: Path | None,
    classes: list[str] | None,
    threshold: float | None,
    *,
    unions: int | None,
    worst: int,
) -> None:
    if prior and priors is not None:
        raise ValueError("say what to judge with --prior or --priors, one of the two")
    if classes and threshold is not None:
        raise ValueError("--classes are those of label maps, which have no --threshold: give one of the two")
    if unions is not None and unions < 1:
        raise ValueError(f"--unions must be at least 1, got {unions}")
    if worst < 0:
        raise ValueError(f"--worst must be at least 0, got {worst}")


def _check_outputs(report: Path | None, output: Path | None, *, overwrite: bool) -> None:
    from topoprior.imaging.new_file import check_new_file

    if report is not None and report.suffix.lower() != ".html":
        raise ValueError(f"{report}: the name must end in .html")
    for path in (report, output):
        if path is not None and path.suffix.lower() in {".html", ".csv"}:
            check_new_file(path, overwrite=overwrite)


def _print(findings: "AuditFindings") -> None:
    from topoprior.cli.audit import tables

    print_table(tables.histogram_table(findings))
    lacking = [f"{count} without {name}" for name, count in findings.lacking().items()]
    print(f"\n{len(findings.audit.cases)} labels{', ' * bool(lacking)}{', '.join(lacking)}")
    still = [findings.audit.name(union) for union in findings.unions if not findings.frame_matters(union)]
    if still:
        which = "" if len(still) == len(findings.unions) else f" of {', '.join(still)}"
        print(f"Nothing{which} is at the frame: the outside as foreground adds one component and nothing else")
    print()
    print_table(tables.prior_table(findings))
    construction, boundary = findings.setting
    print(f"\nProposed for --construction {construction} --boundary {boundary}, --coverage {findings.share:g}:")
    print(f"  {tables.arguments(findings)}\n  {tables.code(findings)}")
    for sentence in findings.follows():
        print(f"  so {sentence}")
    for sentence in findings.contradictions():
        note(f"note: no label has all of the proposed priors: {sentence}")
    rows = tables.breaker_table(findings)
    what = "proposed" if findings.given is None else "given"
    total = len(findings.audit.cases)
    print(f"\n{len(findings.breakers)} of {total} labels break the {what} priors{':' if rows else '.'}")
    if rows:
        print_table(rows[:_SHOWN])
    if len(rows) > _SHOWN:
        print(f"and {len(rows) - _SHOWN} lines more: --json has all, --report pictures")


def _write_priors(output: Path, findings: "AuditFindings", *, overwrite: bool) -> None:
    from topoprior.cli.arguments.places import destinations, make_folder
    from topoprior.priors.class_table import write_class_prior_table
    from topoprior.priors.table import write_prior_table

    if len(findings.unions) > 1 and output.suffix.lower() == ".csv" and not output.is_dir():
        write_class_prior_table(output, findings.numbers_as_class_priors(), overwrite=overwrite)
        return
    names = [Path(f"{findings.audit.name(union)}.csv") for union in findings.unions]
    places = destinations(names, output, endings=[".csv"])
    for folder in {place.parent for place in places} & {output}:
        make_folder(folder)
    for union, place in zip(findings.unions, places, strict=True):
        write_prior_table(place, findings.numbers_as_priors(union), overwrite=overwrite)
