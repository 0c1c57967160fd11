import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

import topoprior as tp
from strategies import boundaries, constructions, shapes
from topoprior import BettiPrior, ClassPriors, class_topology
from topoprior.priors.unions import union_masks

ENTRIES = {1: (1, 0), 0: (1, 1), (1, 2): (2, (0, 1)), (3, 0): (None, 1), (0, 1, 2): (1, 0)}


@given(data=st.data(), construction=constructions, boundary=boundaries)
@settings(deadline=None, max_examples=25)
def test_as_one_mask_after_the_other(data, construction, boundary):
    shape = data.draw(shapes((2,)))
    labels = data.draw(arrays(np.int64, (2, *shape), elements=st.integers(0, 3)))
    priors = ClassPriors(ENTRIES, classes=4)
    found = class_topology(labels[:, None, ::-1], priors, construction=construction, boundary=boundary)
    for image in range(2):
        for row, (union, prior) in enumerate(zip(priors.unions, priors.priors, strict=True)):
            mask = sum(labels[image, ::-1] == k for k in union)[None, None] > 0
            betti = tp.betti_numbers(mask, construction=construction, boundary=boundary)
            assert torch.equal(found.betti[image, row], betti[0, 0])
            assert found.holds[image, row] == prior.is_satisfied_by(betti)[0, 0]
            assert torch.equal(found.error[image, row], tp.metrics.distance_to_prior(betti, prior)[0, 0])
        assert found.success[image] == found.holds[image].all()


def test_probabilities_become_the_most_probable_class_the_first_of_several():
    probability = torch.tensor([[[[0.4, 0.5, 0.2]], [[0.3, 0.5, 0.3]], [[0.3, 0.0, 0.5]]]])
    priors = ClassPriors({0: (1, 0), 1: (0, 0), 2: (1, 0)}, classes=3)
    found = class_topology(probability, priors)
    assert found.betti.tolist() == [[[1, 0], [0, 0], [1, 0]]]
    assert found.success.tolist() == [True]
    assert class_topology(probability.numpy(), priors).names == ("0", "1", "2")


def test_a_heart_by_hand():
    labels = torch.zeros(2, 7, 9, dtype=torch.uint8)
    labels[:, 1:6, 4:9] = 2
    labels[:, 2:5, 5:8] = 3
    labels[:, 2:4, 1:4] = 1
    labels[1, 2, 3] = 0  # RV touches the ring in one pixel less
    labels[1, 3, 3] = 0  # and now in none
    found = class_topology(labels, tp.presets.short_axis_heart())
    assert found.names == ("RV", "MYO", "LV", "RV+MYO", "RV+LV", "MYO+LV")
    assert found.betti[0].tolist() == [[1, 0], [1, 1], [1, 0], [1, 1], [2, 0], [1, 0]]
    assert found.betti[1, 3].tolist() == [2, 1]
    assert found.success.tolist() == [True, False]
    assert found.error[1].sum(-1).tolist() == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("segmentation", "error", "message"),
    [
        (torch.tensor([[[0, 4]]]), ValueError, "labels must be from 0 to 3, one for each of 0, 1, 2, 3, got 0 to 4"),
        (torch.tensor([[[-1, 1]]]), ValueError, "got -1 to 1"),
        (torch.zeros(1, 2, 3, 4, dtype=torch.long), ValueError, r"labels must have shape \(batch, \*spatial\) or"),
        (torch.zeros(3, 4, dtype=torch.long), ValueError, "segmentation must have shape"),
        (torch.zeros(1, 0, 4, dtype=torch.long), ValueError, "segmentation must not be empty"),
        (torch.zeros(1, 3, 4), ValueError, "one channel for each of the 4 classes 0, 1, 2, 3, got 1 channels"),
        ([[[0, 1]]], TypeError, "segmentation must be a torch tensor or a numpy array, got list"),
        (torch.full((1, 4, 3, 3), 0.5), ValueError, "the channels of segmentation must be a softmax"),
        (torch.zeros(1, 3, 4, dtype=torch.complex64), TypeError, "whole numbers or probabilities"),
    ],
)
def test_what_is_refused(segmentation, error, message):
    with pytest.raises(error, match=message):
        class_topology(segmentation, ClassPriors(ENTRIES, classes=4))


def test_other_priors_are_refused():
    with pytest.raises(TypeError, match="priors must be ClassPriors, got BettiPrior"):
        class_topology(torch.zeros(1, 3, 4, dtype=torch.long), BettiPrior(1, 1))


@pytest.mark.parametrize("kind", ["uint8", "uint16", ">u2", "uint32", "uint64", "int16"])
def test_labels_of_any_type_of_whole_numbers(kind):
    labels = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]], dtype=kind)
    assert class_topology(labels, ClassPriors({1: (1, 1)}, classes=2)).betti.tolist() == [[[1, 1]]]
    with pytest.raises(ValueError, match="labels must be from 0 to 1, one for each of 0, 1, got 1 to 9"):
        class_topology(labels + np.array(labels == 0, dtype=kind) * 9, ClassPriors({1: (1, 1)}, classes=2))


def test_more_classes_than_a_byte_has_values():
    labels = torch.zeros(1, 2, 3, dtype=torch.uint8)
    assert union_masks(labels, [(256,), (0, 256)], 257).flatten(2).any(2).tolist() == [[False, True]]
