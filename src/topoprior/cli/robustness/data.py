"""What ``topoprior robustness`` tries: the images that are named, or phantoms and a network trained for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from topoprior.experiments import robustness as experiment


class Data(NamedTuple):
    """Where the images and their labels are, and what segments the images, if they are no probability maps."""

    images: Path
    labels: Path
    network: str | None


@contextmanager
def data_of(
    images: Path | None,
    labels: Path | None,
    network: str | None,
    journal: Path | None,
    *,
    phantoms: int,
    seed: int,
    report: Callable[[str, int, int], None],
) -> Iterator[Data]:
    """What the arguments name; or the phantoms and their network, which are trained for the occasion."""
    if images is not None and labels is not None:
        yield Data(images, labels, network)
        return
    if images is not None:
        raise ValueError(f"{images}: images need their LABELS, to judge what is made of them")
    for name, value in (("--network", network), ("--journal", journal)):
        if value is not None:
            raise ValueError(f"{name} needs IMAGES and LABELS: without them the phantoms of the demo are tried")
    with TemporaryDirectory(prefix="topoprior-") as folder:
        checkpoint = experiment.make_phantoms(Path(folder), count=phantoms, seed=seed, progress=report)
        yield Data(Path(folder) / "images", Path(folder) / "labels", str(checkpoint))
