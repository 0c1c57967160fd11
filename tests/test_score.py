import math

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.evaluation.score import class_masks, read_scores, score, write_scores

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
        "dice", "betti_error_0", "betti_error_1", "topological_success",
    }  # fmt: skip


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


def test_a_table_comes_back_as_it_was_written(tmp_path):
    rows = [
        {"case": "12", "class": 1, "repeat": 0, "dice": 1 / 3, "hausdorff95": math.inf, "cl_dice": None, "site": "007"},
        {"case": "a,b", "class": "left", "repeat": 1, "dice": 1.0, "hausdorff95": 1e-7, "cl_dice": 0.5, "site": "x"},
    ]
    write_scores(tmp_path / "scores.csv", rows)
    back = read_scores(tmp_path / "scores.csv")
    assert back == rows
    assert [[type(value) for value in row.values()] for row in back] == [
        [type(v) for v in row.values()] for row in rows
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_nan_of_other_programs_is_a_missing_value(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffcase , dice\na,nan\nb, 0.50\n", encoding="utf-8")
    assert read_scores(tmp_path / "a.csv") == [{"case": "a", "dice": None}, {"case": "b", "dice": 0.5}]


def test_a_table_is_not_overwritten_unasked(tmp_path):
    write_scores(tmp_path / "scores.csv", [{"case": "a"}])
    with pytest.raises(FileExistsError, match="exists already"):
        write_scores(tmp_path / "scores.csv", [{"case": "b"}])
    write_scores(tmp_path / "scores.csv", [{"case": "b"}], overwrite=True)
    assert read_scores(tmp_path / "scores.csv") == [{"case": "b"}]


def test_rows_of_different_columns_are_no_table(tmp_path):
    with pytest.raises(ValueError, match="all rows must have the columns case,dice, got case,cl_dice for 'b'"):
        write_scores(tmp_path / "scores.csv", [{"case": "a", "dice": 1}, {"case": "b", "cl_dice": 1}])
    with pytest.raises(ValueError, match="at least one row"):
        write_scores(tmp_path / "scores.csv", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must differ and include case"),
        ("dice\n1\n", "must differ and include case, got 'dice'"),
        ("case,dice,dice\na,1,1\n", "must differ and include case"),
        ("case,dice\n", "has no row"),
        ("case,dice\na,1\nb\n", r"line 3: expected 2 values \(case,dice\), got 1"),
        ('case,dice\n"a,1\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_scores(tmp_path / "a.csv")


def test_no_such_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_scores(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_scores(tmp_path)
