"""What a refinement will read and write, and all that can be found wrong with it before an image is opened.

For thousands of files to open each twice would take hours, so what only an image can tell, whether it can be read and
has the slices and axes that its priors want, is checked when its turn comes, before anything is written for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from topoprior.cli.arguments.places import check_apart, destinations, make_folder
from topoprior.cli.arguments.wanted import Wanted
from topoprior.cli.refine.nnunet_files import is_prediction, mask_name
from topoprior.imaging.io import ENDINGS, ending
from topoprior.imaging.new_file import check_new_file
from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.topology.filtration import Boundary


@dataclass(frozen=True)
class Job:
    """One file to refine.

    Attributes:
        source: The input.
        mask: Where its mask goes.
        probability: Where its refined probability goes, if anywhere.
        wanted: Its priors.
    """

    source: Path
    mask: Path
    probability: Path | None
    wanted: Wanted[BettiPrior] | Wanted[ClassPriors]

    @property
    def writes(self) -> list[Path]:
        """Where it writes."""
        return [path for path in (self.mask, self.probability) if path is not None]


def plan(
    files: Sequence[Path],
    *,
    wanted: Wanted[BettiPrior] | Wanted[ClassPriors],
    cut: bool,
    boundary: Boundary,
    output: Path,
    probability: Path | None,
    report: Path | None,
    overwrite: bool,
    network: str | None = None,
) -> list[Job]:
    """The jobs, if every input is there and has priors that can be reached, and every output has a place of its own.

    Whether outputs exist is for `topoprior.jobs.for_each` to say, who knows which of them an earlier run wrote.

    Args:
        files: The inputs.
        wanted: What is wanted of all of them.
        cut: Whether images are cut into slices.
        boundary: What lies outside the images.
        output: A file for one input, a folder for several, which is made.
        probability: The same for the probabilities; None to write none.
        report: One more file that will be written; None for none.
        overwrite: Whether the report may exist.
        network: Which is refined, if any: a model of nnU-Net names its masks in its own way.

    Raises:
        OSError: If an input is missing, or the report exists or cannot be written.
        ValueError: If an input, a prior or a place to write is wrong.
    """
    named = [Path(mask_name(file, network)) for file in files]
    masks = destinations(named, output, endings=ENDINGS)
    maps = [None] * len(files) if probability is None else destinations(named, probability, endings=ENDINGS)
    jobs = [
        Job(source, mask, map_, wanted.only(source, several=len(files) > 1))
        for source, mask, map_ in zip(files, masks, maps, strict=True)
    ]
    check_apart(files, [*(path for job in jobs for path in job.writes), *([] if report is None else [report])])
    if report is not None:
        check_new_file(report, overwrite=overwrite)
    for job in jobs:
        if not is_prediction(job.source):
            ending(job.source)
        if not job.source.is_file():
            raise FileNotFoundError(f"{job.source} does not exist")
        job.wanted.check(job.source, cut=cut, boundary=boundary)
    for folder in {path.parent for path in jobs[0].writes} & {output, probability}:
        make_folder(folder)
    return jobs
