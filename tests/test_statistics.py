import json
import math

import pytest

import topoprior as tp
from topoprior.evaluation.intervals import bootstrap_interval
from topoprior.evaluation.paired_tests import holm, mcnemar, wilcoxon
from topoprior.evaluation.result_table import write_scores
from topoprior.evaluation.statistics import compare

OURS = {"a": (0.9, 1), "b": (0.8, 1), "c": (0.7, 1), "d": (0.6, 0), "e": (0.5, 1), "f": (0.95, 1)}
THEIRS = {"a": (0.8, 0), "b": (0.6, 0), "c": (0.4, 1), "d": (0.2, 0), "e": (0.0, 0), "f": (0.96, 0)}


def table(scores, **more):
    return [more | {"case": c, "class": 1, "dice": d, "topological_success": s} for c, (d, s) in scores.items()]


def test_both_tests_and_their_correction():
    dice, success = compare(table(OURS), table(THEIRS))
    ours, theirs = zip(*((OURS[case], THEIRS[case]) for case in OURS), strict=True)
    assert (dice.column, dice.test, success.column, success.test) == (
        "dice", "Wilcoxon signed rank", "topological_success", "exact McNemar",
    )  # fmt: skip
    assert (dice.statistic, dice.p) == wilcoxon([d for d, _ in ours], [d for d, _ in theirs]) == (1.0, 4 / 64)
    assert (success.statistic, success.p) == mcnemar([s for _, s in ours], [s for _, s in theirs]) == (0.0, 2 / 16)
    assert [dice.p_holm, success.p_holm] == holm([dice.p, success.p]) == [0.125, 0.125]
    assert (dice.first_larger, dice.second_larger) == (5, 1)
    assert (success.first_larger, success.second_larger) == (4, 0)


def test_means_and_the_interval_of_their_difference():
    dice, success = compare(table(OURS), table(THEIRS), resamples=300)
    assert (dice.pairs, dice.missing, dice.infinite) == (6, 0, 0)
    assert (dice.first_mean, dice.second_mean) == pytest.approx((4.45 / 6, 2.96 / 6))
    assert dice.difference == pytest.approx(1.49 / 6)
    expected = bootstrap_interval([0.1, 0.2, 0.3, 0.4, 0.5, -0.01], resamples=300)
    assert (dice.low, dice.high) == pytest.approx(expected)
    assert success.difference == pytest.approx(4 / 6)
    assert math.isnan(dice.first_standard_error)


def test_cases_are_paired_by_name_and_not_by_place():
    shuffled = list(reversed(table(THEIRS)))
    assert compare(table(OURS), shuffled) == compare(table(OURS), table(THEIRS))


def test_two_equal_tables_do_not_differ():
    for result in compare(table(OURS), table(OURS)):
        assert (result.p, result.p_holm, result.difference, result.low, result.high) == (1.0, 1.0, 0.0, 0.0, 0.0)


def test_tables_from_files_give_their_names(tmp_path):
    write_scores(tmp_path / "prior.csv", table(OURS))
    write_scores(tmp_path / "baseline.csv", table(THEIRS))
    [dice, _] = compare(tmp_path / "prior.csv", str(tmp_path / "baseline.csv"))
    assert (dice.first, dice.second) == ("prior", "baseline")
    assert dice.p == compare(table(OURS), table(THEIRS))[0].p
    (tmp_path / "other").mkdir()
    write_scores(tmp_path / "other" / "prior.csv", table(THEIRS))
    [dice, _] = compare(tmp_path / "prior.csv", tmp_path / "other" / "prior.csv")
    assert (dice.first, dice.second) == (str(tmp_path / "prior.csv"), str(tmp_path / "other" / "prior.csv"))
    assert compare(table(OURS), table(THEIRS), names=("x", "y"))[0].second == "y"


def test_classes_are_tested_apart_and_corrected_together():
    ours = table(OURS) + [row | {"class": 2, "dice": row["dice"] / 2} for row in table(OURS)]
    theirs = table(THEIRS) + [row | {"class": 2} for row in table(THEIRS)]
    results = compare(ours, theirs)
    assert [(result.group["class"], result.column) for result in results] == [
        (1, "dice"), (1, "topological_success"), (2, "dice"), (2, "topological_success"),
    ]  # fmt: skip
    assert results[0].p == 4 / 64
    assert results[0].p_holm == 4 * results[0].p
    [pooled] = compare(ours, theirs, columns=["dice"], by=(), pair_by=["case", "class"])
    assert (pooled.group, pooled.pairs) == ({}, 12)
    [averaged] = compare(ours, theirs, columns=["dice"], by=())
    assert averaged.pairs == 6
    assert averaged.first_mean == pytest.approx(0.75 * 4.45 / 6)


def repeats(scores):
    """Three repeats; in repeat r the Dice of all cases is 0.01 r lower, and in the last nothing is right."""
    return [
        row | {"repeat": r, "dice": row["dice"] - 0.01 * r, "topological_success": row["topological_success"] * (r < 2)}
        for r in range(3)
        for row in table(scores)
    ]


def test_repeats_are_averaged_or_are_the_pairs():
    dice, success = compare(repeats(OURS), repeats(THEIRS))
    assert dice.pairs == 6
    assert dice.first_mean == pytest.approx(4.45 / 6 - 0.01)
    assert dice.first_standard_error == pytest.approx(0.01 / math.sqrt(3))
    assert success.test == "Wilcoxon signed rank"  # of shares of repeats
    assert success.first_mean == pytest.approx(5 / 6 * 2 / 3)
    assert success.first_standard_error == pytest.approx(5 / 6 / 3)
    assert success.second_standard_error == pytest.approx(1 / 6 / 3)
    by_repeat, _ = compare(repeats(OURS), repeats(THEIRS), pair_by=["repeat"])
    assert (by_repeat.pairs, by_repeat.p) == (3, 2 / 8)
    assert by_repeat.difference == pytest.approx(1.49 / 6)


def test_slices_of_a_patient_can_be_averaged():
    ours = [row | {"patient": place // 2} for place, row in enumerate(table(OURS))]
    theirs = [row | {"patient": place // 2} for place, row in enumerate(table(THEIRS))]
    dice, success = compare(ours, theirs, pair_by=["patient"])
    assert (dice.pairs, dice.p, success.test) == (3, 2 / 8, "Wilcoxon signed rank")


def test_infinite_distances_count_in_the_test_and_not_in_the_means():
    ours = [{"case": str(i), "hausdorff95": value} for i, value in enumerate([1.0, 2.0, 3.0, 4.0, math.inf])]
    theirs = [{"case": str(i), "hausdorff95": value} for i, value in enumerate([2.0, math.inf, 5.0, 7.0, math.inf])]
    [result] = compare(ours, theirs)
    assert (result.pairs, result.infinite) == (5, 2)
    assert (result.first_mean, result.second_mean, result.difference) == pytest.approx((8 / 3, 14 / 3, -2))
    assert (result.first_larger, result.second_larger) == (0, 4)
    assert result.p == 2 / 16


def test_missing_values_are_counted():
    ours, theirs = table(OURS), table(THEIRS)
    ours[0]["topological_success"] = theirs[0]["topological_success"] = theirs[1]["topological_success"] = None
    _, success = compare(ours, theirs)
    assert (success.pairs, success.missing, success.p) == (4, 2, 2 / 4)


def test_columns_without_values_are_not_compared_unless_asked_for():
    rows = [row | {"topological_success": None} for row in table(OURS)]
    assert [result.column for result in compare(rows, table(THEIRS))] == ["dice"]
    assert [result.column for result in compare(table(OURS), rows)] == ["dice"]
    with pytest.raises(ValueError, match=r"'topological_success' has no value in any pair of {'class': 1}"):
        compare(rows, table(THEIRS), columns=["topological_success"])
    fewer = [{name: row[name] for name in ("case", "class", "dice")} for row in table(THEIRS)]
    assert [result.column for result in compare(table(OURS), fewer)] == ["dice"]


def test_own_columns_are_compared_when_asked_for():
    ours, theirs = (
        [row | {"mse": row["dice"] ** 2, "read": row["topological_success"]} for row in table(s)]
        for s in (OURS, THEIRS)
    )
    mse, read = compare(ours, theirs, columns=["mse", "read"], shares=["read"])
    assert (mse.test, mse.p, read.test, read.p) == ("Wilcoxon signed rank", 4 / 64, "exact McNemar", 2 / 16)


def test_tables_that_do_not_match():
    with pytest.raises(
        ValueError, match=r"must score the same case, class, but ours lacks a, 1; b, 1 and theirs lacks f, 1$"
    ):
        compare(table(OURS)[2:], table(THEIRS)[:5], names=("ours", "theirs"))
    many = table({str(i): (0.5, 1) for i in range(9)})
    with pytest.raises(ValueError, match=r"second lacks 2, 1; 3, 1; 4, 1; 5, 1; 6, 1 and 2 more$"):
        compare(many, many[:2])
    with pytest.raises(ValueError, match="second has two rows for a, 1"):
        compare(table(OURS), table(THEIRS) + table(THEIRS)[:1])
    with pytest.raises(
        ValueError, match=r"both or neither .* got case and class in first, repeat and case and class in second"
    ):
        compare(table(OURS), table(THEIRS, repeat=0))
    with pytest.raises(ValueError, match="must have the column case"):
        compare([{"dice": 1}], [{"dice": 1}])
    for tables in [([], table(OURS)), (table(OURS), [])]:
        with pytest.raises(ValueError, match="at least one row, got none"):
            compare(*tables)


def test_columns_that_do_not_fit():
    with pytest.raises(ValueError, match="there is no column 'dise'"):
        compare(table(OURS), table(THEIRS), columns=["dise"])
    with pytest.raises(ValueError, match="zeros and ones, got 0"):
        compare(table(OURS), table(THEIRS), shares=["dice"])
    with pytest.raises(ValueError, match="zeros and ones, got 0"):
        compare(repeats(OURS), repeats(THEIRS), shares=["dice"])
    with pytest.raises(ValueError, match="there is no column 'site'"):
        compare(table(OURS), table(THEIRS), pair_by=["site"])


def test_a_comparison_as_a_row():
    row = compare(table(OURS), table(THEIRS))[0].as_row()
    assert list(row)[:2] == ["class", "column"]
    assert row["first_standard_error"] is None
    json.dumps(row, allow_nan=False)


def test_the_public_door():
    assert tp.statistics.compare is compare
    assert tp.statistics.holm is holm
