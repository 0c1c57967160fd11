"""``topoprior doctor``: maps, networks and logs, as text and JSON, with its exit status."""

import json

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import topoprior as tp
from topoprior.cli import run

Y, X = np.mgrid[:30, :34]
RADIUS = np.hypot(Y - 15, X - 17)
RING = (0.01 + 0.98 * np.exp(-(((RADIUS - 9) / 3) ** 4))).astype(np.float32)


def doctor(capsys, *arguments):
    """Exit status, and the names of the findings of each file."""
    status = run(["doctor", *map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    results = json.loads(captured.out)["results"]
    return status, [[each["name"] for each in one["findings"]] for one in results]


@pytest.mark.parametrize(
    ("values", "arguments", "status", "names"),
    [
        (RING, ["--prior", "1,1"], 0, []),
        (RING, [], 0, []),
        (np.log(RING / (1 - RING)), ["--prior", "1,1"], 1, ["logits"]),
        (np.log(RING / (1 - RING)), ["--prior", "1,1", "--activation", "sigmoid"], 0, []),
        (RING, ["--prior", "1,2"], 1, ["no trace"]),
        (RING, ["--prior", "0,0"], 0, ["essential class"]),
        (RING[None, None], ["--prior", "1,1"], 1, ["batch and channel in the file"]),
        (RING[None], ["--prior", "1,1"], 1, ["batch and channel in the file"]),
        (np.stack([RING] * 2)[None], ["--prior", "1,1"], 1, ["prior of other dimensions"]),
        (np.stack([RING] * 3, -1), ["--prior", "1,1"], 1, ["channels last"]),
        (np.stack([RING] * 3, -1), ["--prior", "1,1", "--slices", "2"], 0, []),
        (np.where(RING > 0.9, np.nan, RING), [], 1, ["unreadable"]),
        (RING > 0.5, [], 1, ["not floating point"]),
    ],
)
def test_maps(tmp_path, capsys, values, arguments, status, names):
    np.save(tmp_path / "map.npy", values)
    found, listed = doctor(capsys, tmp_path / "map.npy", *arguments)
    if values.shape == (1, 2, 30, 34):
        names = ["batch and channel in the file", *names]
    assert (found, listed) == (status, [names])


def test_other_formats(tmp_path, capsys):
    nibabel.save(nibabel.Nifti1Image(np.stack([RING] * 6, -1), np.diag([1, 1, 8, 1])), tmp_path / "stack.nii.gz")
    Pillow.fromarray(np.round(255 * RING).astype(np.uint8)).save(tmp_path / "map.png")
    assert doctor(capsys, tmp_path / "stack.nii.gz") == (1, [["channels last"]])
    assert doctor(capsys, tmp_path / "stack.nii.gz", "--slices", 2, "--prior", "1,1") == (0, [[]])
    assert doctor(capsys, tmp_path / "map.png", "--prior", "1,1") == (0, [[]])
    assert doctor(capsys, tmp_path) == (1, [[], ["channels last"]])  # sorted by name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made
def test_a_network(tmp_path, capsys):
    torch.manual_seed(0)
    network = tp.networks.unet(channels=(4, 8))
    path, image = tmp_path / "sound.safetensors", tmp_path / "image.npy"
    tp.networks.save(network, path)
    np.save(image, RING)
    assert doctor(capsys, path, "--prior", "1,1") == (0, [["prior not used"]])
    assert "prior not used" not in doctor(capsys, path, "--prior", "1,1", "--image", image)[1][0]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    tp.networks.save(network, tmp_path / "dead.safetensors")
    status, (names,) = doctor(capsys, tmp_path / "dead.safetensors")
    assert status == 1
    assert {"constant", "image ignored"} <= set(names)
    tp.networks.save(tp.networks.unet(channels=(4, 8)), tmp_path / "one.safetensors", activation="softmax")
    assert "softmax of one channel" in doctor(capsys, tmp_path / "one.safetensors")[1][0]
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    (tmp_path / "bad.json").write_text(path.with_suffix(".json").read_text())
    assert doctor(capsys, tmp_path / "bad.safetensors") == (1, [["unreadable"]])


def test_a_log_and_the_folder_of_a_run(tmp_path, capsys):
    record = {"phase": "prior", "step": 0, "train/topology": 1.0, "train/labelled": 0.2, "validation/dice": 0.1}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(record))
    assert doctor(capsys, tmp_path) == (1, [["no warm start"]])
    assert doctor(capsys, tmp_path / "metrics.jsonl", tmp_path) == (1, [["no warm start"]] * 2)


def test_what_is_printed(tmp_path, capsys):
    np.save(tmp_path / "ring.npy", RING)
    np.save(tmp_path / "logits.npy", 9 * RING)
    assert run(["doctor", str(tmp_path / "ring.npy"), str(tmp_path / "logits.npy")]) == 1
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'ring.npy'}: nothing found"
    assert second == f"{tmp_path / 'logits.npy'}:"
    assert rest[0] == "  error: logits"
    assert "    -> Give sigmoid=True or softmax=True" in rest[2]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing.npy"], 1, "error: missing.npy does not exist\n"),
        (["missing.safetensors"], 1, "error: missing.safetensors does not exist; a checkpoint is X.safetensors"),
        (["a.npy", "--prior", "x"], 1, "error: a prior must be written like 1,1"),
        (["a.npy", "--threshold", "0"], 1, "error: --threshold must be greater than 0 and at most 1, got 0.0\n"),
        ([], 2, "requires an argument"),
    ],
)
def test_wrong_use(capsys, arguments, status, message):
    assert run(["doctor", *arguments]) == status
    assert message in capsys.readouterr().err
