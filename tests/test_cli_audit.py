"""``topoprior audit``: counts, proposals, breakers and the report of small label folders, and what it refuses."""

import csv
import io
import json

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior import BettiPrior, ClassPriors  # noqa: F401  # of the code that is printed
from topoprior.cli import run
from topoprior.priors.table import read_prior_table

RING = np.zeros((9, 8), np.uint8)
RING[1:6, 1:6] = 1
RING[2:5, 2:5] = 2  # a filled ring
BROKEN = RING.copy()
BROKEN[1, 3] = 0
SPECK = RING.copy()
SPECK[7, 6] = 1  # touches nothing in T or V
CORNER = RING.copy()
CORNER[6, 6] = 1  # touches the ring at a corner: one component in T, two in V
ALONE = np.where(RING == 2, 2, 0).astype(np.uint8)


@pytest.fixture
def labels(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(16):
        np.save(folder / f"a{number:02}.npy", RING)
    for name, label in (("broken", BROKEN), ("speck", SPECK), ("corner", CORNER), ("alone", ALONE)):
        np.save(folder / f"{name}.npy", label)
    return folder


def document(capsys, *arguments, status=0):
    assert run(["audit", *map(str, arguments), "--json"]) == status
    return json.loads(capsys.readouterr().out)


def counts(found, name, construction="T", boundary="background"):
    rows = found["histograms"]
    return {
        tuple(row[f"b{k}"] for k in range(3) if f"b{k}" in row): row["count"]
        for row in rows
        if (row["class"], row["construction"], row["boundary"]) == (name, construction, boundary)
    }


def test_histograms_under_every_convention(labels, capsys):
    found = document(capsys, labels)
    assert found["classes"] == ["BG", "1", "2"]
    assert counts(found, "1") == {(1, 1): 17, (1, 0): 1, (2, 1): 1}
    assert counts(found, "1", "V") == {(1, 1): 16, (1, 0): 1, (2, 1): 2}
    assert counts(found, "1", boundary="foreground") == {(2, 1): 17, (2, 0): 1, (3, 1): 1}
    assert counts(found, "2") == {(1, 0): 20}
    assert counts(found, "1+2") == {(1, 0): 18, (2, 0): 1}
    assert {row["cases"] for row in found["histograms"] if row["class"] == "1"} == {19}  # one label lacks it


def test_proposals_and_breakers(labels, capsys):
    found = document(capsys, labels, "--coverage", "0.85")
    assert found["proposed"] == {"1": "1,1", "2": "1,0", "1+2": "1,0"}
    told = {(row["source"], row["class"]): row for row in found["priors"]}
    assert told["proposed", "1"] == {
        "source": "proposed",
        "class": "1",
        "prior": "1,1",
        "cases": 19,
        "T_background": 17,
        "T_foreground": 17,
        "V_background": 16,
        "V_foreground": 16,
        "interval": pytest.approx([0.6861, 0.9706], abs=1e-4),  # Wilson's of 17 in 19
    }
    assert (told["proposed", "all"]["cases"], told["proposed", "all"]["T_background"]) == (20, 18)
    assert [(each["case"].rpartition("/")[2], [b["class"] for b in each["broken"]]) for each in found["breakers"]] == [
        ("speck.npy", ["1", "1+2"]),
        ("broken.npy", ["1"]),
    ]
    assert document(capsys, labels, "--coverage", "1")["proposed"]["1"] == "1-2,0-1"
    foreground = document(capsys, labels, "--coverage", "0.85", "--boundary", "foreground", "--construction", "V")
    assert foreground["proposed"] == {"1": "2-3,1", "2": "2,0", "1+2": "2,0"}
    assert {row["V_background"] for row in foreground["priors"]} == {
        row["V_foreground"] for row in foreground["priors"]
    }


def test_given_priors(labels, capsys):
    found = document(capsys, labels, "--prior", "1=1,0-1", "1+2=1,0")
    told = {row["class"]: row["T_background"] for row in found["priors"] if row["source"] == "given"}
    assert told == {"1": 18, "1+2": 18, "all": 18}
    assert found["judged"] == "given"
    assert [each["case"].rpartition("/")[2] for each in found["breakers"]] == ["speck.npy"]
    mixed = document(capsys, labels, "--prior", "1,0", "1=1,1")  # what is said of one class goes first
    assert {row["class"]: row["prior"] for row in mixed["priors"] if row["source"] == "given"}["1"] == "1,1"
    for_all = document(capsys, labels, "--prior", "1,0")
    assert [row["class"] for row in for_all["priors"] if row["source"] == "given"] == ["1", "2", "all"]


def test_priors_from_a_table_judge_absent_classes_too(labels, tmp_path, capsys):
    table = tmp_path / "priors.csv"
    names = [path.name for path in labels.iterdir()]
    rows = [f'{name},"{"0,0" if name == "alone.npy" else "1,1"}"' for name in names]
    table.write_text("file,prior\n" + "\n".join(rows))
    found = document(capsys, labels, "--classes", "ring=1", "--priors", table)
    [given] = [row for row in found["priors"] if row["source"] == "given"]
    assert (given["cases"], given["T_background"], given["V_foreground"]) == (20, 18, 17)
    assert [each["case"].rpartition("/")[2] for each in found["breakers"]] == ["broken.npy", "speck.npy"]


def test_a_table_of_several_classes_comes_out_and_goes_in(labels, tmp_path, capsys):
    table = tmp_path / "priors.csv"
    assert run(["audit", str(labels), "--classes", "MYO=1", "LV=2", "-o", str(table)]) == 0
    capsys.readouterr()
    lines = table.read_text().splitlines()
    assert lines[0] == "file,MYO,LV,MYO+LV"
    assert 'alone.npy,"0,0","1,0","1,0"' in lines
    assert 'speck.npy,"2,1","1,0","2,0"' in lines
    for classes in (("MYO=1", "LV=2"), ("LV=2", "MYO=1")):
        found = document(capsys, labels, "--classes", *classes, "--priors", table)
        [given] = [row for row in found["priors"] if row["source"] == "given"]
        assert (given["cases"], given["T_background"]) == (20, 20)
        assert found["breakers"] == []
    table.write_text(table.read_text().replace('speck.npy,"2,1"', 'speck.npy,"1,1"'))
    found = document(capsys, labels, "--classes", "MYO=1", "LV=2", "--priors", table)
    assert [each["case"].rpartition("/")[2] for each in found["breakers"]] == ["speck.npy"]
    assert run(["audit", str(labels), "--classes", "MYO=1", "RV=2", "--priors", str(table)]) == 1
    assert "priors.csv, line 1: each column besides file and slice is a class or union: there is no class 'LV'" in (
        capsys.readouterr().err
    )


def test_the_printed_tables(labels, capsys):
    assert run(["audit", str(labels), "--classes", "MYO=1", "LV=2", "--coverage", "0.85", "--prior", "MYO=1,0"]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert lines[1] == ["MYO", "background", "1,1", "17", "89.5", "16", "84.2"]
    assert ["proposed", "MYO", "1,1", "19", "89.5", "84.2", "68.6", "to", "97.1"] in lines
    assert ["proposed", "all", "together", "20", "90.0", "85.0", "69.9", "to", "97.2"] in lines
    assert ["given", "MYO", "1,0", "19", "5.3", "5.3", "0.9", "to", "24.6"] in lines
    assert "  --prior MYO=1,1 LV=1,0 MYO+LV=1,0\n" in printed
    assert (
        '  ClassPriors({"MYO": (1, 1), "LV": (1, 0), ("MYO", "LV"): (1, 0)}, classes=("BG", "MYO", "LV"))\n' in printed
    )
    code = next(line for line in printed.splitlines() if "ClassPriors(" in line).strip()
    assert str(eval(code)) == "MYO 1,1; LV 1,0; MYO+LV 1,0"
    assert "  so LV fills every loop of MYO\n" in printed
    assert "18 of 20 labels break the given priors:" in printed
    assert "\n20 labels, 1 without MYO\nNothing is at the frame" in printed


def test_what_is_printed_can_be_used(labels, tmp_path, capsys):
    """One class: the argument of refine, and Python."""
    assert run(["audit", str(labels), "--classes", "1", "--coverage", "0.9"]) == 0
    printed = capsys.readouterr().out
    argument = next(line for line in printed.splitlines() if line.startswith("  --prior"))
    code = printed.splitlines()[printed.splitlines().index(argument) + 1].strip()
    assert eval(code) == BettiPrior.parse(argument.split()[1]) == BettiPrior(1, (0, 1))


def test_the_frame_matters(tmp_path, capsys):
    np.save(tmp_path / "cut.npy", RING[:, 3:])  # the ring is open at the frame
    assert run(["audit", str(tmp_path), "--classes", "1", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["boundary"], row["b0"], row["b1"]) for row in rows if row["construction"] == "T"] == [
        ("background", "1", "0"),
        ("foreground", "1", "1"),
    ]
    assert run(["audit", str(tmp_path), "--classes", "1"]) == 0
    printed = capsys.readouterr().out
    assert "at the frame" not in printed
    assert ["1", "foreground", "1,1", "1", "100.0", "1", "100.0"] in [line.split() for line in printed.splitlines()]


def test_volumes_have_triples_and_slices_pairs(tmp_path, capsys):
    volume = np.zeros((4, 5, 6), np.int16)
    volume[1, 1:4, 1], volume[1, 1:4, 2], volume[1, 1:4, 3] = 1, 4, 7
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii.gz")
    assert list(document(capsys, tmp_path)["proposed"]) == ["1", "4", "7", "1+4", "1+7", "4+7", "1+4+7"]
    sliced = document(capsys, tmp_path, "--slices", "0")
    assert list(sliced["proposed"]) == ["1", "4", "7", "1+4", "1+7", "4+7"]
    assert sliced["cases"] == 4
    assert {row["cases"] for row in sliced["histograms"]} == {1}
    assert list(document(capsys, tmp_path, "--unions", "1")["proposed"]) == ["1", "4", "7"]


def test_names_from_nnu_nets_description(labels, capsys):
    (labels.parent / "dataset.json").write_text('{"labels": {"background": 0, "wall": 1, "pool": 2}}')
    assert document(capsys, labels)["classes"] == ["BG", "wall", "pool"]


def test_gray_values_are_cut(tmp_path, capsys):
    Pillow.fromarray((np.where(RING == 1, 200, 90) + np.arange(8)).astype(np.uint8)).save(tmp_path / "a.png")
    found = document(capsys, tmp_path / "a.png", "--threshold", "0.5")
    assert (found["classes"], counts(found, "foreground")) == (["BG", "foreground"], {(1, 1): 1})


def test_tables_of_priors_hold_the_numbers_of_each_file_or_slice(labels, tmp_path, capsys):
    assert run(["audit", str(labels), "-o", str(tmp_path / "priors")]) == 0
    assert sorted(path.name for path in (tmp_path / "priors").iterdir()) == ["1+2.csv", "1.csv", "2.csv"]
    table = read_prior_table(tmp_path / "priors" / "1.csv")
    wanted = {"a00": (1, 1), "broken": (1, 0), "speck": (2, 1), "alone": (0, 0)}
    assert {name: table.prior(f"x/{name}.npy") for name in wanted} == {n: BettiPrior(*b) for n, b in wanted.items()}
    assert run(["audit", str(labels), "-o", str(tmp_path / "priors")]) == 1  # not over what is there
    np.save(tmp_path / "stack.npy", np.stack([RING, ALONE]))
    one = tmp_path / "one.csv"
    assert run(["audit", str(tmp_path / "stack.npy"), "--slices", "0", "--classes", "1", "-o", str(one)]) == 0
    assert one.read_text() == 'file,slice,prior\nstack.npy,0,"1,1"\nstack.npy,1,"0,0"\n'


def test_a_bad_file_is_told_last_and_the_journal_remembers_the_others(labels, tmp_path, capsys):
    (labels / "bad.npy").write_text("no array")
    np.save(labels / "flat.npy", np.ones(5, np.uint8))
    journal = tmp_path / "audit.jsonl"
    arguments = ["audit", str(labels), "--classes", "1", "2", "--journal", str(journal), "--json"]
    assert run(arguments) == 1
    first = capsys.readouterr()
    found = json.loads(first.out)
    assert [each["file"].rpartition("/")[2] for each in found["failures"]] == ["bad.npy", "flat.npy"]
    assert found["cases"] == 20
    assert "error: 2 of 22 files failed" in first.err
    assert "it has 1 axes where" in first.err
    lines = journal.read_text().splitlines()
    np.save(labels / "bad.npy", RING)
    (labels / "flat.npy").unlink()
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 21
    added = journal.read_text().splitlines()[len(lines) :]
    assert sum('"bad.npy' in line or "/bad.npy" in line for line in added) == len(added)  # nothing else was done again


def test_the_report(labels, tmp_path, capsys):
    (labels / "bad.npy").write_text("no array")
    images = tmp_path / "images"
    images.mkdir()
    for path in labels.iterdir():
        np.save(images / path.name, np.random.default_rng(0).random(RING.shape))
    report = tmp_path / "report.html"
    options = ["--classes", "MY<O=1", "LV=2", "--coverage", "0.85", "--worst", "1", "--images", str(images)]
    assert run(["audit", str(labels), *options, "--report", str(report)]) == 1
    page = report.read_text()
    assert "MY&lt;O: 2 components instead of 1" in page
    assert "MY<O" not in page
    assert "bad.npy cannot be read as NPY" in page
    assert page.count('<article class="pictured"') == 1
    assert page.count("data:image/webp") == 1
    assert "No picture" not in page
    assert "2 of 20 images break the proposed prior. The 1 worst" in page
    assert page.index("speck.npy</h3>") < page.index("broken.npy</td>")
    np.save(images / "speck.npy", np.zeros((3, 3)))
    assert run(["audit", str(labels), *options, "--report", str(report), "--overwrite"]) == 1
    assert "must have the shape (9, 8) of its label, got (3, 3)" in report.read_text()


def test_the_picture_is_that_of_the_slice(tmp_path, monkeypatch):
    np.save(tmp_path / "stack.npy", np.stack([RING, RING, SPECK], axis=1))
    drawn = []
    monkeypatch.setattr("topoprior.cli.audit.pictures.broken_label", lambda labels, *_, **__: drawn.append(labels))
    options = ["--slices", "1", "--classes", "LV=2", "MYO=1", "--prior", "MYO=1,1", "--report"]
    with pytest.raises(AttributeError):  # None is no figure
        run(["audit", str(tmp_path / "stack.npy"), *options, str(tmp_path / "a.html")])
    np.testing.assert_array_equal(drawn, [np.choose(SPECK, [0, 2, 1])])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", "LV=2", "RV=5"], r"the class 'RV' \(label 5\) occurs nowhere in the 20 labels: there are 1, 2"),
        (["--classes", "LV"], "--classes must be a label or NAME=LABEL, such as MYO=2, got 'LV'"),
        (["--classes", "A=1", "A=2"], "--classes must have different names"),
        (["--classes", "A+B=1"], r"must be without \+"),
        (["--classes", "1", "--threshold", "0.5"], "one of the two"),
        (["--prior", "3=1,0"], "there is no class '3' among BG, 1, 2"),
        (["--prior", "1=1,0", "1=1,1"], "--prior must be given once for each class"),
        (["--prior", "1=1,0,0"], "--prior 1=1,0,0: a prior for an image with 2 axes has 2 Betti numbers"),
        (["--prior", "1=0,1"], "--prior 1=0,1: no image has no component but a loop"),
        (["--prior", "1,1", "--priors", "x.csv"], "--prior or --priors, one of the two"),
        (["--coverage", "95"], "coverage must be greater than 0 and at most 1, got 95"),
        (["--unions", "0"], "--unions must be at least 1, got 0"),
        (["--report", "page.txt"], "page.txt: the name must end in .html"),
        (["--json", "--csv"], "--json or --csv, one of the two"),
    ],
)
def test_wrong_options(labels, capsys, options, message):
    assert run(["audit", str(labels), *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert_told(captured.err, message)


def test_labels_that_are_none(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "zeros.npy", np.zeros((4, 5), np.uint8))
    np.save(tmp_path / "map.npy", np.linspace(0, 0.4, 20).reshape(4, 5))
    np.save(tmp_path / "gray.npy", np.arange(200, dtype=np.uint8).reshape(10, 20))
    np.save(tmp_path / "many.npy", np.arange(30, dtype=np.uint8).reshape(5, 6, 1) * np.ones(2, np.uint8))
    for arguments, message in (
        (["empty"], "holds no image"),
        (["nothing*.npy"], "holds no image"),
        (["missing.npy"], "missing.npy does not exist"),
        (["zeros.npy"], "there is nothing to count: .*zeros.npy holds 0 everywhere"),
        (["map.npy"], "labels must be whole numbers, got .*; to cut a probability map give --threshold"),
        (["map.npy", "--threshold", "0.5"], "no value reaches the threshold 0.5 in"),
        (["gray.npy"], "holds 200 different values, from 0 to 199: .*--threshold"),
        (["many.npy"], "29 classes have 4089 unions of up to 3, more than 250"),
    ):
        first, *options = arguments
        assert run(["audit", str(tmp_path / first), *options]) == 1
        assert_told(capsys.readouterr().err, message)


def assert_told(text, message):
    with pytest.raises(ValueError, match=message):
        raise ValueError(text)
