"""``topoprior refine`` with a network that ``topoprior train`` made: images go through the preparation it wants."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from topoprior.cli import run
from topoprior.imaging import networks
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe

ADDED = """
import torch

class Added(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(12.0))
        self.shift = torch.nn.Parameter(torch.zeros(1, 1, 12, 10))

    def forward(self, images):
        return self.weight * (images - 0.5) + self.shift

def network(spatial_dims, in_channels, out_channels):
    return Added()
"""


def checkpoint(**options):
    """A network that finds what is bright and knows 12 x 10 pixels only, each of which it can learn to change."""
    preparation = Preparation(**{"slices": 2, "size": (12, 10), "normalisation": "none"} | options)
    networks.save(
        networks.build("added_network:network", {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}),
        "best.safetensors",
        factory="added_network:network",
        metadata=Recipe(preparation=preparation, classes={"wall": (2,)}).as_metadata(),
        overwrite=True,
    )


def ring_and_speck(shape=(15, 9)):
    values = np.zeros((*shape, 2), np.float32)
    values[5:10, 2:7] = 1
    values[7, 4] = 0
    values[3, 1, 1] = 0.55  # a weak speck in the second slice
    return values


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("added_network.py").write_text(ADDED)
    nibabel.save(nibabel.Nifti1Image(ring_and_speck(), np.diag([1.5, 1.5, 8, 1])), "a.nii.gz")
    return tmp_path


COMMAND = ["refine", "a.nii.gz", "--network", "best.safetensors", "-o", "mask.nii.gz"]
RING = ["--prior", "1,1"]
STEPS = ["--slices", "2", "--learning-rate", "0.1", "--activation", "sigmoid"]


def test_images_are_prepared_and_masks_come_back(folder, capsys):
    checkpoint()
    assert run([*COMMAND, *STEPS, *RING, "--probability", "map.nii.gz"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    columns = [rows[0].index(name) for name in ("before", "after", "right")]
    assert [[row[k] for k in columns] for row in rows[1:]] == [["1,1", "1,1", "yes"], ["2,1", "1,1", "yes"]]
    mask = nibabel.load("mask.nii.gz")
    assert mask.shape == (15, 9, 2)
    wanted = ring_and_speck() == 1
    np.testing.assert_array_equal(mask.get_fdata() == 1, wanted)
    np.testing.assert_array_equal(nibabel.load("map.nii.gz").get_fdata() >= 0.5, wanted)


def test_what_is_told_is_the_topology_of_the_file(folder, capsys):
    """With the outside as foreground a bar is a part of it where it touches the frame: of the crop, not of the file."""
    checkpoint()
    values = np.zeros((15, 9, 1), np.float32)
    values[1:6, 3:5] = 1  # the crop begins at row 1
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.5, 8, 1])), "a.nii.gz")
    assert run([*COMMAND, *STEPS, "--prior", "1,0", "--boundary", "foreground"]) == 0
    np.testing.assert_array_equal(nibabel.load("mask.nii.gz").get_fdata(), values)
    assert capsys.readouterr().out.splitlines()[1].split()[:6] == ["a.nii.gz", "0", "1,0", "1,0", "2,0", "no"]


def test_how_images_are_cut_must_be_as_in_training(folder, capsys):
    checkpoint()
    assert run([*COMMAND, *RING]) == 1
    assert "a.nii.gz: the network was trained on slices: give --slices 2" in capsys.readouterr().err
    checkpoint(slices=None, size=None)
    assert run([*COMMAND, *RING, "--slices", "2"]) == 1
    assert "a.nii.gz: the network was trained on whole images: leave out --slices" in capsys.readouterr().err


def test_another_normalisation(folder, capsys):
    values = ring_and_speck()
    values[5:10, 7] = 0.47  # bright for the network, if the deviation is made 1
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.5, 8, 1])), "a.nii.gz")
    checkpoint(normalisation="standard")
    assert run([*COMMAND, *STEPS, *RING, "--normalise", "none"]) == 0
    np.testing.assert_array_equal(nibabel.load("mask.nii.gz").get_fdata() == 1, ring_and_speck() == 1)
