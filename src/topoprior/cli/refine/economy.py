"""What a refinement may leave out of large images, as options of the command line."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from topoprior.losses.economy import Economy


@Parameter(name="*", group=Group("For large volumes", sort_key=6))
@dataclass(frozen=True)
class EconomyOptions:
    """The arguments of `topoprior.Economy`; the topology is counted on the whole image whatever they say."""

    downsample: Annotated[
        tuple[int, ...] | None,
        Parameter(
            consume_multiple=True,
            help="The loss looks at blocks of so many pixels along each axis: one number, or one for each axis of the "
            "image or slice, such as 1 2 2. [default: 1]",
        ),
    ] = None
    pooling: Annotated[
        Literal["max", "average"] | None,
        Parameter(help="Of a block. max: nothing vanishes; average: for noisy maps. [default: max]"),
    ] = None
    region: Annotated[
        float | None,
        Parameter(
            help="The loss looks at the box that holds all probabilities of at least this. [default: everywhere]"
        ),
    ] = None
    region_margin: Annotated[int | None, Parameter(help="Pixels around that box. [default: 2]")] = None
    min_persistence: Annotated[
        float | None, Parameter(help="Unwanted bars that are shorter get no push. [default: 0]")
    ] = None

    def given(self) -> dict[str, Any]:
        """What was said, by the names of the options."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def economy(self) -> "Economy | None":
        """The economy; None if nothing was said.

        Raises:
            ValueError: If an option is out of its range, or needs another one.
        """
        from topoprior.losses.economy import Economy

        given = self.given()
        if not given:
            return None
        for name, needed in (("pooling", "downsample"), ("region_margin", "region")):
            if name in given and needed not in given:
                raise ValueError(f"--{name.replace('_', '-')} needs --{needed}")
        if "region_margin" in given:
            given["margin"] = given.pop("region_margin")
        if len(given.get("downsample", ())) == 1:
            [given["downsample"]] = given["downsample"]
        return Economy(**given)
