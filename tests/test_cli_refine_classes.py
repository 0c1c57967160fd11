"""``topoprior refine`` with priors of several classes: from words to a label map with the geometry of the input."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from torch import nn

import topoprior
from topoprior.cli import run
from topoprior.imaging import networks
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe

OBLIQUE = np.array([[1.4, 0.2, -0.3, 12.0], [-0.1, 1.5, 0.4, -7.5], [0.3, -0.4, 7.9, 3.25], [0, 0, 0, 1]])
CLASSES = ("BG", "wall", "lumen")
PRIORS = topoprior.ClassPriors({"wall": (1, 1), "lumen": (1, 0), ("wall", "lumen"): (1, 0)}, classes=CLASSES)
WORDS = ["--prior", "wall=1,1", "lumen=1,0", "lumen+wall=1,0", "--classes", *CLASSES]

LABELS = np.zeros((9, 12), int)
LABELS[1:8, 2:10] = 1
LABELS[3:6, 4:8] = 2
MAP = (0.7 * np.eye(3)[LABELS] + 0.1).transpose(2, 0, 1).astype(np.float32)  # (class, row, column)
MAP[:, 1:3, 5] = np.array([0.5, 0.4, 0.1])[:, None]  # a gap in the wall, with a trace of it
RIGHT = (0.7 * np.eye(3)[LABELS] + 0.1).transpose(2, 0, 1).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("map.npy", MAP)


def rows(capsys, *arguments) -> list[dict]:
    assert run(["refine", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)["results"]


def holds(labels: np.ndarray) -> bool:
    return bool(topoprior.class_topology(labels[None].astype(np.int64), PRIORS).success)


def test_a_map(capsys):
    (row,) = rows(capsys, "map.npy", "-o", "labels.npy", "--probability", "refined.npy", *WORDS)
    assert row["prior"] == "wall 1,1; lumen 1,0; wall+lumen 1,0"
    assert row["betti_before"] == {"wall": [1, 0], "lumen": [1, 0], "wall+lumen": [1, 0]}
    assert (row["wrong_before"], row["wrong_after"], row["succeeded"]) == (["wall 1,0"], [], True)
    labels, refined = np.load("labels.npy"), np.load("refined.npy")
    assert (labels.dtype, labels.shape, refined.shape) == (np.uint8, (9, 12), (3, 9, 12))
    assert holds(labels)
    assert (refined.argmax(0) == labels).all()
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-6)
    assert row["pixels_changed"] == (MAP.argmax(0) != labels).sum()


def test_words_tables_and_presets_say_the_same(capsys):
    np.savetxt("priors.csv", ['file,lumen,wall,wall+lumen\nmap.npy,"1,0","1,1","1,0"'], "%s")
    relation = ["--prior", "wall=1,1", "lumen=1,0", "--relation", "wall encloses lumen", "--classes", *CLASSES]
    table = ["--priors", "priors.csv", "--classes", *CLASSES]
    for name, words in (("a", WORDS), ("b", relation), ("c", table)):
        (row,) = rows(capsys, "map.npy", "-o", f"{name}.npy", *words)
        assert row["prior"] == str(PRIORS)
    assert (np.load("a.npy") == np.load("b.npy")).all()
    assert (np.load("a.npy") == np.load("c.npy")).all()


def test_slices_of_nifti_keep_their_geometry_and_have_priors_of_their_own(capsys):
    stack = np.stack([MAP, RIGHT, np.broadcast_to(np.float32([[[1]], [[0]], [[0]]]), MAP.shape)], -1)
    nibabel.save(nibabel.Nifti1Image(stack.transpose(1, 2, 3, 0), OBLIQUE), "maps.nii.gz")
    np.savetxt("priors.csv", ['slice,wall,lumen,wall+lumen\n0,"1,1","1,0","1,0"\n1,,"1,0",\n2,"0,0","0,0",'], "%s")
    words = ["--slices", 2, "--priors", "priors.csv", "--classes", *CLASSES]
    found = rows(capsys, "maps.nii.gz", "-o", "labels.nii.gz", "--probability", "refined.nii.gz", *words)
    assert [row["prior"] for row in found] == [str(PRIORS), "lumen 1,0", "wall 0,0; lumen 0,0"]
    assert [row["stop_reason"] for row in found] == ["topology right", "already right", "already right"]
    labels, refined = nibabel.load("labels.nii.gz"), nibabel.load("refined.nii.gz")
    assert (labels.shape, refined.shape) == ((9, 12, 3), (9, 12, 3, 3))
    assert labels.get_data_dtype() == np.uint8
    np.testing.assert_allclose(labels.affine, OBLIQUE, atol=1e-6)
    values = np.asarray(labels.dataobj)
    assert holds(values[..., 0])
    assert (values[..., 1] == LABELS).all()
    assert not values[..., 2].any()
    assert (refined.get_fdata().argmax(-1) == values).all()


def test_guarantee_and_report(capsys):
    stated = ["map.npy", "-o", "labels.npy", *WORDS, "--max-steps", 0, "--guarantee", "--report", "page.html"]
    (row,) = rows(capsys, *stated)
    assert (row["stop_reason"], row["steps"], row["wrong_after"]) == ("edited", 0, [])
    assert holds(np.load("labels.npy"))
    page = Path("page.html").read_text(encoding="utf-8")
    assert re.search(
        r"wanted wall 1,1; lumen 1,0; wall\+lumen 1,0 · wrong before: wall 1,0 · after:\s*<span[^>]*>all right", page
    )
    assert page.count("data:image/") == 1


def test_the_table(capsys):
    assert run(["refine", "map.npy", "-o", "labels.npy", *WORDS, "--max-steps", "0"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert re.split("  +", header) == ["file", "wrong before", "wrong after", "right", "pixels", "steps", "stopped"]
    assert re.split("  +", line) == ["map.npy", "wall 1,0", "wall 1,0", "no", "0", "0", "no more steps"]


class Shades(nn.Module):
    """Logits of three classes from one gray value: 0 is background, 1 wall, 2 lumen."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.bias - 5 * torch.cat([(image - k).square() for k in range(3)], 1)


def test_a_network_and_what_its_checkpoint_says(capsys, monkeypatch):
    image = np.pad(LABELS, 2).astype(np.float32)
    image[3:5, 7] = 0.45
    np.save("image.npy", image)
    recipe = Recipe(preparation=Preparation(size=(9, 12), normalisation="none"), classes={"wall": (3,), "lumen": (7,)})
    loaded = networks.LoadedNetwork(Shades(), "softmax", "none", recipe.as_metadata())
    monkeypatch.setattr("topoprior.cli.refine.choice.load", lambda _: loaded)
    words = [
        "--prior",
        "wall=1,1",
        "lumen=1,0",
        "wall+lumen=1,0",
        "--network",
        "x.safetensors",
        "--learning-rate",
        0.01,
    ]
    (row,) = rows(capsys, "image.npy", "-o", "labels.npy", "--probability", "refined.npy", *words, "--weight", 10)
    assert (row["wrong_before"], row["wrong_after"]) == (["wall 1,0"], [])
    labels = np.load("labels.npy")
    assert set(np.unique(labels)) == {0, 3, 7}  # the values of the classes in the labels
    assert holds(np.searchsorted([0, 3, 7], labels))
    assert np.load("refined.npy").shape == (3, 13, 16)
    assert run(["refine", "image.npy", "-o", "a.npy", *map(str, words), "--classes", "BG", "wall", "lumen", "fat"]) == 1
    assert (
        "the network's output has 3 channels, but there are 4 classes: BG, wall, lumen, fat" in capsys.readouterr().err
    )
    monkeypatch.setattr("topoprior.cli.refine.choice.load", lambda _: networks.LoadedNetwork(Shades(), "sigmoid"))
    assert run(["refine", "image.npy", "-o", "a.npy", *map(str, words), "--classes", *CLASSES]) == 1
    assert "priors of classes need a softmax over the channels" in capsys.readouterr().err


def test_an_economy_reaches_the_loss(capsys, monkeypatch):
    seen = []
    real = topoprior.refine_map

    def spy(*arguments, **options):
        seen.append(options["economy"])
        return real(*arguments, **options)

    monkeypatch.setattr(topoprior, "refine_map", spy)
    words = ["--downsample", 1, 2, "--pooling", "average", "--region", 0.2, "--region-margin", 3]
    rows(capsys, "map.npy", "-o", "a.npy", *WORDS, *words, "--min-persistence", 0.01)
    rows(capsys, "map.npy", "-o", "b.npy", *WORDS, "--region", 0.3)
    assert seen == [
        topoprior.Economy(downsample=(1, 2), pooling="average", region=0.2, margin=3, min_persistence=0.01),
        topoprior.Economy(region=0.3),
    ]


def test_the_push_reaches_the_library(capsys):
    leak = LABELS.copy()
    leak[1:3, 5] = 2  # the lumen reaches the outside; of the wall there is no trace
    np.save("leak.npy", np.eye(3)[leak].transpose(2, 0, 1).astype(np.float32))
    for name, push, wrong in (("a.npy", (), ["wall 1,0"]), ("b.npy", ("--push", 1), [])):
        words = ["refine", "leak.npy", "-o", name, *WORDS, "--max-steps", "40", *map(str, push), "--json"]
        assert run(words) == 0
        (row,) = json.loads(capsys.readouterr().out)["results"]
        assert row["wrong_after"] == wrong
        assert holds(np.load(name)) == (not wrong)
    assert row["pixels_changed"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prior", "wall=1,1"], "say with --classes which class each channel is, background first"),
        (["--prior", "wall=1,1", "--classes", "BG", "lumen"], "there is no class 'wall' among BG, lumen"),
        (["--prior", "BG+wall+lumen=1,0", "--classes", *CLASSES], "a union of all classes is the whole image"),
        (
            ["--prior", "wall=1,1", "lumen=1,0", "wall+lumen=3,0", "--classes", *CLASSES],
            r"the priors: no label map has .*wall\+lumen wants at least 3 components",
        ),
        (["--prior", "wall=1,1,0", "--classes", *CLASSES], "the priors wall=1,1,0: .* 2 axes has 2 Betti numbers"),
        (["--prior", "wall=1,1", "--classes", "BG", "wall"], r"channel axis 0 must have 2 channels, .* got 3"),
        (["--prior", "wall=1,1", "--relation", "wall hugs lumen", "--classes", *CLASSES], "'wall hugs lumen'"),
        (["--prior", "wall=1,1", "wall=1,0", "--classes", *CLASSES], "once for each class, got 'wall=1,0' too"),
        (["--preset", "short-axis-heart"], "must have 4 channels"),
        (["--preset", "short-axis-heart", "--relation", "a encloses b"], "a preset has its own relations"),
        (
            ["--preset", "ring", "--classes", *CLASSES],
            "--preset ring is the prior of one class: give --prior lumen=1,1",
        ),
        ([*WORDS, "--channel", "1"], "--channel is for a single prior"),
        ([*WORDS, "--threshold", "0.4"], "no --threshold, got 0.4"),
        ([*WORDS, "--push", "-1"], "push must be at least 0 and finite, got -1"),
        ([*WORDS, "--activation", "sigmoid"], "need a softmax"),
        ([*WORDS, "--probability", "p.png"], "a PNG holds one channel"),
        ([*WORDS, "--channel-axis", "5"], "there is no channel axis 5"),
        (["--prior", "1,1", "--channel-axis", "0"], "--channel-axis is for priors of classes"),
        (["--priors", "bad.csv", "--classes", *CLASSES], "bad.csv, line 2: no label map has these class priors"),
        (["--priors", "bad.csv"], "say with --classes"),
        ([*WORDS, "--pooling", "max"], "--pooling needs --downsample"),
        ([*WORDS, "--region", "2"], "region must be greater than 0 and at most 1"),
    ],
)
def test_what_is_refused(capsys, arguments, message):
    np.savetxt("bad.csv", ['file,wall,lumen,wall+lumen\nmap.npy,"1,1","1,0","3,0"'], "%s")
    assert run(["refine", "map.npy", "-o", "out.npy", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(f"^error: .*{message}", captured.err)
    assert not re.search("\n.", captured.err)


def test_channels_that_are_no_softmax(capsys):
    np.save("map.npy", 0.5 * MAP)
    assert run(["refine", "map.npy", "-o", "out.npy", *WORDS]) == 1
    assert "map.npy: its channels must be a softmax" in capsys.readouterr().err
