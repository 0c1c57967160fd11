"""How far from the truth refinement still finds it: success, Dice and steps as images get worse.

The paper advises such an analysis of convergence for every new domain: a refinement that starts too far from the right
topology ends in a wrong minimum. Here the same images are corrupted more and more, segmented and refined, and each
level tells how many masks had the right topology before and after.

References:
    Clough et al. (2022), IEEE TPAMI 44(12), discussion. PMC9721526.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from topoprior.evaluation.intervals import share_interval
from topoprior.imaging.corrupt import add_noise, blur, remove_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from topoprior.evaluation.result_table import Row
    from topoprior.experiments.demo import Progress

Kind = Literal["noise", "blur", "lines"]

LEVELS: dict[Kind, tuple[float, ...]] = {
    "noise": (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
    "blur": (0.0, 1.0, 2.0, 3.0, 4.0, 6.0),
    "lines": (0, 8, 16, 24, 32, 40, 48),
}
"""Those tried by default."""

UNITS: dict[Kind, str] = {"noise": "noise / range", "blur": "blur / pixels", "lines": "lines removed"}
"""What a level counts."""


@dataclass(frozen=True)
class Corruption:
    """One way to make images worse.

    Args:
        kind: ``"noise"``: Gaussian; ``"blur"``: Gaussian; ``"lines"``: rows of k-space removed. See
            `topoprior.imaging.corrupt`.
        seed: Of what is drawn. Every image draws its own, by its name.
        keep_centre: Of the rows of k-space, how many in the middle stay.

    Raises:
        ValueError: If there is no such kind, or a number is negative.
    """

    kind: Kind
    seed: int = 0
    keep_centre: int = 8

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(map(repr, get_args(Kind)))}, got {self.kind!r}")
        for name in ("seed", "keep_centre"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    def check(self, level: float) -> None:
        """Refuse what is no level of this kind.

        Raises:
            ValueError: If it is negative, infinite or NaN, or a number of lines is no whole one.
        """
        if not 0 <= level < math.inf:
            raise ValueError(f"a level must be at least 0 and finite, got {level}")
        if self.kind == "lines" and level != int(level):
            raise ValueError(f"a number of lines must be whole, got {level}")

    def __call__(self, slices: NDArray[Any], level: float, *, name: str) -> NDArray[Any]:
        """Images as they would be worse.

        Args:
            slices: Of one file, shape ``(slices, *spatial)``; two spatial axes for lines.
            level: How much, in `UNITS`; 0 gives the images back as they are.
            name: Of the file.

        Returns:
            The same shape, floating point. Lines: as magnitudes between 0 and the largest value of each slice.

        Raises:
            ValueError: If the level or an image does not fit.
        """
        self.check(level)
        if level == 0:
            return slices
        images = slices[:, None]
        if self.kind == "blur":
            return blur(images, level)[:, 0]
        seeds = self._seeds(name, len(slices))
        if self.kind == "noise":
            return add_noise(images, level, seed=seeds)[:, 0]
        if slices.ndim != 3:
            raise ValueError(
                f"lines are removed from images of two axes, got {slices.ndim - 1}: cut volumes with --slices, or "
                "choose noise or blur"
            )
        # A number of lines so large that none is left is refused there, in words of its own.
        fewer = remove_lines(images, int(level), seed=seeds, keep_centre=self.keep_centre)[:, 0]
        brightest = slices.max(axis=(1, 2), keepdims=True)
        return np.asarray(fewer * brightest)

    def _seeds(self, name: str, count: int) -> list[int]:
        stream = np.random.SeedSequence((self.seed, zlib.crc32(name.encode())))
        return [int(state) for state in stream.generate_state(count, np.uint64) >> np.uint64(1)]


def summarise(trials: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for each level, the lowest first.

    Args:
        trials: One row for each case and level: ``level``, ``right_before`` and ``right_after`` (0 or 1),
            ``dice_before``, ``dice_after``, ``steps``.

    Returns:
        For each level: the number of ``cases``; the shares ``right_before`` and ``right_after``, with the ends of
        Wilson's 95 % interval (``..._low``, ``..._high``); ``repaired``, the share of those wrong before that are right
        after (None if none was wrong); mean ``dice_before`` and ``dice_after``; quartiles of the ``steps`` of those
        wrong before, ``[25 %, 50 %, 75 %]``, or None.

    Raises:
        ImportError: If SciPy is not installed.

    Examples:
        >>> trial = {"level": 0.1, "right_before": 0, "dice_before": 0.5, "dice_after": 0.8, "steps": 7}
        >>> (row,) = summarise([trial | {"right_after": 1}, trial | {"right_after": 0}])
        >>> row["repaired"], row["right_after"], row["steps"]
        (0.5, 0.5, [7.0, 7.0, 7.0])
    """
    levels: dict[float, list[Any]] = {}
    for trial in trials:
        levels.setdefault(float(trial["level"]), []).append(trial)  # type: ignore[arg-type]
    return [_level(level, levels[level]) for level in sorted(levels)]


def _level(level: float, trials: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"level": level, "cases": len(trials)}
    for when in ("before", "after"):
        right = [trial[f"right_{when}"] for trial in trials]
        row[f"right_{when}"] = float(np.mean(right))
        row[f"right_{when}_low"], row[f"right_{when}_high"] = share_interval(right)
        row[f"dice_{when}"] = float(np.mean([trial[f"dice_{when}"] for trial in trials]))
    wrong = [trial for trial in trials if not trial["right_before"]]
    row["repaired"] = float(np.mean([trial["right_after"] for trial in wrong])) if wrong else None
    row["steps"] = np.percentile([trial["steps"] for trial in wrong], (25, 50, 75)).tolist() if wrong else None
    return row


def make_phantoms(folder: Path, *, count: int = 20, seed: int = 0, progress: Progress | None = None) -> Path:
    """The phantoms and the network of the demo, as files: what the analysis takes if it is given nothing else.

    Args:
        folder: An existing folder; gets ``images`` and ``labels`` (NPY files of the same names).
        count: Of the phantoms. The network has not seen them; all are rings, with Betti numbers (1, 1).
        seed: Of the phantoms and of the training.
        progress: As for `topoprior.experiments.demo.run`.

    Returns:
        The network's checkpoint, in the same folder.

    Raises:
        ValueError: If ``count`` is less than 1 or ``seed`` negative.
        ImportError: If MONAI is not installed.
    """
    from topoprior.experiments import demo
    from topoprior.imaging import networks, phantoms

    settings = demo.Settings(seed=seed, test_images=count)
    network = demo.train(settings, progress)
    images, masks = phantoms.ring_segmentation(count, seed=demo.seeds(settings)[1])
    for name, stack in (("images", images), ("labels", masks.astype(np.uint8))):
        (folder / name).mkdir()
        for number, each in enumerate(stack):
            np.save(folder / name / f"phantom{number:03}.npy", each[0])
    checkpoint = folder / "network.safetensors"
    networks.save(network, checkpoint)
    return checkpoint
