"""The paper's first experiment: digits blurred by lost lines of k-space, cleaned by a U-net, set right by a prior.

MNIST digits lose m rows and m columns of their spectrum. A U-net trained on 100 pairs cleans them. For each of 1000
test digits that network is then adapted to the one image by equation 5, with the prior of the digit: one component, and
none, one or two loops. A classifier trained on other, clean digits reads them before and after.

- `experiment`: ``run``.
- `settings`: presets and recipes: how large, and how.
- `cells`: what is computed one by one: the test digits denoised at one m, and refined towards one prior.
- `bench`, `networks`, `training`: what the cells work with: digits, the denoiser, the classifier.
- `variants`: what prior each digit is *given*, the paper's or that of a control; a choice among the cells.
- `scores`, `paper`: the numbers, and the paper's.
- `tables`, `figures`, `report`: what is shown of them.
"""

from topoprior.experiments.mnist.experiment import run
from topoprior.experiments.mnist.settings import PRESETS, RECIPES

__all__ = ["PRESETS", "RECIPES", "run"]
