"""The trainers that nnU-Net finds by name; this folder belongs in the environment variable ``nnUNet_extTrainer``.

nnU-Net imports every file of the folder by itself, outside any package. So there is nothing else in it.
"""

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.training_length import nnUNetTrainer_Xepochs as lengths

from topoprior.integrations.nnunet.training import BettiPriorMixin


class nnUNetTrainerBettiPrior(BettiPriorMixin, nnUNetTrainer):  # type: ignore[misc]  # noqa: N801  # nnU-Net's style
    """nnU-Net's own trainer, 1000 epochs, with the prior of topoprior.json."""


class nnUNetTrainerBettiPrior_5epochs(BettiPriorMixin, lengths.nnUNetTrainer_5epochs):  # type: ignore[misc]  # noqa: N801
    """The same with 5 epochs, to see whether all is well."""


class nnUNetTrainerBettiPrior_50epochs(BettiPriorMixin, lengths.nnUNetTrainer_50epochs):  # type: ignore[misc]  # noqa: N801
    """The same with 50 epochs, to go on from pretrained weights."""


class nnUNetTrainerBettiPrior_250epochs(BettiPriorMixin, lengths.nnUNetTrainer_250epochs):  # type: ignore[misc]  # noqa: N801
    """The same with 250 epochs."""
