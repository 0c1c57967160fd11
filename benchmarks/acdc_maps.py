"""Outputs of a real network for ``engine.py --maps``: probabilities of the first 100 slices of the test patients.

    python benchmarks/acdc_maps.py --data sax_crops80_training.npz --checkpoint unet.pt --output acdc_maps.npy

Network and patients are those of ``acdc_refinement.py``. The data may not be redistributed, so the maps are made, not
kept.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from acdc_refinement import load, split, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="weights of the U-net: read if there, otherwise written")
    parser.add_argument("--output", type=Path, default=Path("acdc_maps.npy"))
    arguments = parser.parse_args()
    slices = load(arguments.data)
    training, _, test = split(slices.patient)
    network = trained(arguments.checkpoint, slices.of(training))
    with torch.no_grad():
        probabilities = torch.sigmoid(network(slices.of(test).images[:100]))
    np.save(arguments.output, probabilities[:, 0].numpy())


if __name__ == "__main__":
    main()
