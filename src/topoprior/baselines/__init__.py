"""What the prior is compared with: the corrections of masks that people use today, all behind one call."""

from topoprior.baselines.closing import Closing
from topoprior.baselines.components import Components
from topoprior.baselines.crf import DenseCRF
from topoprior.baselines.post_processing import NoPostProcessing, PostProcessing

__all__ = ["Closing", "Components", "DenseCRF", "NoPostProcessing", "PostProcessing"]
