"""A network on files: what it says of the prepared pixels comes back to the right pixels of the file."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from topoprior.baselines.closing import Closing
from topoprior.baselines.components import Components
from topoprior.imaging.image import Image
from topoprior.imaging.networks import LoadedNetwork
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe, recipe_of
from topoprior.imaging.segmenter import Segmenter
from topoprior.priors.betti_prior import BettiPrior


class Bright(torch.nn.Module):
    """Class k, from 1, is where the image has about the value k; counts how many images it sees at once."""

    def __init__(self, classes=1):
        super().__init__()
        self.classes, self.batches = classes, []

    def forward(self, images):
        self.batches.append(len(images))
        values = images.mean(1, keepdim=True)
        if self.classes == 1:
            return 20 * (values - 0.5)
        return -20 * (values - torch.arange(self.classes + 1.0).view(-1, *[1] * (images.ndim - 2))).abs()


def image(values, spacing=None):
    values = np.asarray(values, np.float32)
    header = None
    if spacing is not None:
        header = nibabel.Nifti1Header()
        header.set_data_shape(values.shape)
        header.set_zooms(spacing)
    return Image(values, Path("scan.npy"), shape=values.shape, header=header)


def segmenter(classes, *, network=None, post_processing=None, channels=1, **preparation):
    recipe = Recipe(preparation=Preparation(normalisation="none", **preparation), classes=classes, channels=channels)
    activation = "sigmoid" if len(classes) == 1 else "softmax"
    return Segmenter(LoadedNetwork(network or Bright(len(classes)), activation), recipe, post_processing)


def blocks(shape=(11, 14)):
    values = np.zeros(shape)
    values[3:8, 4:10] = 1
    return values


def test_one_class_with_its_value_in_the_labels():
    made = segmenter({"x": (7, 9)})([image(blocks())])
    assert made.labels.dtype == np.uint8
    np.testing.assert_array_equal(made.labels, 7 * blocks())
    assert made.probabilities.shape == (1, 11, 14)
    assert made.probabilities.max() > 0.99


def test_several_classes_are_told_apart():
    values = blocks()
    values[5, 6:9] = 2
    made = segmenter({"a": (4,), "b": (2, 3)})([image(values)])
    np.testing.assert_array_equal(made.labels, np.choose(values.astype(int), [0, 4, 2]))
    assert made.probabilities.shape == (2, 11, 14)
    assert made.probabilities[1, 5, 7] > 0.99


@pytest.mark.parametrize("size", [(8, 9), (15, 17), (8, 17)])
@pytest.mark.parametrize("classes", [{"a": (1,)}, {"a": (1,), "b": (2,)}])
def test_cropped_and_padded_images_come_back(size, classes):
    made = segmenter(classes, size=size)([image(blocks())])
    np.testing.assert_array_equal(made.labels, blocks())


@pytest.mark.parametrize("classes", [{"a": (1,)}, {"a": (1,), "b": (2,)}])
def test_resampled_images_come_back(classes):
    values = np.kron(blocks((9, 12)), np.ones((4, 4)))
    made = segmenter(classes, spacing=(1.0, 1.2))([image(values, spacing=(0.7, 0.8))])
    assert (made.labels != values).mean() < 0.02


def test_slices_in_batches_and_a_volume_at_once():
    stack = np.stack([blocks()] * 19 + [0 * blocks()], axis=2)
    network = Bright()
    made = segmenter({"a": (1,)}, network=network, slices=2)([image(stack)])
    assert network.batches == [8, 8, 4]
    np.testing.assert_array_equal(made.labels, stack)
    network = Bright()
    np.testing.assert_array_equal(segmenter({"a": (1,)}, network=network)([image(stack)]).labels, stack)
    assert network.batches == [1]


def test_all_channels_reach_the_network():
    made = segmenter({"a": (1,)}, channels=2)([image(0 * blocks()), image(2 * blocks())])
    np.testing.assert_array_equal(made.labels, blocks())
    with pytest.raises(ValueError, match=r"scan.npy: the network wants 2 channels, got 1"):
        segmenter({"a": (1,)}, channels=2)([image(blocks())])


def test_post_processing_acts_on_the_grid_of_the_network():
    values = blocks()
    values[5, 6] = 0  # a hole of one pixel
    values[1, 1] = 1  # and a speck
    closed = segmenter({"a": (3,)}, post_processing=Closing(radius=1), size=(15, 14))([image(values)])
    assert closed.labels[5, 6] == 3
    one = segmenter({"a": (3,)}, post_processing=Components(), slices=0)
    stack = image(np.stack([values, values]))
    made = one([stack], priors=[BettiPrior(1, 1), BettiPrior(2, 0)]).labels
    assert [made[0, 5, 6], made[0, 1, 1], made[1, 5, 6], made[1, 1, 1]] == [0, 0, 3, 3]
    with pytest.raises(ValueError, match="prior"):
        one([stack])
    with pytest.raises(ValueError, match="post-processing closing acts on one class, got 2 classes"):
        segmenter({"a": (1,), "b": (2,)}, post_processing=Closing())


def test_networks_that_do_not_fit():
    with pytest.raises(ValueError, match=r"scan.npy: the network fails on an image of shape \(1, 11, 14\)"):
        segmenter({"a": (1,)}, network=torch.nn.Conv2d(3, 1, 1))([image(blocks())])
    with pytest.raises(ValueError, match=r"must give outputs of shape \(1, 1, 11, 14\), got \(1, 1, 9, 12\)"):
        segmenter({"a": (1,)}, network=torch.nn.Conv2d(1, 1, 3))([image(blocks())])


def test_recipes_that_cannot_be_read():
    path = Path("best.safetensors")
    with pytest.raises(ValueError, match=r"best.safetensors does not say how images are prepared"):
        recipe_of(LoadedNetwork(torch.nn.Identity()), path)
    broken = Recipe(preparation=Preparation(), classes={"a": (1,)}).as_metadata()
    broken["recipe"]["classes"] = {"a": [0]}
    with pytest.raises(
        ValueError, match=r"best.safetensors: its recipe, how to use it on files, cannot be read: classes"
    ):
        recipe_of(LoadedNetwork(torch.nn.Identity(), metadata=broken), path)
