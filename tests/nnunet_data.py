"""Tiny data sets in nnU-Net's raw form, made of phantoms, and a trainer that is done soon."""

import json

import nibabel
import numpy as np
from PIL import Image

from topoprior import phantoms

# Seeded: with nnUNet_n_proc_DA=0 augmentation draws in the same process, and a training repeats.
TRAINER = """
import random

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from topoprior.integrations.nnunet.training import BettiPriorMixin

class nnUNetTrainerTiny(BettiPriorMixin, nnUNetTrainer):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(0)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = {epochs}, {steps}, 2
"""
PLAIN = {"labels": {"background": 0, "wall": 1, "cavity": 2}}
NESTED = {"labels": {"background": 0, "whole": [1, 2], "core": 2}, "regions_class_order": [1, 2]}
HEART = {"RV": "1,0", "MYO": "1,1", "LV": "1,0", "MYO+LV": "1,0"}
SHELL = {"whole": "1,0,0", "core": "1,0,0"}
# Millimetres; axes turned, one of them backwards, and sides of voxels that differ: a swapped axis shows.
AFFINE = np.array([[0.0, -1.25, 0.0, 40.0], [1.0, 0.0, 0.0, -20.0], [0.0, 0.0, 1.5, 7.0], [0.0, 0.0, 0.0, 1.0]])


def slices(folder, count=8):
    """2-D, PNG, plain labels."""
    made = phantoms.short_axis(count, size=64, spacing=2.2, seed=3)
    _folders(folder)
    for case, (image, label) in enumerate(zip(made.images[:, 0], made.labels, strict=True)):
        Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(folder / "imagesTr" / f"heart_{case}_0000.png")
        Image.fromarray(label).save(folder / "labelsTr" / f"heart_{case}.png")
    labels = {"background": 0, "RV": 1, "MYO": 2, "LV": 3}
    _describe(folder, labels, count, ".png", {"0": "MR"})


def volumes(folder, count=6):
    """3-D, NIfTI with an affine, regions: a shell of value 1 around a core of value 2, sides 20 x 24 x 28."""
    _folders(folder)
    random = np.random.default_rng(0)
    for case in range(count):
        label = np.zeros((20, 24, 28), np.uint8)
        wall = phantoms.shell(size=18)
        place = tuple(slice(start, start + 18) for start in random.integers(0, (3, 7, 11)))
        label[place] = wall
        inside = np.linalg.norm((np.mgrid[:18, :18, :18] - 8.5) / 18, axis=0) < 0.22
        label[place][inside & ~wall] = 2
        for channel in range(2):
            image = np.array([[0, 2, 1], [0, 1, 2]])[channel][label] + random.normal(0, 0.4, label.shape)
            file = nibabel.Nifti1Image(image.astype(np.float32), AFFINE)
            nibabel.save(file, folder / "imagesTr" / f"shell_{case}_000{channel}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), folder / "labelsTr" / f"shell_{case}.nii.gz")
    labels = {"background": 0, "whole": [1, 2], "core": [2]}
    _describe(folder, labels, count, ".nii.gz", {"0": "a", "1": "b"}, regions_class_order=[1, 2])


def _folders(folder):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)


def _describe(folder, labels, count, ending, channels, **more):
    text = {"channel_names": channels, "labels": labels, "numTraining": count, "file_ending": ending, **more}
    (folder / "dataset.json").write_text(json.dumps(text))
