"""The paper's third experiment: the myocardium in short-axis stacks of the heart, refined slice by slice.

A U-net learns the myocardium of the ACDC challenge by binary cross-entropy. For each slice of patients that it has not
seen it is then adapted by equation 5, with the prior of that slice: a ring (1, 1), an open wall (1, 0), or nothing
(0, 0). The paper took these from manual inspection; here they are read from the ground truth, or from a table that a
person has filled in (``topoprior label-priors``).

The challenge's test labels were not public when the paper was written, so it reports Dice alone. They are now: what is
new here is how many slices have the right topology before and after.

- `experiment`: ``run`` and its presets.
- `splits`, `priors`, `phantoms`: the patients: who is unseen by which network, the prior of each slice, and patients
  made where the challenge's are not at hand.
- `training`: a U-net for each split.
- `refinement`, `subject`: an unseen stack in all ways, refined slice by slice and scored as a volume.
- `scores`, `tables`, `figures`, `report`: what is shown of them.
"""

from topoprior.experiments.acdc.experiment import PRESETS, run

__all__ = ["PRESETS", "run"]
