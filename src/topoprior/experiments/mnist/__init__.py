"""The paper's first experiment: digits blurred by lost lines of k-space, cleaned by a U-net, set right by a prior.

MNIST digits lose m rows and m columns of their spectrum. A U-net trained on 100 pairs cleans them. For each of 1000
test digits that network is then adapted to the one image by equation 5, with the prior of the digit: one component, and
none, one or two loops. A classifier trained on other, clean digits reads them before and after.

- `experiment`: ``run``, its presets and its recipes.
- `cells`: what is computed one by one: the test digits denoised at one m, and refined towards one prior.
- `networks`: the denoiser and the classifier, and the files that they are kept in.
- `variants`: what prior each digit is *given*, the paper's or that of a control; a choice among the cells.
- `tables`, `figures`, `report`: what is shown of them.
"""

from topoprior.experiments.mnist.experiment import PRESETS, RECIPES, run

__all__ = ["PRESETS", "RECIPES", "run"]
