"""``topoprior refine``: right masks with the input's geometry, and nothing written where something is wrong."""

import inspect
import json
import re
import typing
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import topoprior
from topoprior.cli import run
from topoprior.cli.refine.options import MethodOptions
from topoprior.imaging import networks
from topoprior.refinement import network

OBLIQUE = np.array([[1.4, 0.2, -0.3, 12.0], [-0.1, 1.5, 0.4, -7.5], [0.3, -0.4, 7.9, 3.25], [0, 0, 0, 1]])

GAP = np.full((9, 12), 0.1, np.float32)  # a ring with a gap, and a speck: (2, 0), wanted (1, 1)
GAP[1:7, 1:9] = 0.9
GAP[3:5, 3:7] = 0.1
GAP[1:3, 4] = 0.4
GAP[7:9, 11] = 0.6
BLOB = np.full((9, 12), 0.2, np.float32)  # (1, 0)
BLOB[3:6, 2:9] = 0.8


JOURNAL = ".topoprior-refine.jsonl"


def refined(capsys, *arguments) -> dict:
    assert run(["refine", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def refused(capsys, *arguments) -> str:
    assert run(["refine", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch("error: .*\n", captured.err)
    return captured.err


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def save(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".png":
        Pillow.fromarray(np.rint(values * 255).astype(np.uint8)).save(path)
    else:
        nibabel.save(nibabel.Nifti1Image(values, OBLIQUE), path)
    return path


def betti(mask: np.ndarray) -> list[int]:
    return topoprior.betti_numbers(mask[None, None])[0, 0].tolist()


# Probability maps


@pytest.mark.parametrize("name", ["map.nii.gz", "map.nii", "map.png", "map.npy"])
def test_a_ring_is_closed_in_every_format(tmp_path, capsys, name):
    path, out = save(tmp_path / name, GAP), tmp_path / f"mask{''.join(Path(name).suffixes)}"
    (row,) = refined(capsys, path, "--prior", "1,1", "-o", out)["results"]
    assert (row["prior"], row["betti_before"], row["betti_after"]) == ("1,1", [2, 0], [1, 1])
    assert (row["succeeded"], row["stop_reason"], row["output"]) == (True, "topology right", str(out))
    mask = np.asarray(topoprior_read(out))
    assert betti(mask > 0) == [1, 1]
    assert row["pixels_changed"] == ((mask > 0) != (GAP >= 0.5)).sum() > 0
    assert row["steps"] >= row["best_step"] > 0
    assert len(row["history"]["loss"]) == row["steps"] + 1
    assert names(tmp_path) == {path.name, out.name}


def topoprior_read(path: Path) -> np.ndarray:
    """The stored values, read without our own reader."""
    if path.suffix == ".npy":
        return np.load(path)
    return np.asarray(Pillow.open(path)) if path.suffix == ".png" else np.asanyarray(nibabel.load(path).dataobj)


def test_the_geometry_is_that_of_the_input(tmp_path, capsys):
    path = save(tmp_path / "map.nii.gz", GAP[:, :, None])
    refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "m.nii.gz", "--probability", tmp_path / "p.nii.gz")
    before = nibabel.load(path)
    for name, dtype in (("m", np.uint8), ("p", np.float32)):
        after = nibabel.load(tmp_path / f"{name}.nii.gz")
        assert after.shape == before.shape == (9, 12, 1)
        assert after.get_data_dtype() == dtype
        np.testing.assert_array_equal(after.affine, before.affine)
        assert after.header.get_zooms() == before.header.get_zooms()


def test_the_probability_is_that_of_the_library(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    options = ["--weight", 0.3, "--learning-rate", 0.4, "--max-steps", 90, "--construction", "V", "--margin", 0.3]
    refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "m.npy", "--probability", tmp_path / "p.npy", *options)
    expected = topoprior.refine_map(
        GAP[None, None],
        topoprior.BettiPrior(1, 1),
        weight=0.3,
        learning_rate=0.4,
        max_steps=90,
        construction="V",
        margin=0.3,
    )
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), expected.output[0, 0].numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected.mask[0, 0].numpy())
    assert np.load(tmp_path / "m.npy").dtype == np.uint8


def test_the_push_reaches_the_library(tmp_path, capsys):
    torn = np.zeros((14, 16), dtype=np.float32)
    torn[2:12, 2:13] = 0.9
    torn[5:9, 5:10] = torn[2:5, 7] = 0
    path, words = save(tmp_path / "map.npy", torn), ("--prior", "1,1", "--max-steps", 40)
    for name, push, succeeded in (("a.npy", (), False), ("b.npy", ("--push", 1), True)):
        assert run(["refine", str(path), *map(str, words), "-o", str(tmp_path / name), *map(str, push), "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["results"]
        assert row["succeeded"] == succeeded
        assert betti(np.load(tmp_path / name)) == [1, int(succeeded)]


def test_threshold_and_boundary_reach_the_library(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    (row,) = refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "a.npy", "--threshold", 0.3)["results"]
    assert row["betti_before"] == [2, 1]
    (row,) = refined(capsys, path, "--prior", "2,1", "-o", tmp_path / "b.npy", "--boundary", "foreground")["results"]
    assert row["betti_before"] == topoprior.betti_numbers(GAP[None, None] >= 0.5, boundary="foreground")[0, 0].tolist()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slice_by_slice_with_the_priors_of_a_table(tmp_path, capsys, axis):
    stack = np.stack([GAP, BLOB, GAP, GAP], axis)
    path, table = save(tmp_path / "stack.nii.gz", stack), tmp_path / "priors.csv"
    table.write_text('slice,prior\n3,"0-2,*"\n0,"1,1"\n1,"1,0"\n2,"1-,1"\n')
    out = tmp_path / "mask.nii.gz"
    rows = refined(capsys, path, "--priors", table, "--slices", axis, "-o", out)["results"]
    assert [row["slice"] for row in rows] == [0, 1, 2, 3]
    assert [row["prior"] for row in rows] == ["1,1", "1,0", "1-,1", "0-2,*"]
    assert [row["betti_after"] for row in rows] == [[1, 1], [1, 0], [2, 1], [2, 0]]
    assert [row["stop_reason"] for row in rows] == [
        "topology right",
        "already right",
        "topology right",
        "already right",
    ]
    mask = np.asanyarray(nibabel.load(out).dataobj)
    assert mask.shape == stack.shape
    assert [betti(part > 0) for part in np.moveaxis(mask, axis, 0)] == [row["betti_after"] for row in rows]
    np.testing.assert_array_equal(mask.take(3, axis), GAP >= 0.5)


def test_a_volume_is_refined_whole(tmp_path, capsys):
    volume = np.full((6, 7, 8), 0.1, np.float32)
    volume[1:5, 1:6, 1:4] = 0.9
    volume[3, 3, 6] = 0.7
    path = save(tmp_path / "volume.nii.gz", volume)
    (row,) = refined(capsys, path, "--prior", "1,0,0", "-o", tmp_path / "mask.nii.gz")["results"]
    assert (row["betti_before"], row["betti_after"]) == ([2, 0, 0], [1, 0, 0])


def test_several_files_go_into_a_folder(tmp_path, capsys):
    ring, blob = save(tmp_path / "ring.npy", GAP), save(tmp_path / "blob.png", BLOB)
    (tmp_path / "priors.csv").write_text("file,b0,b1\nring.npy,1,1\nblob.png,1,0\nelse.npy,5,5\n")
    arguments = [ring, blob, "--priors", tmp_path / "priors.csv", "-o", tmp_path / "masks"]
    rows = refined(capsys, *arguments, "--probability", tmp_path / "maps")["results"]
    assert [row["file"] for row in rows] == [str(ring), str(blob)]
    assert [row["betti_after"] for row in rows] == [[1, 1], [1, 0]]
    made = {f"{folder}/{name}" for folder in ("masks", "maps") for name in ("ring.npy", "blob.png")}
    assert names(tmp_path) == {"ring.npy", "blob.png", "priors.csv", f"masks/{JOURNAL}", *made}
    assert set(np.unique(topoprior_read(tmp_path / "masks" / "blob.png"))) == {0, 255}
    np.testing.assert_allclose(topoprior_read(tmp_path / "maps" / "blob.png") / 65535, BLOB, atol=0.002)


def test_logits(tmp_path, capsys):
    path = save(tmp_path / "logits.npy", np.log(GAP / (1 - GAP)))
    (row,) = refined(capsys, path, "--prior", "1,1", "--activation", "sigmoid", "-o", tmp_path / "m.npy")["results"]
    assert (row["betti_before"], row["betti_after"]) == ([2, 0], [1, 1])
    assert "--activation sigmoid" in refused(capsys, path, "--prior", "1,1", "-o", tmp_path / "n.npy")


def test_the_table_and_what_did_not_succeed(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    assert run(["refine", str(path), "--prior", "1,1", "--max-steps", "1", "-o", str(tmp_path / "m.npy")]) == 0
    captured = capsys.readouterr()
    header, row = (line.split() for line in captured.out.splitlines())
    assert header == ["file", "prior", "before", "after", "right", "pixels", "steps", "stopped"]
    assert row[:3] == [str(path), "1,1", "2,0"]
    assert (row[4], row[6:]) == ("no", ["1", "no", "more", "steps"])
    assert captured.err == "note: 1 of 1 did not reach their prior; the best mask seen is kept\n"


def test_a_factory_that_fails_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "boom_net.py").write_text("def boom():\n    raise RuntimeError('first line\\nsecond line')\n")
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "map.npy", GAP)
    error = refused(capsys, path, "--prior", "1,1", "-o", tmp_path / "m.npy", "--network", "boom_net:boom")
    assert error == "error: the factory boom_net:boom failed: RuntimeError: first line second line\n"


def test_the_report(tmp_path, capsys):
    path, page = save(tmp_path / "stack.npy", np.stack([GAP, BLOB])), tmp_path / "report.html"
    arguments = [path, "--slices", 0, "--prior", "1,0-1", "--report", page, "--weight", 0.25]
    refined(capsys, *arguments, "-o", tmp_path / "m.npy")
    html = page.read_text()
    assert f"{path}, slice 0" in html
    assert f"{path}, slice 1" in html
    assert "data:image/png;base64," in html
    assert "0.25" in html
    assert names(tmp_path) == {"stack.npy", "m.npy", "report.html"}
    assert "report.html exists already" in refused(capsys, *arguments, "-o", tmp_path / "n.npy")


# Networks

FACTORIES = """
import torch
from torch import nn
from topoprior.imaging.networks import LoadedNetwork

seen = []

class Logit(nn.Module):
    channels = 1

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, self.channels, 1)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([-1.0, 1.0])[-self.channels:].view(-1, 1, 1, 1))
            self.layer.bias.zero_()

    def forward(self, image):
        seen.append(image.detach())
        return self.layer(image)

class TwoChannels(Logit):
    channels = 2

class Half(Logit):
    def forward(self, image):
        return super().forward(image)[..., ::2]

class Picky(Logit):
    def forward(self, image):
        raise RuntimeError("sizes do not match\\nand more")

def logit():
    return Logit()

def described():
    return LoadedNetwork(Logit(), activation="sigmoid", normalisation="standard")

two = TwoChannels
half = Half
picky = Picky
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    import sys

    (tmp_path / "my_networks.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield lambda: sys.modules["my_networks"]
    sys.modules.pop("my_networks", None)


IMAGE = (100 * np.log(GAP / (1 - GAP))).astype(np.int16)  # what a scanner might store


def test_a_network_is_refined_on_each_slice(tmp_path, factories, capsys):
    ring = np.where(GAP > 0.5, 300, 0).astype(np.int16)
    ring[1:3, 4] = 90  # the gap is a little darker than the mean
    path = save(tmp_path / "image.nii.gz", np.stack([ring, ring[::-1]], 2))
    arguments = ["--network", "my_networks:described", "--prior", "2,1", "--slices", 2, "--weight", 1]
    rows = refined(capsys, path, *arguments, "--learning-rate", 0.02, "-o", tmp_path / "mask.nii.gz")["results"]
    assert [row["slice"] for row in rows] == [0, 1]
    assert [(row["betti_before"], row["betti_after"]) for row in rows] == [([2, 0], [2, 1])] * 2
    after = nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(after.affine, nibabel.load(path).affine)
    parts = np.moveaxis(np.asanyarray(after.dataobj), 2, 0)
    assert [row["betti_after"] for row in rows] == [betti(part > 0) for part in parts]
    # Both slices start from the same weights: mirrored images give mirrored masks.
    np.testing.assert_array_equal(parts[0], parts[1][::-1])
    image = factories().seen[0]
    assert image.shape == (1, 1, 9, 12)
    assert abs(image.mean()) < 1e-5
    assert abs(image.std(correction=0) - 1) < 1e-5


@pytest.mark.parametrize(("word", "low", "high"), [("minmax", 0, 1), ("none", IMAGE.min(), IMAGE.max())])
def test_normalisation_can_be_chosen(tmp_path, factories, capsys, word, low, high):
    path = save(tmp_path / "image.npy", IMAGE)
    arguments = ["--network", "my_networks:described", "--normalise", word, "--prior", "1,1", "--max-steps", 1]
    assert run(["refine", *map(str, [path, *arguments, "-o", tmp_path / "m.npy"])]) == 0
    image = factories().seen[0]
    assert (image.min(), image.max()) == (low, high)


def test_one_channel_of_several_has_the_prior(tmp_path, factories, capsys):
    path = save(tmp_path / "image.npy", (IMAGE / 200).astype(np.float32))
    arguments = [path, "--network", "my_networks:two", "--activation", "softmax", "--prior", "2,0"]
    assert "has 2 channels: say with --channel which one" in refused(capsys, *arguments, "-o", tmp_path / "m.npy")
    assert "from 0 to 1" in refused(capsys, *arguments, "--channel", 2, "-o", tmp_path / "m.npy")
    page = tmp_path / "report.html"
    (row,) = refined(capsys, *arguments, "--channel", 1, "-o", tmp_path / "m.npy", "--report", page)["results"]
    assert (row["betti_before"], row["stop_reason"]) == ([2, 0], "already right")
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), GAP >= 0.5)
    assert "my_networks:two" in page.read_text()
    arguments = [*arguments[:-1], "1-,1", "--learning-rate", 0.02, "--weight", 1, "--overwrite"]
    (row,) = refined(capsys, *arguments, "--channel", 1, "-o", tmp_path / "m.npy")["results"]
    assert row["betti_after"][1] == 1
    assert row["pixels_changed"] == (np.load(tmp_path / "m.npy") != (GAP >= 0.5)).sum() > 0


def test_a_checkpoint(tmp_path, capsys):
    torch.manual_seed(0)
    networks.save(networks.unet(channels=(4, 8)), tmp_path / "net.safetensors", normalisation="minmax")
    path = save(tmp_path / "image.nii.gz", IMAGE)
    arguments = ["--network", tmp_path / "net.safetensors", "--prior", "0-,0-3", "--max-steps", 2]
    assert run(["refine", *map(str, [path, *arguments, "-o", tmp_path / "m.nii.gz", "--json"])]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    mask = np.asanyarray(nibabel.load(tmp_path / "m.nii.gz").dataobj)
    assert row["betti_after"] == betti(mask > 0)
    network = networks.load(tmp_path / "net.safetensors")
    with torch.no_grad():
        output = network.network(network.normalise(torch.from_numpy(IMAGE).float()[None, None]))
    assert row["betti_before"] == betti((output.sigmoid() >= 0.5).numpy()[0, 0])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "my_networks:half",
            r"must keep the size of an image of shape \(1, 1, 9, 12\), got an output of \(1, 1, 9, 6\)",
        ),
        ("my_networks:picky", r"fails on an image of shape \(1, 1, 9, 12\): sizes do not match$"),
        ("my_networks:logit", "network must give probabilities in .*activation"),
        ("my_networks:absent", "has no function 'absent'"),
        ("no_such_module:net", "no module named 'no_such_module'"),
        ("absent.safetensors", "absent.safetensors does not exist"),
        ("network.pt", "network must be a file X.safetensors or module:factory"),
    ],
)
def test_networks_that_do_not_fit(tmp_path, factories, capsys, network, message):
    path = save(tmp_path / "image.npy", IMAGE)
    error = refused(capsys, path, "--network", network, "--prior", "1,1", "-o", tmp_path / "m.npy")
    assert re.search(message, error)
    assert not (tmp_path / "m.npy").exists()


# What is refused, before any work, leaving nothing behind


@pytest.fixture
def no_work(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        pytest.fail("work began before everything was checked")

    monkeypatch.setattr("topoprior.cli.refine.maps.MapRefiner.__call__", fail)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["map.npy", "-o", "out.npy"], "--prior, --preset or --priors, one of the three"),
        (
            ["map.npy", "-o", "out.npy", "--prior", "1,1", "--priors", "priors.csv"],
            "--prior, --preset or --priors, one of the three",
        ),
        (["map.npy", "-o", "out.npy", "--prior", "1;1"], "'1;1'"),
        (["map.npy", "-o", "out.npy", "--prior", "1,1,1"], "2 axes has 2 Betti numbers, .* got 3: 1,1,1"),
        (["stack.npy", "-o", "out.npy", "--prior", "1,1"], "got 2: 1,1; of a stack of slices say the axis, --slices"),
        (["map.npy", "-o", "out.npy", "--prior", "0,1"], "no component but a loop: the prior 0,1 cannot be reached"),
        (["map.npy", "-o", "out.npy", "--prior", "*,*"], "a prior must ask for something"),
        (["map.npy", "-o", "out.npy", "--prior", "0,0", "--boundary", "foreground"], "the outside is a component"),
        (["map.npy", "-o", "out.npy", "--priors", "priors.csv"], r"priors.csv has no row for map.npy"),
        (["map.npy", "stack.npy", "-o", "out", "--priors", "priors.csv"], r"priors.csv has no row for map.npy"),
        (["map.npy", "-o", "out.npy", "--priors", "slices.csv"], r"slices.csv has a prior for each slice, .*--slices"),
        (["stack.npy", "-o", "out.npy", "--priors", "slices.csv", "--slices", "2"], "no row for slice 1"),
        (
            ["stack.npy", "-o", "out.npy", "--priors", "far.csv", "--slices", "2"],
            "far.csv, line 4: stack.npy has no slice 2, only 0 to 1",
        ),
        (
            ["map.npy", "-o", "out.npy", "--priors", "flat.csv"],
            "flat.csv, line 3: .* 2 axes .* got 3: 1,1,0",
        ),
        (["map.npy", "-o", "out.npy", "--report", "rep.txt", "--prior", "1,1"], "rep.txt: .* must end in .html"),
        (["map.npy", "-o", "out.npy", "--prior", "1,1", "--slices", "2"], "got axis 2"),
        (["map.npy", "-o", "precious.npy", "--prior", "1,1"], "precious.npy exists already: .*--overwrite"),
        (
            ["map.npy", "-o", "out.npy", "--probability", "precious.npy", "--prior", "1,1"],
            "precious.npy exists already",
        ),
        (["map.npy", "-o", "out.npy", "--report", "precious.html", "--prior", "1,1"], "precious.html exists already"),
        (
            ["map.npy", "-o", "map.npy", "--overwrite", "--prior", "1,1"],
            "map.npy would be written over the input map.npy",
        ),
        (["map.npy", "-o", ".", "--overwrite", "--prior", "1,1"], "map.npy would be written over the input map.npy"),
        (
            ["map.npy", "-o", "o.npy", "--probability", "o.npy", "--prior", "1,1"],
            "would be written over another output",
        ),
        (["map.npy", "sub/map.npy", "-o", "out", "--prior", "1,1"], "out/map.npy would be written over another output"),
        (["map.npy", "stack.npy", "-o", "out.npy", "--prior", "1,1"], "several inputs need a folder"),
        (["map.npy", "-o", "priors.csv", "--prior", "1,1"], "the output must be a folder or end in .nii.gz"),
        (
            ["map.npy", "-o", "out.nii.gx", "--prior", "1,1"],
            "out.nii.gx: the output must be a folder or end in .nii.gz",
        ),
        (["map.npy", "-o", "none/out.npy", "--prior", "1,1"], "none is no folder"),
        (["map.npy", "-o", "none/out", "--prior", "1,1"], "none is no folder"),
        (["stack.npy", "-o", "out.png", "--prior", "1,1", "--slices", "2"], "a PNG holds an image with 2 axes, got 3"),
        (["broken.nii.gz", "-o", "out.nii.gz", "--prior", "1,1"], "broken.nii.gz cannot be read as NIfTI"),
        (["sub", "words.txt", "-o", "out", "--prior", "1,1"], "words.txt: the file name must end in"),
        (
            ["map.npy", "sub", "-o", "out", "--priors", "slices.csv", "--slices", "0", "--csv", "--json"],
            "--json or --csv",
        ),
        (["map.npy", "-o", "out.npy", "--prior", "1,1", "--jobs", "0"], "jobs must be at least 1, or -1"),
        (["map.npy", "absent.npy", "-o", "out", "--prior", "1,1"], "absent.npy does not exist"),
        (["nan.npy", "-o", "out.npy", "--prior", "1,1"], r"nan.npy: values must be finite, got nan at index \(0, 1\)"),
        (["labels.npy", "-o", "out.npy", "--prior", "1,1"], "a probability map has floating-point values"),
        (["map.npy", "-o", "out.npy", "--prior", "1,1", "--normalise", "minmax"], "--normalise needs --network"),
        (["map.npy", "-o", "out.npy", "--prior", "1,1", "--channel", "0"], "--channel needs --network"),
        (["map.npy", "-o", "out.npy", "--prior", "1,1", "--activation", "softmax"], "softmax needs the channels"),
    ],
)
def test_wrong_input_is_found_before_the_work(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "map.npy", GAP)
    save(tmp_path / "stack.npy", np.stack([GAP, GAP], 2))
    save(tmp_path / "nan.npy", np.array([[0.5, np.nan]]))
    save(tmp_path / "labels.npy", np.array([[0, 1, 2]]))
    (tmp_path / "precious.npy").write_text("precious")
    (tmp_path / "precious.html").write_text("precious")
    (tmp_path / "broken.nii.gz").write_text("words")
    (tmp_path / "priors.csv").write_text("file,b0,b1\nother.npy,1,1\n")
    (tmp_path / "slices.csv").write_text("slice,b0,b1\n0,1,1\n")
    (tmp_path / "far.csv").write_text("file,slice,b0,b1\nstack.npy,0,1,1\nstack.npy,1,1,1\nstack.npy,2,1,1\n")
    (tmp_path / "flat.csv").write_text("file,b0,b1,b2\nother.npy,1,1,1\nmap.npy,1,1,0\n")
    (tmp_path / "sub").mkdir()
    save(tmp_path / "sub" / "map.npy", BLOB)
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")}
    assert re.search(message, refused(capsys, *arguments))
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_options_that_the_library_refuses(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    for option, value in (("--weight", -1), ("--learning-rate", 0), ("--max-steps", -3), ("--threshold", 1.5)):
        error = refused(capsys, path, "--prior", "1,1", option, value, "-o", tmp_path / "m.npy")
        assert f"{value}" in error
        assert str(path) in error
    assert names(tmp_path) == {"map.npy"}


def test_a_full_disk_leaves_no_halves(tmp_path, monkeypatch, capsys):
    first, second = save(tmp_path / "a.npy", GAP), save(tmp_path / "b.npy", GAP)
    real = np.save

    def disk_full(path: Path, values: np.ndarray, **options: object) -> None:
        if path.name.endswith("b.npy"):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device", str(path))
        real(path, values, **options)

    monkeypatch.setattr(np, "save", disk_full)
    assert run(["refine", str(first), str(second), "--prior", "1,1", "-o", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "error: 1 of 2 files failed" in captured.err
    assert "No space left on device" in captured.err
    assert [line.split()[0] for line in captured.out.splitlines()] == ["file", str(first)]
    assert names(tmp_path) == {"a.npy", "b.npy", "out/a.npy", f"out/{JOURNAL}"}
    assert betti(np.load(tmp_path / "out" / "a.npy") > 0) == [1, 1]


def test_overwrite(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    (tmp_path / "m.npy").write_text("old")
    refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "m.npy", "--overwrite")
    assert betti(np.load(tmp_path / "m.npy") > 0) == [1, 1]


def test_the_stated_defaults_are_those_of_the_library():
    hints = typing.get_type_hints(MethodOptions, include_extras=True)
    of_map = {name: each.default for name, each in inspect.signature(topoprior.refine_map).parameters.items()}
    of_network = {name: each.default for name, each in inspect.signature(topoprior.refine).parameters.items()}
    for name in ("weight", "margin"):
        assert said(hints[name]) == [of_map[name]] == [of_network[name]]
    for place, name in enumerate(("learning_rate", "max_steps")):
        assert of_network[name] is None
        assert said(hints[name]) == [of_map[name], network.DEFAULTS[place], network.CLASS_DEFAULTS[place]]


def said(hint) -> list[float]:
    """The numbers that a help text gives as defaults."""
    return [float(number) for number in re.findall(r"[\d.]+", hint.__metadata__[-1].help.partition("[default: ")[2])]


# Many files


def test_the_device(tmp_path, capsys):
    path = save(tmp_path / "map.npy", GAP)
    refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "a.npy", "--device", "cpu")
    if torch.cuda.is_available():
        refined(capsys, path, "--prior", "1,1", "-o", tmp_path / "b.npy", "--device", "cuda")
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    else:
        error = refused(capsys, path, "--prior", "1,1", "-o", tmp_path / "b.npy", "--device", "cuda")
        assert error == "error: --device cuda needs a GPU, and torch finds none: take cpu or auto\n"
