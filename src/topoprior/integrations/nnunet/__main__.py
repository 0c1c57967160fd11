"""Prints the folder for nnU-Net's environment variable ``nnUNet_extTrainer``."""

from topoprior.integrations.nnunet import TRAINERS

if __name__ == "__main__":
    print(TRAINERS)
