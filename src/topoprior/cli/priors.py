"""``topoprior priors``: what a set of priors says, what it leaves open, and whether any label map has all of them."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import Boundary, Classes, Construction, Json, Preset, Relation
from topoprior.cli.output.printed import print_json, print_table

if TYPE_CHECKING:
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.priors.class_priors import ClassPriors

_WANTED = Group("What is wanted (--prior or --preset)", sort_key=1)
_METHOD = Group("How", sort_key=3)


def priors(
    *,
    prior: Annotated[
        list[str] | None,
        Parameter(
            group=_WANTED,
            consume_multiple=True,
            help="Betti numbers of classes and unions of classes: RV=1,0 MYO=1,1 MYO+LV=1,0.",
        ),
    ] = None,
    preset: Annotated[Preset | None, Parameter(group=_WANTED, help="Priors of well-known anatomy.")] = None,
    relation: Annotated[Relation, Parameter(group=_WANTED)] = None,
    classes: Annotated[
        Classes, Parameter(group=_WANTED, help="Names of all channels, background first. [default: those of --prior]")
    ] = None,
    construction: Annotated[Construction, Parameter(group=_METHOD)] = "T",
    boundary: Annotated[Boundary, Parameter(group=_METHOD)] = "background",
    json: Json = False,
) -> None:
    """Check priors of several classes before anything is trained or refined with them.

    Prints the priors of classes and unions, with --relation and presets translated to numbers; what every label map
    that has them looks like; classes and unions without a prior, each of which leaves something open; and
    contradictions, for which the exit status is 1. Only what can be proved is called a contradiction.
    """
    from topoprior.cli.arguments.stated_priors import BACKGROUND, check_reachable, given_priors, stated_priors
    from topoprior.priors.class_priors import ClassPriors

    if classes is None and prior is not None:
        words = [name for name in given_priors(prior) if name is not None]
        mentioned = dict.fromkeys(part.strip() for name in words for part in name.split("+"))
        others = [name for name in mentioned if name != BACKGROUND]
        classes = [BACKGROUND, *others] if others else None
    found = stated_priors(prior, relation=relation, preset=preset, classes=classes)
    if not isinstance(found, ClassPriors):
        check_reachable("the prior", found, None, boundary)
        _tell_one(found, json=json)
        return
    report = found.check(construction=construction, boundary=boundary)
    if json:
        table = {name: str(one) for name, one in zip(found.names, found.priors, strict=True)}
        lists = {name: list(getattr(report, name)) for name in ("follows", "missing", "contradictions")}
        print_json({"classes": list(found.classes), "priors": table, **lists})
    else:
        _tell(found, follows=report.follows, missing=report.missing)
    if report.contradictions:
        raise ValueError(f"no label map has these priors: {'; '.join(report.contradictions)}")


def _tell(found: "ClassPriors", *, follows: tuple[str, ...], missing: tuple[str, ...]) -> None:
    print_table([{"class": name, "prior": str(one)} for name, one in zip(found.names, found.priors, strict=True)])
    print(f"\n--classes {' '.join(found.classes)}")
    for title, sentences in (("Every label map with these priors:", follows), ("Without a prior:", missing)):
        if sentences:
            print("\n".join(["", title, *(f"  {sentence}" for sentence in sentences)]))
    print("\nPriors never speak of size, thickness or place, nor of where and how widely classes touch.")


def _tell_one(found: "BettiPrior", *, json: bool) -> None:
    if json:
        print_json({"prior": str(found)})
    else:
        print(f"--prior {found}")
