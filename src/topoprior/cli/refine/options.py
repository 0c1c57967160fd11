"""What ``topoprior refine`` is told, in the groups of its help; some of it is said to ``robustness`` too."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from topoprior.cli.arguments.options import HOW, Classes, Preset, Relation

Normalisation = Literal["none", "standard", "minmax"]
Activation = Literal["none", "sigmoid", "softmax"]
Weight = Annotated[float | None, Parameter(group=HOW, help="Lambda: more gives more to topology. [default: 0.1]")]
Threshold = Annotated[float, Parameter(group=HOW, help="The mask is where the probability is at or above it.")]


@Parameter(name="*", group=Group("What is wanted (--prior, --preset or --priors)", sort_key=1))
@dataclass(frozen=True)
class WantedOptions:
    """The priors, said in one of three ways."""

    prior: Annotated[
        list[str] | None,
        Parameter(
            consume_multiple=True,
            help="Betti numbers for every image or slice: components, loops and, in 3-D, cavities. "
            "1,1 is a ring; 1,0-2 allows up to two loops, 1- one or more; * is any number. "
            "For classes and unions of classes: RV=1,0 MYO=1,1 MYO+LV=1,0.",
        ),
    ] = None
    preset: Annotated[
        Preset | None, Parameter(help="Priors of well-known anatomy; the heart has classes RV, MYO, LV.")
    ] = None
    priors: Annotated[
        Path | None,
        Parameter(
            help="A CSV table with a prior for each file, slice or both: columns file and/or slice, and prior (quoted) "
            "or b0,b1[,b2]; for classes one column for each class or union, such as MYO+LV.",
        ),
    ] = None


@Parameter(name="*", group=Group("With several classes", sort_key=2))
@dataclass(frozen=True)
class ClassOptions:
    """What the classes are, and how they lie to each other."""

    relation: Relation = None
    classes: Classes = None
    channel_axis: Annotated[
        int | None,
        Parameter(
            help="Axis of the channels in a file of probabilities, from 0. [default: the first in .npy, the last in "
            ".nii]",
        ),
    ] = None

    def check_unused(self) -> None:
        """Refuse what makes no sense with a single prior.

        Raises:
            ValueError: If it was said.
        """
        if self.channel_axis is not None:
            raise ValueError("--channel-axis is for priors of classes: name the channels with --classes")


@Parameter(name="*", group=Group("With a network", sort_key=3))
@dataclass(frozen=True)
class NetworkOptions:
    """A network, and what it needs to be told."""

    network: Annotated[
        str | None,
        Parameter(
            help="Refine this network on each FILE, which then is an image and no probability map: X.safetensors with "
            "X.json beside it, module:factory, or nnunet:FOLDER for a model folder of nnU-Net (or one fold in it).",
        ),
    ] = None
    normalise: Annotated[
        Normalisation | None,
        Parameter(
            help="What each image or slice goes through first. standard: mean 0, standard deviation 1; minmax: 0 to 1. "
            "[default: what the checkpoint says]",
        ),
    ] = None
    channel: Annotated[
        int | None,
        Parameter(
            help="The output channel that has the prior, from 0, where only one has. [default: the only one]",
        ),
    ] = None

    def check_classes(self) -> None:
        """Refuse what makes no sense with priors of classes.

        Raises:
            ValueError: If it was said.
        """
        if self.channel is not None:
            raise ValueError("--channel is for a single prior; priors of classes are about all channels")


@Parameter(name="*", group=HOW)
@dataclass(frozen=True)
class MethodOptions:
    """How the refinement goes, and when it ends."""

    weight: Weight = None
    learning_rate: Annotated[
        float | None,
        Parameter(
            help="Step size of Adam. [default: 0.5 for a map, 0.0003 for a network, 0.0001 for one with priors of "
            "classes]",
        ),
    ] = None
    max_steps: Annotated[
        int | None,
        Parameter(
            help="Give up after so many. [default: 500 for a map, 100 for a network, 200 for one with priors of "
            "classes]",
        ),
    ] = None
    push: Annotated[
        float | None,
        Parameter(
            help="How hard to push towards what the map shows no trace of, beyond the paper; try 1. [default: 0]",
        ),
    ] = None
    guarantee: Annotated[
        bool,
        Parameter(
            negative="",
            help="Where the refinement ends with the wrong topology, edit its mask by the smallest change found that "
            "makes it right: in 2-D wherever there is room, nearly always in 3-D. With --max-steps 0 edit alone.",
        ),
    ] = False
    threshold: Threshold = 0.5
    margin: Annotated[
        float | None,
        Parameter(
            help="The topology has to be right at this distance below and above the threshold too. [default: 0.05]",
        ),
    ] = None

    def of_steps(self) -> dict[str, Any]:
        """What is told of the steps, None where nothing was said: the arguments with these names."""
        return {name: value for name, value in asdict(self).items() if name not in ("guarantee", "threshold")}

    def check_classes(self) -> None:
        """Refuse what makes no sense with priors of classes.

        Raises:
            ValueError: If it was said.
        """
        if self.threshold != 0.5:
            raise ValueError(
                f"with priors of classes each pixel has its most probable class: no --threshold, got {self.threshold}"
            )
