import math

import pytest

from topoprior.evaluation.result_table import measure_columns, numbers, read_scores, write_scores


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


def test_numbers_of_a_column():
    rows = [{"case": "a", "dice": 1, "note": "x"}, {"case": "b", "dice": None, "note": None}]
    assert numbers(rows, "dice") == [1.0, None]
    with pytest.raises(ValueError, match="there is no column 'dise', only case, dice, note"):
        numbers(rows, "dise")
    with pytest.raises(ValueError, match="column 'note' must hold numbers, got 'x' for case 'a'"):
        numbers(rows, "note")
    with pytest.raises(ValueError, match="must hold numbers, got nan"):
        numbers([{"case": "a", "dice": math.nan}], "dice")


def test_measures_are_what_can_be_better_or_worse():
    row = {
        "repeat": 0,
        "case": "a",
        "class": 1,
        "dice": 0.5,
        "betti_0": 1,
        "betti_error_0": 0,
        "topological_success": 1,
    }
    assert measure_columns([row, row | {"dice": None}]) == ["dice", "betti_error_0", "topological_success"]
    assert measure_columns([row | {"dice": None}]) == ["betti_error_0", "topological_success"]
