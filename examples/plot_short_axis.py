"""Six priors of a heart
=====================

The right ventricle, the myocardium and the left ventricle of a phantom. Six priors, of the three classes and of their
pairs, say how they lie to each other: the myocardium is a ring, the left ventricle fills it, the right one touches it
from outside. The map is unsure in three places, and there the label map is wrong. Refined, it keeps all six.
"""

import numpy as np
import torch

import topoprior as tp
from topoprior.viewing.class_changes import class_before_after

heart = tp.phantoms.short_axis(1, seed=4)
labels = torch.from_numpy(heart.labels.astype(np.int64))
truth = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).double()
logits = 5 * tp.corrupt.blur(truth, 1.0)

centre = (labels == 3).nonzero().double().mean(0)[1:]
rows, columns = torch.meshgrid(*(torch.arange(80.0) - place for place in centre), indexing="ij")
angle = torch.atan2(rows, columns)
logits[0, 0, (abs(angle - 0.6) < 0.13) & (labels[0] == 2)] += 4.0  # background in the wall: a gap
logits[0, 2, (rows - 4) ** 2 + (columns - 3) ** 2 < 4] += 5.5  # myocardium in the left ventricle
logits[0, 3, (rows - 6) ** 2 + (columns - 27) ** 2 < 4] += 5.5  # left ventricle outside the heart
probability = logits.softmax(1)

priors = tp.presets.short_axis_heart()
result = tp.refine_map(probability, priors)
for name, was, has in zip(priors.names, result.betti_before[0].tolist(), result.betti_after[0].tolist(), strict=True):
    print(f"{name:7} {was} -> {has}")
before, after = probability.argmax(1)[0].numpy(), result.labels[0].numpy()
figure = class_before_after(heart.images[0, 0], before, after, priors)
