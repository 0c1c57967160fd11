"""The paper's fourth experiment: volumes, refined with the prior of one solid body, (1, 0, 0).

A 3-D U-net learns a structure by the Dice loss, in a k-fold cross-validation that keeps the volumes of a patient
together. It is then adapted by equation 5, lambda = 0.005, to each volume that it has not seen. The paper's volumes,
ultrasound of the placenta, are private. Here they are phantoms of such volumes, a folder of NIfTI files, or the
hippocampus volumes of the Medical Segmentation Decathlon.

- `experiment`: ``run`` and its presets.
- `volumes`, `phantoms`: the data: found in a folder, or made.
- `training`, `network`: the folds, and a U-net for each.
- `refinement`, `subject`: an unseen volume in all ways, refined and scored on the voxels of its file.
- `tables`, `figures`, `report`: what is shown of them.
"""

from topoprior.experiments.placenta.experiment import PRESETS, run

__all__ = ["PRESETS", "run"]
