"""Tables with a column for each class or union."""

import re

import pytest

from topoprior import BettiPrior, ClassPriors
from topoprior.priors.class_table import read_class_prior_table, write_class_prior_table

CLASSES = ("BG", "RV", "MYO", "LV")


def table_of(tmp_path, text, classes=CLASSES):
    path = tmp_path / "priors.csv"
    path.write_text(text)
    return read_class_prior_table(path, classes)


def test_columns_are_classes_and_empty_cells_say_nothing(tmp_path):
    table = table_of(tmp_path, 'file,slice,RV,LV + MYO,MYO\na.npy,0,"1,0","1,0","1,1"\na.npy,1,,"1,0-2",\n')
    assert table.prior("in/a.npy", slice_index=0) == ClassPriors(
        {"RV": (1, 0), "MYO": (1, 1), ("MYO", "LV"): (1, 0)}, classes=CLASSES
    )
    assert str(table.only("a.npy").prior("a.npy", slice_index=1)) == "MYO+LV 1,0-2"


def test_a_table_for_one_class_serves_one_class(tmp_path):
    table = table_of(tmp_path, "file,b0,b1\na.npy,1,0-1\n", ("BG", "wall"))
    assert table.prior("a.npy")["wall"] == BettiPrior(1, (0, 1))
    with pytest.raises(ValueError, match="there is no class 'b0'"):
        table_of(tmp_path, "file,b0,b1\na.npy,1,0-1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,RV,XY\n", "line 1: each column besides file and slice is a class or union: there is no class 'XY'"),
        ("file,RV+MYO,MYO+RV\n", "line 1: each column .* two priors"),
        ("file,BG+RV+MYO+LV\n", "line 1: .*a union of all classes is the whole image"),
        ("RV,LV\n", "line 1: the columns must be file, slice or both, .* one column for each class"),
        ('file,RV\na.npy,"1,x"\n', "line 2, column RV: .*'1,x'"),
        ("file,RV\na.npy,\n", "line 2: priors must have at least one entry"),
        ('file,RV,LV\na.npy,"1,0","1,0,0"\n', r"line 2: all priors must have the same number of Betti numbers"),
        ('file,RV\na.npy,"*,*"\n', "line 2: the prior of .* asks for nothing"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path / 'priors.csv'))}, {message}"):
        table_of(tmp_path, text)


def test_what_is_written_can_be_read(tmp_path):
    path = tmp_path / "priors.csv"
    rows = {
        ("a.npy", 0): ClassPriors({1: (1, 0), (1, 2): (1, (1, None))}, classes=CLASSES),
        ("a.npy", 1): ClassPriors({2: (0, 0)}, classes=CLASSES),
    }
    write_class_prior_table(path, rows)
    assert path.read_text() == 'file,slice,RV,RV+MYO,MYO\na.npy,0,"1,0","1,1-",\na.npy,1,,,"0,0"\n'
    table = read_class_prior_table(path, CLASSES)
    assert {key: prior for key, (_, prior) in table.rows.items()} == rows
    with pytest.raises(FileExistsError):
        write_class_prior_table(path, rows)
