import json
import math

import pytest

from topoprior.evaluation.aggregate import summarise
from topoprior.evaluation.intervals import bootstrap_interval, share_interval

ROWS = [
    {"case": "a", "class": 1, "dice": 0.5, "hausdorff95": 1.0, "betti_0": 1, "topological_success": 1},
    {"case": "a", "class": 2, "dice": 0.0, "hausdorff95": math.inf, "betti_0": 0, "topological_success": 0},
    {"case": "b", "class": 1, "dice": 1.0, "hausdorff95": math.inf, "betti_0": 1, "topological_success": None},
    {"case": "b", "class": 2, "dice": 0.0, "hausdorff95": math.inf, "betti_0": 0, "topological_success": 0},
    {"case": "c", "class": 1, "dice": 0.9, "hausdorff95": 2.0, "betti_0": 1, "topological_success": 1},
]


def found(rows=ROWS, **options):
    return {(*summary.group.values(), summary.column): summary for summary in summarise(rows, resamples=200, **options)}


def test_one_summary_for_each_class_and_measure():
    assert list(found()) == [(c, name) for c in (1, 2) for name in ("dice", "hausdorff95", "topological_success")]
    assert list(found(columns=["betti_0"], by=["case"])) == [("a", "betti_0"), ("b", "betti_0"), ("c", "betti_0")]
    assert list(found(by=())) == [("dice",), ("hausdorff95",), ("topological_success",)]


def test_numbers_by_hand():
    dice = found()[1, "dice"]
    assert (dice.values, dice.missing, dice.infinite) == (3, 0, 0)
    assert dice.mean == pytest.approx(0.8)
    assert dice.median == 0.9
    assert dice.standard_deviation == pytest.approx(math.sqrt((0.3**2 + 0.2**2 + 0.1**2) / 2))
    assert (dice.low, dice.high) == bootstrap_interval([0.5, 1.0, 0.9], resamples=200)


def test_infinite_values_are_counted_apart():
    summary = found()[1, "hausdorff95"]
    assert (summary.values, summary.infinite, summary.mean, summary.median) == (3, 1, 1.5, 2.0)
    assert (summary.low, summary.high) == bootstrap_interval([1.0, 2.0], resamples=200)
    nothing = found()[2, "hausdorff95"]
    assert (nothing.values, nothing.infinite, nothing.median) == (2, 2, math.inf)
    assert all(math.isnan(x) for x in (nothing.mean, nothing.low, nothing.high, nothing.standard_deviation))


def test_missing_values_are_counted_and_shares_have_wilsons_interval():
    share = found()[1, "topological_success"]
    assert (share.values, share.missing, share.mean) == (2, 1, 1.0)
    assert (share.low, share.high) == share_interval([1, 1])
    assert found(shares=())[1, "topological_success"].low == 1.0


def test_options_reach_the_intervals():
    rows = [{"case": str(i), "dice": i / 9, "topological_success": i % 2} for i in range(10)]
    narrow, wide = found(rows, confidence=0.5), found(rows, confidence=0.99)
    assert all(wide[key].low < narrow[key].low for key in narrow)
    assert found(rows, seed=1)[("dice",)].low != found(rows)[("dice",)].low


def test_standard_error_over_repeats():
    rows = [
        {"repeat": r, "case": c, "dice": d} for r, c, d in [(0, "a", 0.2), (0, "b", 0.4), (1, "a", 0.8), (1, "b", 1)]
    ]
    [summary] = summarise(rows)
    assert summary.standard_error == pytest.approx(0.3)  # means 0.3 and 0.9: 0.6 / sqrt(2) / sqrt(2)
    assert math.isnan(found()[1, "dice"].standard_error)
    [summary] = summarise(
        [*rows, {"repeat": 1, "case": "c", "dice": math.inf}, {"repeat": 1, "case": "d", "dice": None}]
    )
    assert summary.standard_error == pytest.approx(0.3)


def test_a_summary_as_a_row():
    row = found()[2, "hausdorff95"].as_row()
    assert list(row)[:2] == ["class", "column"]
    assert (row["class"], row["mean"], row["infinite"]) == (2, None, 2)
    json.dumps(found()[1, "dice"].as_row(), allow_nan=False)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "at least one row, got none"),
        ([{"case": "a", "note": "x"}], {}, "no measure with a value among the columns case, note: give columns"),
        (ROWS, {"columns": "dice"}, "columns must be a sequence of names, got 'dice'"),
        (ROWS, {"columns": ["dise"]}, "there is no column 'dise'"),
        (ROWS, {"by": ["site"]}, "there is no column 'site'"),
        (ROWS, {"shares": ["dice"]}, r"a share must be of zeros and ones, got 0\.5"),
    ],
)
def test_what_is_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        summarise(rows, **options)
