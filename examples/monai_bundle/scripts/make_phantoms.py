"""Write ring phantoms as NIfTI files, for a first run of the bundle: python scripts/make_phantoms.py data."""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np

import topoprior as tp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images, masks = tp.phantoms.ring_segmentation(options.count, size=options.size, seed=options.seed)
    affine = np.diag([1.5, 1.5, 8.0, 1.0])  # mm
    for kind, arrays in (("images", images), ("labels", masks.astype(np.uint8))):
        (options.folder / kind).mkdir(parents=True, exist_ok=True)
        for number, array in enumerate(arrays):
            nib.save(nib.Nifti1Image(array[0], affine), options.folder / kind / f"ring_{number:02d}.nii.gz")


if __name__ == "__main__":
    main()
