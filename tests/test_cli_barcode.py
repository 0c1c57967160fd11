"""``topoprior barcode``: the bars of the library with their pixels, and the picture."""

import csv
import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

import topoprior
from topoprior.cli import run

MAP = np.array([[0.9, 0.9, 0.8, 0.0], [0.7, 0.1, 0.9, 0.0], [0.9, 0.6, 0.9, 0.3]])


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "map.npy", MAP)
    return tmp_path / "map.npy"


def barcode(capsys, *arguments) -> dict:
    assert run(["barcode", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_the_bars_by_hand(path, capsys):
    """The loop closes at its lowest pixel, 0.6 at (2, 1), and fills at 0.1; the components meet at 0.8 and 0.7."""
    document = barcode(capsys, path, "--construction", "V")
    loop = document["bars"][-1]
    assert (loop["dimension"], loop["birth_pixel"], loop["death_pixel"]) == (1, [2, 1], [1, 1])
    assert (loop["birth"], loop["death"], loop["persistence"]) == (0.6, 0.1, 0.5)
    first = document["bars"][0]
    assert (first["dimension"], first["birth_pixel"], first["death"], first["death_pixel"]) == (0, [0, 0], 0.0, None)
    assert [bar["death_pixel"] for bar in document["bars"] if bar["dimension"] == 0] == [None, [1, 0], [0, 2]]


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_the_bars_are_those_of_the_library(tmp_path, capsys, construction, boundary):
    values = np.random.default_rng(3).random((5, 6, 4))
    np.save(tmp_path / "volume.npy", values)
    document = barcode(capsys, tmp_path / "volume.npy", "--construction", construction, "--boundary", boundary)
    expected = topoprior.persistence(values[None, None], construction=construction, boundary=boundary)
    assert len(document["bars"]) == len(expected) > 20
    assert [bar["birth"] for bar in document["bars"]] == expected.births.tolist()
    assert [bar["death"] for bar in document["bars"]] == expected.deaths.tolist()
    for bar, index in zip(document["bars"], expected.birth_index.tolist(), strict=True):
        assert bar["birth_pixel"] == (None if index < 0 else list(map(int, np.unravel_index(index, values.shape))))
        if bar["birth_pixel"] is not None:
            assert values[tuple(bar["birth_pixel"])] == bar["birth"]


def test_dimensions_and_length(path, capsys):
    assert {bar["dimension"] for bar in barcode(capsys, path, "--dimensions", "1")["bars"]} == {1}
    assert {bar["dimension"] for bar in barcode(capsys, path, "--dimensions", "0,1")["bars"]} == {0, 1}
    lengths = [bar["persistence"] for bar in barcode(capsys, path, "--min-persistence", "0.3")["bars"]]
    every = [bar["persistence"] for bar in barcode(capsys, path)["bars"]]
    assert lengths == [length for length in every if length >= 0.3]
    assert len(lengths) < len(every)


def test_one_slice_and_all(tmp_path, capsys):
    np.save(tmp_path / "stack.npy", np.stack([np.zeros_like(MAP), MAP], axis=1))
    alone = topoprior.persistence(MAP[None, None])
    every = barcode(capsys, tmp_path / "stack.npy", "--slices", 1)["bars"]
    one = barcode(capsys, tmp_path / "stack.npy", "--slices", 1, "--slice", 1)["bars"]
    assert [bar["birth"] for bar in one] == alone.births.tolist()
    assert {bar["slice"] for bar in one} == {1}
    assert [bar for bar in every if bar["slice"] == 1] == one
    assert [bar["birth"] for bar in every if bar["slice"] == 0] == [0.0]


def test_logits(tmp_path, capsys):
    np.save(tmp_path / "logits.npy", np.array([[-3.0, 2.0, -1.0, 4.0]]))
    births = [bar["birth"] for bar in barcode(capsys, tmp_path / "logits.npy", "--activation", "sigmoid")["bars"]]
    np.testing.assert_allclose(births, [1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))])


def test_the_table(path, capsys):
    assert run(["barcode", str(path), "--construction", "V"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["dimension", "birth", "death", "persistence", "birth_pixel", "death_pixel"]
    assert lines[1].split() == ["0", "0.9000", "0.0000", "0.9000", "0,0", "-"]
    assert lines[-1].split() == ["1", "0.6000", "0.1000", "0.5000", "2,1", "1,1"]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_picture(path, tmp_path, capsys, ending):
    picture = tmp_path / f"bars.{ending}"
    barcode(capsys, path, "--plot", picture)
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert picture.read_bytes().startswith(starts[ending])
    assert {file.name for file in tmp_path.iterdir()} == {"map.npy", picture.name}
    if ending == "png":  # red bars and a green one are there
        pixels = np.asarray(Pillow.open(picture).convert("RGB")).reshape(-1, 3).astype(int)
        assert ((pixels[:, 0] - pixels[:, 1]) > 100).any()
        assert ((pixels[:, 1] - pixels[:, 0]) > 60).any()
    assert run(["barcode", str(path), "--plot", str(picture)]) == 1
    assert "exists already" in capsys.readouterr().err
    barcode(capsys, path, "--plot", picture, "--overwrite")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "bars.gif"], r"bars.gif: the picture's name must end in .png, .svg, .pdf"),
        (["--plot", "none/bars.png"], "none is no folder"),
        (["--dimensions", "one"], "--dimensions must be like 0 or 0,1, got 'one'"),
        (["--dimensions", "2"], r"dimensions must be some of \(0, 1\) for this image, got \(2,\)"),
        (["--min-persistence", "nan"], "--min-persistence must be from 0 to 1, got nan"),
        (["--min-persistence=-0.1"], "--min-persistence must be from 0 to 1, got -0.1"),
        (["--slice", "0"], "--slice needs --slices AXIS"),
        (["--slices", "0", "--slice", "3"], "--slice must be from 0 to 2, got 3"),
        (["--slices", "0", "--plot", "bars.png"], "--plot draws one slice: choose it with --slice"),
    ],
)
def test_wrong_options(path, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    assert run(["barcode", str(path), *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(f"error: .*{message}.*\n", captured.err)
    assert [file.name for file in tmp_path.iterdir()] == ["map.npy"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0, 1, 1]]), "floating-point values in .*a mask, a label map or an image"),
        (np.array([[0.5, 3.5]]), r"must lie in \[0, 1\], got values from 0.5 to 3.5 .*--activation sigmoid"),
        (np.array([[0.5, np.nan]]), "must be finite, got nan"),
    ],
)
def test_wrong_values(tmp_path, capsys, values, message):
    stored = values.astype(np.float32 if values.dtype == float else np.int16)
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / "a.nii.gz")
    assert run(["barcode", str(tmp_path / "a.nii.gz")]) == 1
    assert re.search(message, capsys.readouterr().err)


# Many files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "b.npy", MAP)
    np.save(tmp_path / "maps" / "a.npy", MAP.T)
    return tmp_path / "maps"


def test_several_files(folder, capsys):
    document = barcode(capsys, folder, "--construction", "V")
    assert [Path(each["file"]).name for each in document["files"]] == ["a.npy", "b.npy"]
    assert document["construction"] == "V"
    for each in document["files"]:
        alone = barcode(capsys, each["file"], "--construction", "V")
        assert (each["bars"], each["shape"]) == (alone["bars"], alone["shape"])
    assert barcode(capsys, folder, "--construction", "V", "--jobs", 2) == document


def test_one_file_of_a_folder_has_the_same_form_as_several(folder, capsys):
    (folder / "a.npy").unlink()
    assert [Path(each["file"]).name for each in barcode(capsys, folder)["files"]] == ["b.npy"]


def test_table_and_values_name_the_files(folder, capsys):
    assert run(["barcode", str(folder), "--construction", "V"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:2] == ["file", "dimension"]
    assert lines[1] == [str(folder / "a.npy"), "0", "0.9000", "0.0000", "0.9000", "0,0", "-"]
    assert run(["barcode", str(folder), "--construction", "V", "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == len(lines) - 1
    assert rows[-1]["file"] == str(folder / "b.npy")
    assert (float(rows[-1]["birth"]), rows[-1]["birth_pixel"], rows[0]["death_pixel"]) == (0.6, "2,1", "")


def test_pictures_go_into_a_folder(folder, tmp_path, capsys):
    arguments = ["barcode", str(folder), "--plot", str(tmp_path / "bars"), "--jobs", "2"]
    assert run(arguments) == 0
    pictures = sorted((tmp_path / "bars").iterdir())
    assert [path.name for path in pictures] == ["a.npy.png", "b.npy.png"]
    capsys.readouterr()
    assert run(arguments) == 1
    assert "a.npy.png exists already" in capsys.readouterr().err
    assert run([*arguments, "--overwrite"]) == 0
    assert run(["barcode", str(folder), "--plot", "bars.png"]) == 1
    assert "bars.png: several inputs need a folder as their output" in capsys.readouterr().err


def test_a_bad_file_among_good_ones(folder, tmp_path, capsys):
    np.save(folder / "mask.npy", np.ones((2, 3), bool))
    arguments = ["barcode", str(folder), "--journal", str(tmp_path / "j.jsonl"), "--plot", str(tmp_path / "bars")]
    for _ in range(2):
        assert run([*arguments, "--json"]) == 1
        captured = capsys.readouterr()
        document = json.loads(captured.out)
        assert [Path(each["file"]).name for each in document["files"]] == ["a.npy", "b.npy"]
        assert [Path(each["file"]).name for each in document["failures"]] == ["mask.npy"]
        assert captured.err.startswith(f"error: 1 of 3 files failed\n  {folder / 'mask.npy'}: a probability map has")
    (tmp_path / "bars" / "a.npy.png").unlink()
    assert run(arguments) == 1
    assert (tmp_path / "bars" / "a.npy.png").exists()
