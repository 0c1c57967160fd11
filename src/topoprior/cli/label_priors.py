"""``topoprior label-priors``: a table of priors for the slices of stacks, and the slices to look at beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from topoprior.cli.arguments.options import Construction, Json, Overwrite
from topoprior.cli.output.printed import print_json, print_table
from topoprior.cli.output.progress import progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from topoprior.imaging.datasets.stacks import StackFiles
    from topoprior.imaging.image import Image
    from topoprior.priors.betti_prior import BettiPrior
    from topoprior.viewing.report.contact_sheets import Sheet


def label_priors(
    stacks: Annotated[
        list[Path],
        Parameter(
            name="STACK",
            help="Stacks of slices (.nii, .nii.gz, .npy), or folders of them, or of folders like patient001 of ACDC.",
        ),
    ],
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The table.")] = Path("priors.csv"),
    report: Annotated[
        Path | None,
        Parameter(help="The page with the slices. [default: the table's name, ending in .html]", show_default=False),
    ] = None,
    slices: Annotated[int, Parameter(help="The axis along which the slices lie, 0, 1 or 2.")] = 2,
    label: Annotated[
        int | None, Parameter(help="In ground truth with several labels, the one whose topology is meant.")
    ] = None,
    blank: Annotated[bool, Parameter(help="Leave the table empty, even where there is ground truth.")] = False,
    construction: Construction = "T",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Make a table of the topology of each slice, to be filled in beside a page that shows all slices.

    The table has a row for each slice, with b0 (components) and b1 (loops) to fill in. Where ground truth lies beside a
    stack (a_gt.nii.gz beside a.nii.gz), they are counted in it. Files called as in the ACDC challenge are told by
    patient and frame. The table is what `refine --priors`, `train` and `reproduce acdc --priors` read.
    """
    from topoprior.imaging.datasets.stacks import find_stacks
    from topoprior.imaging.new_file import check_new_file
    from topoprior.priors.slice_table import write_slice_table
    from topoprior.viewing.report.contact_sheets import write_contact_sheets

    page = output.with_suffix(".html") if report is None else report
    if page == output:
        raise ValueError(f"the table and the page need names of their own, got {output} for both")
    for place in (output, page):
        check_new_file(place, overwrite=overwrite)
    found = find_stacks(stacks)
    _check_names(found)
    reader = _Reader(slices, label, blank, construction)
    with progress("Counting", len(found)) as advance:
        rows: dict[tuple[str, int], BettiPrior | None] = {}
        told = []
        for one in found:
            priors = reader.priors(one)
            rows |= {(one.image.name, index): prior for index, prior in enumerate(priors)}
            filled = sum(prior is not None for prior in priors)
            told.append({"stack": one.image.name, "slices": len(priors), "filled in": filled})
            advance()
    with progress("Drawing", len(found)) as advance:
        write_contact_sheets(
            page,
            [reader.sheet(one) for one in found],
            title="Topology of slices",
            introduction=f"Fill in {output.name}: one row for each slice, in the order of the slices below.",
            configuration={"slices along axis": slices, "label": label, "construction": construction},
            advance=advance,
            overwrite=overwrite,
        )
    write_slice_table(output, rows, overwrite=overwrite)
    empty = sum(prior is None for prior in rows.values())
    if json:
        print_json({"table": str(output), "page": str(page), "stacks": told, "to_fill_in": empty})
        return
    print_table(told)
    print(f"\nLook at {page}" + (f" and fill in {empty} rows of {output}" if empty else f"; {output} is filled in"))


@dataclass(frozen=True)
class _Reader:
    """How stacks are read, counted and drawn.

    Attributes:
        slices: The axis.
        label: The value in the ground truth; None for the only one.
        blank: Do not look at ground truth.
        construction: Of the topology.
    """

    slices: int
    label: int | None
    blank: bool
    construction: Construction

    def priors(self, stack: "StackFiles") -> "list[BettiPrior | None]":
        """The prior of each slice; None where a person is to say."""
        import topoprior

        image, masks = self._read(stack)
        if masks is None:
            return [None] * len(image.cut(image.array, self.slices))
        numbers = topoprior.betti_numbers(masks[:, None], construction=self.construction)[:, 0].tolist()
        return [topoprior.BettiPrior(*each) for each in numbers]

    def sheet(self, stack: "StackFiles") -> "Sheet":
        """What the page shows of a stack."""
        from topoprior.viewing.report.contact_sheets import Sheet

        remark = "to be judged" if self._label(stack) is None else "counted in its ground truth, which is outlined"
        return Sheet(stack.image.name, remark, lambda: self._draw(stack))

    def _draw(self, stack: "StackFiles") -> "Figure":
        from topoprior.cli.output.planes import shown_axes
        from topoprior.viewing.contact_sheet import contact_sheet
        from topoprior.viewing.orientation import View

        image, masks = self._read(stack)
        notes = None if masks is None else [f"({prior})" for prior in self.priors(stack)]
        _, axes = shown_axes(image, 2, self.slices)
        view = View.of(image.affine, axes, spacing=image.spacing)
        return contact_sheet(image.cut(image.intensity(), self.slices), masks=masks, notes=notes, view=view)

    def _label(self, stack: "StackFiles") -> Path | None:
        return None if self.blank else stack.label

    def _read(self, stack: "StackFiles") -> "tuple[Image, Any]":
        """The image, and the masks of its slices, if there is ground truth."""
        from topoprior.imaging.io import read_image

        image = read_image(stack.image)
        if image.cut(image.array, self.slices).ndim != 3:
            raise ValueError(f"{stack.image} must be a stack of slices with 3 axes, got shape {image.shape}")
        label = self._label(stack)
        if label is None:
            return image, None
        truth = read_image(label)
        if truth.array.shape != image.array.shape:
            raise ValueError(
                f"an image and its label must have one shape, got {image.array.shape} in {stack.image} and "
                f"{truth.array.shape} in {label}"
            )
        return image, truth.cut(truth.foreground(label=self.label)[0], self.slices)


def _check_names(stacks: "list[StackFiles]") -> None:
    """The table tells stacks by their file names."""
    seen: dict[str, Path] = {}
    for stack in stacks:
        if stack.image.name in seen:
            raise ValueError(f"stacks must have different names, got {seen[stack.image.name]} and {stack.image}")
        seen[stack.image.name] = stack.image
