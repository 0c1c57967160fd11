import math

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.evaluation.distances import average_surface_distance, hausdorff95
from topoprior.evaluation.score import class_masks, score
from topoprior.evaluation.skeleton import cl_dice

RING = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]])
GAP = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 1]])


def test_one_row_for_each_case_and_class():
    prediction = torch.stack((torch.stack((RING, GAP)), torch.stack((GAP, GAP))))
    target = torch.stack((torch.stack((RING, RING)), torch.stack((RING, GAP))))
    rows = score(prediction, target, tp.BettiPrior(1, 1), cases=["a", "b"], classes=["ring", "arch"])
    assert [(row["case"], row["class"]) for row in rows] == [("a", "ring"), ("a", "arch"), ("b", "ring"), ("b", "arch")]
    assert [row["dice"] for row in rows] == [1.0, 0.875, 0.875, 1.0]
    assert [(row["betti_0"], row["betti_1"]) for row in rows] == [(1, 1), (1, 0), (1, 0), (1, 0)]
    assert [(row["betti_error_0"], row["betti_error_1"]) for row in rows] == [(0, 0), (0, 1), (0, 1), (0, 1)]
    assert [row["topological_success"] for row in rows] == [1, 0, 0, 0]


def test_a_volume_has_three_betti_numbers():
    shell = np.ones((1, 1, 3, 4, 3), dtype=bool)
    shell[0, 0, 1, 1, 1] = False
    [row] = score(shell, shell, tp.BettiPrior(1, 0, 1), cases=["a"])
    assert [row[f"betti_{k}"] for k in range(3)] == [1, 0, 1]
    assert row["class"] == 1
    assert row["topological_success"] == 1


def test_the_settings_of_the_topology_reach_it():
    corner = torch.eye(2)[None, None]
    for construction, success in (("T", 1), ("V", 0)):
        [row] = score(corner, corner, tp.BettiPrior(1, 0), cases=["a"], construction=construction)
        assert row["topological_success"] == success
    [row] = score(torch.zeros(1, 1, 2, 3), None, tp.BettiPrior(1, 0), cases=["a"], boundary="foreground")
    assert (row["betti_0"], row["topological_success"]) == (1, 1)  # the outside


def test_without_target_or_prior_their_columns_are_none():
    [row] = score(RING[None, None], None, cases=["a"])
    assert {name for name, value in row.items() if value is None} == {
        "dice", "hausdorff95", "average_surface_distance", "cl_dice",
        "betti_error_0", "betti_error_1", "topological_success",
    }  # fmt: skip
    assert (row["betti_0"], row["betti_1"]) == (1, 1)


def test_each_column_is_the_metric_of_its_name():
    [row] = score(GAP[None, None], RING[None, None], cases=["a"], spacing=(3.0, 0.5))
    pair = GAP[None, None], RING[None, None]
    assert row["hausdorff95"] == hausdorff95(*pair, spacing=(3.0, 0.5)).item()
    assert row["average_surface_distance"] == average_surface_distance(*pair, spacing=(3.0, 0.5)).item()
    assert row["cl_dice"] == cl_dice(*pair).item()
    assert len({row[name] for name in ("dice", "hausdorff95", "average_surface_distance", "cl_dice")}) == 4
    assert list(row) == [
        "case", "class", "dice", "hausdorff95", "average_surface_distance", "cl_dice",
        "betti_0", "betti_1", "betti_error_0", "betti_error_1", "topological_success",
    ]  # fmt: skip


def test_a_prediction_that_misses_everything_is_infinitely_far():
    target = torch.stack((RING, torch.zeros_like(RING)))[:, None]
    missed, right = score(torch.zeros(2, 1, 3, 4), target, cases=["missed", "right"])
    columns = ("dice", "hausdorff95", "average_surface_distance", "cl_dice")
    assert [missed[name] for name in columns] == [0.0, math.inf, math.inf, 0.0]
    assert [right[name] for name in columns] == [1.0, 0.0, 0.0, 1.0]


def test_measures_may_be_left_out():
    [row] = score(RING[None, None], RING[None, None], cases=["a"], measures=["cl_dice", "dice"])
    assert list(row)[:4] == ["case", "class", "dice", "cl_dice"]
    assert not {"hausdorff95", "average_surface_distance"} & set(row)
    [row] = score(RING[None, None], RING[None, None], cases=["a"], measures=["average_surface_distance"])
    assert list(row)[:4] == ["case", "class", "average_surface_distance", "betti_0"]
    for measures in (["dise"], "dice"):
        with pytest.raises(ValueError, match=r"measures must be some of dice, hausdorff95, .*, got"):
            score(RING[None, None], None, cases=["a"], measures=measures)


def test_masks_of_different_shapes_are_refused_whatever_is_measured():
    with pytest.raises(ValueError, match="same shape"):
        score(RING[None, None], RING.T[None, None], cases=["a"], measures=[])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"cases": ["a"]}, r"cases must be 2 different names for masks of shape \(2, 1, 3, 4\), got \['a'\]"),
        ({"cases": ["a", "a"]}, "cases must be 2 different names"),
        ({"cases": "ab"}, "cases must be 2 different names"),
        ({"cases": ["a", "b"], "classes": [1, 2]}, "classes must be 1 different names"),
    ],
)
def test_names_must_fit(names, message):
    with pytest.raises(ValueError, match=message):
        score(torch.stack((RING, RING))[:, None], None, **names)


def test_masks_of_a_label_map():
    labels = torch.tensor([[[0, 1, 2], [2, 2, 4]]], dtype=torch.uint8)
    masks = class_masks(labels, classes=[2, 4, 9])
    assert masks.int().tolist() == [[[[0, 0, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]]


def test_a_class_beyond_the_type_of_the_labels_is_nowhere():
    labels = np.array([[[0, 1], [44, 255]]], dtype=np.uint8)
    assert not class_masks(labels, classes=[256, 300, -1]).any()


@pytest.mark.parametrize("kind", ["uint16", ">u2", "float32"])
def test_masks_of_label_maps_of_any_type(kind):
    assert class_masks(np.array([[0, 2]], dtype=kind), classes=[1, 2]).tolist() == [[[False, False], [False, True]]]


def test_a_list_is_no_label_map():
    with pytest.raises(TypeError, match="labels must be a torch tensor or a numpy array, got list"):
        class_masks([[0, 1]], classes=[1])
