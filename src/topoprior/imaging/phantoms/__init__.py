"""Images made by rule, with known topology: they need no download and know nothing of the rest of the package.

Every random choice comes from the seed that is given, so the same call gives the same array on every machine with the
same numpy. The Betti numbers stated hold in both constructions (T: corners connect; V: faces connect).
"""

from topoprior.imaging.phantoms.figure1 import blobs_and_loop, noisy_ring
from topoprior.imaging.phantoms.ring_segmentation import ring_segmentation
from topoprior.imaging.phantoms.short_axis import ShortAxisPhantoms, short_axis
from topoprior.imaging.phantoms.ultrasound import UltrasoundPhantoms, ultrasound
from topoprior.imaging.phantoms.volumes import shell, tube

__all__ = [
    "ShortAxisPhantoms",
    "UltrasoundPhantoms",
    "blobs_and_loop",
    "noisy_ring",
    "ring_segmentation",
    "shell",
    "short_axis",
    "tube",
    "ultrasound",
]
