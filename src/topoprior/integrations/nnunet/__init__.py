"""At home in nnU-Net v2: a trainer with the prior, and refinement of its predictions and its networks.

    export nnUNet_extTrainer="$(python -m topoprior.integrations.nnunet)"
    nnUNetv2_train 1 2d 0 -tr nnUNetTrainerBettiPrior

docs/how-to/nnunet.md shows all of it at work. Only the trainer and `Model` need nnU-Net itself:
``pip install 'topoprior[nnunet]'``.
"""

from pathlib import Path

TRAINERS = Path(__file__).parent / "trainers"
"""The folder for nnU-Net's environment variable ``nnUNet_extTrainer``."""
