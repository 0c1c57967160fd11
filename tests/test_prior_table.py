"""Tables of priors: every row reaches its image, every fault is named with file, line and value."""

import re

import pytest

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors
from topoprior.priors.class_table import write_class_prior_table
from topoprior.priors.slice_table import write_slice_table
from topoprior.priors.table import read_prior_table, write_prior_table


def table_of(tmp_path, text: str | bytes):
    path = tmp_path / "priors.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_prior_table(path)


def test_one_prior_for_each_file(tmp_path):
    table = table_of(tmp_path, 'file,prior\na.nii.gz,"1,1"\nb.png,"1,0-2,*"\n')
    assert table.prior("a.nii.gz") == BettiPrior(1, 1)
    assert table.prior(tmp_path / "deep" / "b.png") == BettiPrior(1, (0, 2), None)
    assert table.prior("a.nii.gz", slice_index=3) == BettiPrior(1, 1)  # no slice column: one prior for all slices


def test_one_prior_for_each_slice(tmp_path):
    table = table_of(tmp_path, "slice,b0,b1\n1,1,0\n0,1,1-\n")
    assert table.prior("any.npy", slice_index=0) == BettiPrior(1, (1, None))
    assert table.prior("other.npy", slice_index=1) == BettiPrior(1, 0)


def test_one_prior_for_each_slice_of_each_file(tmp_path):
    table = table_of(tmp_path, "b1,slice,file,b0\n1,0,a.npy,1\n0,0,b.npy,2\n0,1,b.npy,0\n")
    assert table.prior("a.npy", slice_index=0) == BettiPrior(1, 1)
    assert table.prior("b.npy", slice_index=0) == BettiPrior(2, 0)
    assert table.prior("b.npy", slice_index=1) == BettiPrior(0, 0)


def test_patient_and_frame_name_the_files_of_acdc(tmp_path):
    table = table_of(tmp_path, "patient,frame,slice,b0,b1\npatient001,01,0,1,1\npatient001,12,0,0,0\n")
    assert table.prior("training/patient001/patient001_frame01.nii.gz", slice_index=0) == BettiPrior(1, 1)
    assert table.prior("patient001_frame12.nii.gz", slice_index=0) == BettiPrior(0, 0)
    with pytest.raises(ValueError, match=r"has no row for patient002_frame01.nii.gz, slice 0"):
        table.prior("patient002_frame01.nii.gz", slice_index=0)
    with pytest.raises(ValueError, match=r"line 2: patient and frame must be a name and a number, got 'a' and 'ED'"):
        table_of(tmp_path, "patient,frame,b0,b1\na,ED,1,1\n")
    for header in ("patient,slice,b0,b1", "file,patient,frame,b0,b1", "frame,b0,b1"):
        with pytest.raises(ValueError, match="patient and frame may stand for file"):
            table_of(tmp_path, f"{header}\n1,1,1,1\n")


def test_rows_for_slices_that_are_not_there(tmp_path):
    table = table_of(tmp_path, "slice,b0,b1\n0,1,0\n1,1,0\n7,1,1\n")
    table.check_slices({"long.npy": 8, "short.npy": 2})
    with pytest.raises(ValueError, match=r"priors.csv, line 4: no image has slice 7, the longest has slices 0 to 1$"):
        table.check_slices({"a.npy": 2, "b.npy": 1})
    table = table_of(tmp_path, "file,slice,b0,b1\na.npy,2,1,1\nb.npy,9,1,1\n")
    table.check_slices({"a.npy": 3})  # b.npy is not asked for
    with pytest.raises(ValueError, match=r"priors.csv, line 2: deep/a.npy has no slice 2, only 0 to 1$"):
        table.check_slices({"deep/a.npy": 2, "b.npy": 10})


def test_three_dimensions_and_one(tmp_path):
    assert table_of(tmp_path, "file,b0,b1,b2\na.npy,1,0,*\n").prior("a.npy") == BettiPrior(1, 0, None)
    assert table_of(tmp_path, "file,b0\na.npy,3\n").prior("a.npy") == BettiPrior(3)


def test_what_spreadsheets_add_is_harmless(tmp_path):
    table = table_of(tmp_path, b'\xef\xbb\xbffile, prior\r\n a.npy ,"1,1"\r\n\r\n,\r\n')
    assert table.prior("a.npy") == BettiPrior(1, 1)


def test_files_are_told_apart_by_their_folders(tmp_path):
    table = table_of(tmp_path, 'file,prior\none/map.npy,"1,1"\ntwo/map.npy,"2,0"\n')
    assert table.prior("/data/two/map.npy") == BettiPrior(2, 0)
    with pytest.raises(ValueError, match=r"priors.csv has no row for map.npy"):
        table.prior("map.npy")
    with pytest.raises(ValueError, match=r"no row for one/new-map.npy"):
        table.prior("one/new-map.npy")


def test_two_rows_that_fit_one_file(tmp_path):
    table = table_of(tmp_path, 'file,prior\nmap.npy,"1,1"\ntwo/map.npy,"2,0"\n')
    with pytest.raises(ValueError, match=r"several rows for two/map.npy: lines 2, 3;"):
        table.prior("two/map.npy")


def test_missing_rows(tmp_path):
    table = table_of(tmp_path, 'file,slice,prior\na.npy,0,"1,1"\n')
    with pytest.raises(ValueError, match=r"priors.csv has no row for a.npy, slice 1"):
        table.prior("a.npy", slice_index=1)
    with pytest.raises(ValueError, match=r"priors.csv has a prior for each slice, .* give --slices AXIS"):
        table.prior("a.npy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the columns must be file, slice or both, .* got ''"),
        ("file,priors\n", "line 1: the columns must be .*, got 'file,priors'"),
        ("prior\n1\n", "line 1: the columns must be .*, got 'prior'"),
        ("file,prior,b0\n", "line 1: the columns must be .*, got 'file,prior,b0'"),
        ("file,b0,b2\n", "line 1: the columns must be .*, got 'file,b0,b2'"),
        ("file,file,prior\n", "line 1: the columns must be .*, got 'file,file,prior'"),
        ("file;prior\n", "line 1: the columns must be .*, got 'file;prior'"),
        ("file,prior\n", "has no row with a prior"),
        ("file,prior\na.npy,1,1\n", r"line 2: expected 2 values \(file,prior\), got 3: 'a.npy,1,1' \(.* in quotes\)"),
        ("file,prior\na.npy\n", r"line 2: expected 2 values \(file,prior\), got 1: 'a.npy'"),
        ('file,prior\n\na.npy,"1,x"\n', "line 3: .*'1,x'"),
        ('file,prior\na.npy,"2-1,0"\n', r"line 2: .*\(2, 1\)"),
        ("file,b0,b1\na.npy,1,\n", "line 2: .*'1,'"),
        ('file,prior\n,"1,1"\n', "line 2: the file must be named, got nothing"),
        ("slice,b0\n-1,1\n", "line 2: the slice must be a whole number from 0, got '-1'"),
        ("slice,b0\n1.5,1\n", "line 2: the slice must be a whole number from 0, got '1.5'"),
        ("slice,b0\n0,1\n1,1\n0,2\n", "line 4: a second row for slice 0, the first is line 2"),
        ("file,slice,b0\na,0,1\na,0,1\n", "line 3: a second row for a, slice 0, the first is line 2"),
        (b"file,b0\n\xff\xfe,1\n", "cannot be read as CSV: .*utf-8"),
        ('file,b0\n"a,1\n', "cannot be read as CSV: "),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path / 'priors.csv'))}.*{message}"):
        table_of(tmp_path, text)


def test_no_such_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        read_prior_table(tmp_path / "none.csv")


def test_weights_are_not_lost_in_silence(tmp_path):
    """A table has no place for them."""
    prior, path = BettiPrior(1, 1, weights=(1, 2)), tmp_path / "priors.csv"
    classes = ClassPriors({1: prior}, classes=2)
    with pytest.raises(ValueError, match=r"no place for weights, got BettiPrior\(1, 1, weights=\(1.0, 2.0\)\)"):
        write_prior_table(path, {("a.png", None): prior})
    with pytest.raises(ValueError, match="no place for weights"):
        write_class_prior_table(path, {("a.png", None): classes})
    with pytest.raises(ValueError, match="no place for weights"):
        write_slice_table(path, {("a.png", 0): prior})
    assert not path.exists()
