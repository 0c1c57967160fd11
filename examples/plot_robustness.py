"""How bad may an image be?
==========================

Twenty phantoms under more and more noise, each segmented by a small U-net that was trained without it and refined with
the prior of one component with one loop. This is what ``topoprior robustness`` does without arguments.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

import topoprior as tp
from topoprior.experiments.robustness import LEVELS, UNITS, Corruption, make_phantoms, summarise
from topoprior.viewing.convergence import convergence

prior = tp.BettiPrior(1, 1)
with tempfile.TemporaryDirectory() as folder:
    network = tp.networks.load(make_phantoms(Path(folder), count=20)).network
    names = sorted(path.name for path in (Path(folder) / "images").iterdir())
    images, targets = ([np.load(Path(folder) / kind / name) for name in names] for kind in ("images", "labels"))

noise, trials = Corruption("noise"), []
for level in LEVELS["noise"]:
    for name, image, target in zip(names, images, targets, strict=True):
        noisy = torch.from_numpy(noise(image[None], level, name=name.removesuffix(".npy")))
        result = tp.refine(network, noisy[None], prior, activation="sigmoid")
        row = {"level": level, "steps": result.steps}
        for when, mask in (("before", result.reference >= 0.5), ("after", result.mask)):
            row[f"right_{when}"] = int(tp.metrics.topological_success(mask, prior))
            row[f"dice_{when}"] = tp.metrics.dice(mask, torch.from_numpy(target)[None, None]).item()
        trials.append(row)

for row in summarise(trials):
    print(f"{row['level']:4} right {row['right_before']:.2f} -> {row['right_after']:.2f}, steps {row['steps']}")
figure = convergence(summarise(trials), label=UNITS["noise"])
