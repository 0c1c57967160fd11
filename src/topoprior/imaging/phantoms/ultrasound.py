"""Volumes of a placenta, as obstetric ultrasound shows it, with exact labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topoprior.imaging.phantoms.drawing import Image
from topoprior.imaging.phantoms.random_field import random_field
from topoprior.imaging.phantoms.sonography import scan
from topoprior.imaging.phantoms.ultrasound_anatomy import DEPTH, SECTOR, draw_uterus
from topoprior.imaging.phantoms.ultrasound_echo import echo_of

_SMALLEST = (24, 48, 48)
_BEAMS = (160, 240)


@dataclass(frozen=True, eq=False)
class UltrasoundPhantoms:
    """Volumes made by `ultrasound`.

    Attributes:
        images: Shape ``(count, 1, elevation, depth, lateral)``, float32, values in [0, 1].
        labels: Shape ``(count, elevation, depth, lateral)``, uint8: 1 is placenta.
        spacing: Side of a voxel, in mm.
    """

    images: Image
    labels: NDArray[np.uint8]
    spacing: float

    def __len__(self) -> int:
        return len(self.labels)


def ultrasound(
    count: int, *, shape: tuple[int, int, int] = (96, 240, 256), seed: int = 0, sector: bool = True, views: int = 1
) -> UltrasoundPhantoms:
    """Volumes of a placenta in the third trimester: one component without tunnels and cavities.

    The placenta is a curved slab of uneven thickness with a lobed edge, on the front or the back wall of the uterus.
    Before it or behind it lie fluid and a fetus, whose bones cast shadows. Speckle is multiplicative and
    Rayleigh distributed before log compression, with a grain that depends on the depth; tissue attenuates, and some
    beams have poor contact. The volume is 144 mm deep.

    The Betti numbers of every label are (1, 0, 0) in both constructions.

    Args:
        count: Number of volumes, at least 1. Each takes 4 bytes per voxel, 24 MB at the full shape, and its label a
            quarter of that.
        shape: Voxels along elevation, depth and lateral; at least (24, 48, 48).
        seed: Of every random choice. Volume ``i`` depends on ``seed``, ``shape``, ``sector``, ``views`` and ``i`` only.
        sector: Whether what lies beside the beams of a convex transducer is black. The label never reaches there.
        views: So many volumes in a row show one patient: the same uterus and placenta, and so the same label, with
            another fetus before it, other shadows, speckle and gain.

    Raises:
        ValueError: If ``count`` or ``views`` is less than 1 or ``shape`` is not three sides of at least these.

    Examples:
        >>> phantoms = ultrasound(1, shape=(24, 48, 56))
        >>> phantoms.images.shape, phantoms.spacing
        ((1, 1, 24, 48, 56), 3.0)
        >>> import topoprior as tp
        >>> tp.betti_numbers(phantoms.labels[:, None])[0, 0].tolist()
        [1, 0, 0]
    """
    for name, value in (("count", count), ("views", views)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if len(shape) != 3 or any(side < least for side, least in zip(shape, _SMALLEST, strict=True)):
        raise ValueError(f"shape must be three sides of at least {_SMALLEST}, got {tuple(shape)}")
    images, labels = np.empty((count, 1, *shape), np.float32), np.empty((count, *shape), np.uint8)
    patients = np.random.SeedSequence(seed).spawn(-(-count // views))
    for k in range(count):
        patient, view = divmod(k, views)
        anatomy = random = np.random.default_rng(patients[patient])
        if views > 1:
            random = np.random.default_rng([seed, patient, view])
        images[k, 0], labels[k] = _volume(anatomy, random, shape, sector)
    return UltrasoundPhantoms(images, labels, DEPTH / shape[1])


def _volume(
    anatomy: np.random.Generator, random: np.random.Generator, shape: tuple[int, int, int], sector: bool
) -> tuple[Image, NDArray[np.uint8]]:
    uterus = draw_uterus(anatomy, shape, sector=sector)
    placenta = uterus.placenta(shape[1])
    echo = echo_of(random, uterus, placenta)
    poor = 16.0 * np.clip(random_field(random, _BEAMS, 8.0) - random.uniform(0.7, 1.6), 0.0, 1.2)
    image = scan(
        random,
        echo.level,
        echo.absorption,
        spacing=uterus.spacing,
        sector=SECTOR,
        contact=poor + 1.5 * random_field(random, _BEAMS, 3.0),
        dynamic_range=random.uniform(48.0, 60.0),
        gain=random.uniform(-4.0, 4.0),
    )
    if sector:
        for step in range(shape[1]):
            depth = (step + 0.5) * uterus.spacing
            image[np.abs(uterus.elevation) >= SECTOR.reach(0, depth), step] = 0.0
            image[:, step, np.abs(uterus.lateral) >= SECTOR.reach(1, depth)] = 0.0
    return image, placenta.astype(np.uint8)
