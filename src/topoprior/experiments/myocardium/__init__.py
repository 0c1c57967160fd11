"""The paper's second experiment: few labelled heart slices, many unlabelled ones, and the prior of a ring.

Five ways to segment the left ventricle's myocardium on degraded short-axis slices are trained side by side: supervised
learning alone, followed by a morphological closing, followed by a fully connected conditional random field,
pseudo-label bootstrapping, and the prior on the unlabelled images (equation 6). Three more rows tell what else could
explain a gain, and what the prior adds to the strongest of the others: supervised training on as many more images as
the prior sees, the largest component with its holes filled, and pseudo-labels and prior at once.

The paper's images are private (UK Biobank, one slice per subject). Whoever has them gives their folder. Others have
the short-axis phantom, or slices of the ACDC challenge (Bernard et al., IEEE TMI 37(11), 2018).

    topoprior reproduce myocardium --preset quick -o results

- `experiment`: ``run`` and its presets.
- `cells`: what is computed one by one: all methods on one split, number of lines and number of labels.
- `recipes`: how each method is trained.
- `paper`: the numbers that the paper prints.
- `tables`, `figures`, `report`: what is shown of them.

Reference: Clough et al. (2022), IEEE TPAMI 44(12), section 4.2. PMC9721526.
"""

from topoprior.experiments.myocardium.experiment import PRESETS, run

__all__ = ["PRESETS", "run"]
