"""Short-axis slices of a heart, as cine magnetic-resonance images show them, with exact labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Image
from topoprior.imaging.phantoms.magnetic_resonance import acquire
from topoprior.imaging.phantoms.short_axis_grid import Grid, grid_of
from topoprior.imaging.phantoms.short_axis_heart import GROUPS, PHASES, Group, Heart, Phase, draw_heart
from topoprior.imaging.phantoms.short_axis_tissue import paint

RIGHT_VENTRICLE, MYOCARDIUM, CAVITY = 1, 2, 3

_OVERSAMPLING = 2
_FIELD = (110.0, 300.0)  # mm
_COARSEST = 3.0  # mm


@dataclass(frozen=True, eq=False)
class ShortAxisPhantoms:
    """Slices made by `short_axis`.

    Attributes:
        images: Shape ``(count, 1, size, size)``, float32, values in [0, 1].
        labels: Shape ``(count, size, size)``, uint8: 0 background, 1 right ventricle, 2 myocardium, 3 cavity.
        spacing: Side of a pixel, in mm.
        groups: For each slice its group.
        phases: For each slice ``"ED"`` or ``"ES"``.
    """

    images: Image
    labels: NDArray[np.uint8]
    spacing: float
    groups: tuple[Group, ...]
    phases: tuple[Phase, ...]

    def __len__(self) -> int:
        return len(self.labels)


def short_axis(
    count: int, *, size: int = 80, spacing: float = 1.8, seed: int = 0, groups: Sequence[Group] = GROUPS
) -> ShortAxisPhantoms:
    """Mid-ventricular short-axis slices of hearts, healthy and diseased, with the labels of the ACDC challenge.

    A left ventricle whose wall is thick or thin, a right ventricle with a thin wall around one side of it, and what
    lies around a heart: fat, lung with vessels, liver, stomach, chest wall. Papillary muscles and trabeculae lie in
    the cavity and are labelled as cavity, as in ACDC. Blood is bright and not even, edges are soft as a thick slice
    makes them; the coil's sensitivity and Rician noise come last. docs/concepts/phantoms.md compares them with
    real slices.

    In every label the myocardium is one component with one loop, and all six priors of
    `topoprior.presets.short_axis_heart` hold, in both constructions.

    Args:
        count: Number of slices, at least 1.
        size: Height and width in pixels.
        spacing: Side of a pixel in mm, at most 3. ``size * spacing`` must be from 110 to 300 mm.
        seed: Of every random choice. Slice ``i`` depends on ``seed``, ``size``, ``spacing``, ``groups`` and ``i`` only.
        groups: The groups of hearts to choose from, with equal chances: ``"normal"``, ``"dilated"``,
            ``"hypertrophic"``, ``"infarcted"``, ``"right ventricle"`` (dilated).

    Raises:
        ValueError: If ``count``, ``size`` or ``spacing`` is out of its range, or a group is none of these.

    Examples:
        >>> phantoms = short_axis(2, seed=1)
        >>> phantoms.images.shape, phantoms.labels.shape
        ((2, 1, 80, 80), (2, 80, 80))
        >>> import topoprior as tp
        >>> tp.betti_numbers(phantoms.labels[:, None] == 2)[:, 0].tolist()
        [[1, 1], [1, 1]]
    """
    _check(count, size, spacing, groups)
    streams = np.random.SeedSequence(seed).spawn(count)
    drawn = [_slice(np.random.default_rng(stream), size, spacing, groups) for stream in streams]
    images, labels, hearts = zip(*drawn, strict=True)
    return ShortAxisPhantoms(
        np.stack(images)[:, None],
        np.stack(labels),
        spacing,
        tuple(heart.group for heart in hearts),
        tuple(heart.phase for heart in hearts),
    )


def _slice(
    random: np.random.Generator, size: int, spacing: float, groups: Sequence[Group]
) -> tuple[Image, NDArray[np.uint8], Heart]:
    labels, heart, place = _labelled(random, size, spacing, groups)
    tissue = paint(random, heart, grid_of(size * _OVERSAMPLING, spacing / _OVERSAMPLING, *place))
    image = acquire(
        random,
        tissue,
        oversampling=_OVERSAMPLING,
        sensitivity=random.uniform(0.05, 0.45),
        noise=np.exp(random.normal(-4.0, 0.4)),
    )
    brightest = np.quantile(image, random.uniform(0.985, 0.999))
    return np.clip(image / brightest, 0.0, 1.0).astype(np.float32), labels, heart


def _labelled(
    random: np.random.Generator, size: int, spacing: float, groups: Sequence[Group]
) -> tuple[NDArray[np.uint8], Heart, tuple[tuple[float, float], float]]:
    """A heart, its label, and where it lies: the offset of its centre in mm and its turn."""
    group, phase = groups[int(random.integers(len(groups)))], PHASES[int(random.integers(len(PHASES)))]
    right, down = np.clip(random.normal(0.0, 2.5, 2), -6.0, 6.0)
    heart = draw_heart(random, group, phase, spacing=spacing, within=min(size * spacing / 2 - 10.0, 54.0))
    place = (right, down), random.normal(0.0, 0.12)
    return _labels(heart, grid_of(size, spacing, *place)), heart, place


def _labels(heart: Heart, grid: Grid) -> NDArray[np.uint8]:
    """The label of the tissue at the centre of each pixel."""
    labels = np.zeros(grid.radius.shape, np.uint8)
    for label, outline in ((RIGHT_VENTRICLE, heart.right), (MYOCARDIUM, heart.epicardium), (CAVITY, heart.endocardium)):
        labels[grid.radius < outline[grid.direction]] = label
    return labels


def _check(count: int, size: int, spacing: float, groups: Sequence[Group]) -> None:
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if not 0.0 < spacing <= _COARSEST:
        raise ValueError(f"spacing must be more than 0 and at most {_COARSEST} mm, got {spacing}")
    if not _FIELD[0] <= size * spacing <= _FIELD[1]:
        raise ValueError(
            f"size * spacing must be from {_FIELD[0]:g} to {_FIELD[1]:g} mm, "
            f"got {size} * {spacing:g} = {size * spacing:g}"
        )
    if isinstance(groups, str) or not groups or not set(groups) <= set(GROUPS):
        raise ValueError(f"groups must be some of {', '.join(GROUPS)}, got {groups!r}")
