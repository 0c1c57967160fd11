"""``topoprior doctor``: why the loss is flat or wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import Boundary, Construction, Json, Slices
from topoprior.cli.output.printed import print_json

if TYPE_CHECKING:
    from topoprior.doctor import Finding

_METHOD = Group("The loss", sort_key=3)


class ProblemsFound(Exception):  # noqa: N818  # no error of the command, which has said all
    """The doctor has found problems: exit status 1."""


def doctor(
    files: Annotated[
        list[Path],
        Parameter(
            name="FILE",
            help="Maps (.nii, .nii.gz, .png, .npy), networks (.safetensors), logs (metrics.jsonl, or the folder of a "
            "run), or folders of maps.",
        ),
    ],
    /,
    *,
    prior: Annotated[str | None, Parameter(help="What is wanted: 1,1 is a ring. Without it, values alone.")] = None,
    image: Annotated[
        Path | None, Parameter(help="For networks: what to segment. [default: noise]", show_default=False)
    ] = None,
    slices: Slices = None,
    activation: Annotated[Literal["sigmoid"] | None, Parameter(help="sigmoid: the maps hold logits.")] = None,
    threshold: Annotated[float, Parameter(group=_METHOD, help="Where the mask is cut.")] = 0.5,
    power: Annotated[Literal[1, 2], Parameter(group=_METHOD, help="Of the bar lengths.")] = 2,
    construction: Annotated[Construction, Parameter(group=_METHOD)] = "T",
    boundary: Annotated[Boundary, Parameter(group=_METHOD)] = "background",
    json: Json = False,
) -> None:
    """Say why the loss of a map, a network or a training run is flat or wrong, and what to do about it.

    Errors: the loss is wrong or cannot move. Warnings: it moves badly, or not where you mean. Notes: nothing is wrong.
    The exit status is 0 if there is neither error nor warning, and 1 otherwise.
    """
    from topoprior.doctor.files import diagnose_file
    from topoprior.priors.betti_prior import BettiPrior

    if not 0 < threshold <= 1:
        raise ValueError(f"--threshold must be greater than 0 and at most 1, got {threshold}")
    wanted = None if prior is None else BettiPrior.parse(prior)
    options: dict[str, Any] = {"slices": slices, "image": image, "activation": activation}
    options |= {"construction": construction, "boundary": boundary, "power": power, "threshold": threshold}
    found = {path: diagnose_file(path, wanted, **options) for path in _subjects(files)}
    if json:
        results = [{"file": str(path), "findings": [each.as_dict() for each in of]} for path, of in found.items()]
        print_json({"prior": prior, "results": results})
    else:
        for path, of in found.items():
            _tell(path, of)
    problems = sum(each.is_problem for of in found.values() for each in of)
    if problems:
        raise ProblemsFound


def _subjects(files: list[Path]) -> list[Path]:
    from topoprior.cli.arguments.inputs import images_of

    subjects = [
        each
        for path in files
        for each in ([path] if not path.is_dir() or (path / "metrics.jsonl").is_file() else images_of([path]))
    ]
    return list(dict.fromkeys(subjects))


def _tell(path: Path, findings: "list[Finding]") -> None:
    import textwrap

    print(f"{path}: {'nothing found' if not findings else ''}".rstrip())
    for each in findings:
        print(f"  {each.severity}: {each.name}")
        for text in (each.what, f"-> {each.advice}"):
            print(textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="    "))
