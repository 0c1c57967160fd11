"""``topoprior robustness`` on tiny files, without a network and with one."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.cli import run
from topoprior.experiments import robustness
from topoprior.imaging.corrupt import blur


def ring(gap):
    """A ring of 0.9, closed at ``gap``: 0.9 is a right mask, 0.3 a wrong one with a trace, 0 one without."""
    image = np.full((14, 16), 0.1, dtype=np.float32)
    image[2:12, 2:13] = 0.9
    image[5:9, 5:10] = 0.1
    image[2:5, 7] = gap
    return image


@pytest.fixture
def folders(tmp_path):
    """Probability maps of three rings, one right, one with a faint gap and one with no trace of a bridge."""
    for name in ("maps", "labels"):
        (tmp_path / name).mkdir()
    for name, gap in (("faint", 0.3), ("right", 0.9), ("torn", 0.1)):
        np.save(tmp_path / "maps" / f"{name}.npy", ring(gap))
        np.save(tmp_path / "labels" / f"{name}.npy", (ring(0.9) >= 0.5).astype(np.uint8))
    return str(tmp_path / "maps"), str(tmp_path / "labels")


def told(capsys, *arguments):
    assert run(["robustness", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    assert run(["robustness", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_the_numbers_are_those_of_the_library(folders, capsys):
    document = told(capsys, *folders, "--corruption", "blur", "--levels", "1", "0", "--prior", "1,1")
    assert [(trial["case"], trial["level"]) for trial in document["trials"]] == [
        (name, level) for name in ("faint", "right", "torn") for level in (0, 1)
    ]
    target = torch.from_numpy(ring(0.9) >= 0.5)[None, None]
    for trial, gap in zip(document["trials"][::2] + document["trials"][1::2], (0.3, 0.9, 0.1) * 2, strict=True):
        worse = blur(ring(gap)[None, None], trial["level"])
        result = tp.refine_map(worse, tp.BettiPrior(1, 1))
        for when, mask in (("before", worse >= 0.5), ("after", result.mask)):
            mask = torch.as_tensor(mask)
            assert trial[f"right_{when}"] == int(tp.metrics.topological_success(mask, tp.BettiPrior(1, 1)))
            assert trial[f"dice_{when}"] == pytest.approx(tp.metrics.dice(mask, target).item())
        assert (trial["steps"], trial["stopped"]) == (result.steps, result.stop_reason)
    assert document["levels"] == robustness.summarise(document["trials"])
    assert document["settings"]["corruption_kind"] == "blur"


def test_the_push_helps_where_there_is_no_trace(folders, capsys):
    options = ("--levels", "0", "--max-steps", "60")
    (plain,) = told(capsys, *folders, *options)["levels"]
    assert (plain["right_before"], plain["right_after"], plain["repaired"]) == (
        pytest.approx(1 / 3),
        pytest.approx(2 / 3),
        0.5,
    )
    (pushed,) = told(capsys, *folders, *options, "--push", "1")["levels"]
    assert (pushed["right_after"], pushed["repaired"]) == (1, 1)


def test_the_table_the_figure_and_the_file(folders, tmp_path, capsys):
    figure, output = tmp_path / "figure.png", tmp_path / "trials.csv"
    words = [*folders, "--levels", "0", "0.05", "--max-steps", "30", "--figure", str(figure), "-o", str(output)]
    assert run(["robustness", *words]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "noise / range"
    assert first.split()[:6] == ["0", "3", "33", "%", "67", "%"]
    assert second.split()[0] == "0.05"
    assert figure.read_bytes()[:4] == b"\x89PNG"
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (rows[0]["case"], rows[0]["stopped"], rows[0]["right_after"]) == ("faint", "topology right", "1")
    assert "exists already" in refused(capsys, *words)
    assert run(["robustness", *words, "--overwrite", "--csv"]) == 0
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["level"] for row in table] == ["0.0", "0.05"]
    assert float(table[0]["repaired"]) == 0.5


def test_what_is_done_is_not_done_again(folders, tmp_path, capsys, monkeypatch):
    words = (*folders, "--levels", "0", "0.1", "--max-steps", "5", "--journal", str(tmp_path / "run.jsonl"))
    before = told(capsys, *words)
    monkeypatch.setattr("topoprior.cli.refine.maps.MapRefiner.__call__", None)
    assert told(capsys, *words) == before
    assert "was begun with corruption_seed 0, now it is 1" in refused(capsys, *words, "--seed", "1")


def test_slices_of_a_volume(tmp_path, capsys):
    """NIfTI, slice by slice; the priors are the labels' own, one of them of an empty slice."""
    maps = np.stack([ring(0.3), ring(0.9), np.full((14, 16), 0.1, dtype=np.float32)], axis=-1)
    label = (np.stack([ring(0.9), ring(0.9), np.zeros((14, 16))], axis=-1) >= 0.5).astype(np.uint8)
    for name, values in (("case.nii.gz", maps), ("case_gt.nii.gz", label)):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / name)
    words = (str(tmp_path / "case.nii.gz"), str(tmp_path / "case_gt.nii.gz"), "--slices", "2")
    trials = told(capsys, *words, "--corruption", "lines", "--levels", "0", "2")["trials"]
    assert [trial["case"] for trial in trials] == [f"case, slice {number}" for number in range(3)] * 2
    assert [trial["wanted"] for trial in trials[:3]] == ["1,1", "1,1", "0,0"]
    assert [trial["right_before"] for trial in trials[:3]] == [0, 1, 1]
    assert "cut volumes with --slices" in refused(capsys, *words[:2], "--corruption", "lines", "--levels", "2")


def test_a_network_is_refined_anew_at_every_level(tmp_path, capsys, folders):
    torch.manual_seed(0)
    network = tp.networks.unet(channels=(2, 4)).eval()
    checkpoint = tp.networks.save(network, tmp_path / "net.safetensors")
    options = ("--network", str(checkpoint), "--levels", "0", "0.1", "--max-steps", "2", "--prior", "1,1")
    trials = told(capsys, *folders, *options)["trials"]
    image = torch.from_numpy(ring(0.3))[None, None]
    result = tp.refine(network, image, tp.BettiPrior(1, 1), activation="sigmoid", max_steps=2)
    target = torch.from_numpy(ring(0.9) >= 0.5)[None, None]
    assert trials[0]["dice_before"] == pytest.approx(tp.metrics.dice(result.reference >= 0.5, target).item())
    assert trials[0]["dice_after"] == pytest.approx(tp.metrics.dice(result.mask, target).item())
    assert len(trials) == 6


def test_without_files_the_phantoms(tmp_path, capsys, monkeypatch, folders):
    made = []

    def make(folder, *, count, seed, progress):
        made.append((count, seed, callable(progress)))
        for kind, source in zip(("images", "labels"), folders, strict=True):
            (folder / kind).symlink_to(source)
        torch.manual_seed(0)
        return tp.networks.save(tp.networks.unet(channels=(2, 4)), folder / "network.safetensors")

    monkeypatch.setattr(robustness, "make_phantoms", make)
    words = ("--phantoms", "5", "--seed", "4", "--levels", "0", "--max-steps", "1")
    assert [trial["wanted"] for trial in told(capsys, *words)["trials"]] == ["1,1"] * 3
    assert made == [(5, 4, True)]
    assert "--network needs IMAGES and LABELS" in refused(capsys, "--network", "x.safetensors")
    assert "--journal needs IMAGES and LABELS" in refused(capsys, "--journal", tmp_path / "j")
    assert "images need their LABELS" in refused(capsys, folders[0])


def test_a_broken_file_does_not_stop_the_others(folders, capsys):
    Path(folders[0], "faint.npy").write_bytes(b"no array")
    assert run(["robustness", *folders, "--levels", "0", "--json", "--max-steps", "2"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert {trial["case"] for trial in document["trials"]} == {"right", "torn"}
    assert "faint" in document["failures"][0]["file"]
    assert "error: 1 of 3 files failed" in captured.err


def test_wrong_words_are_told_before_any_work(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("topoprior.jobs.for_each", None)
    for words, message in (
        (["--levels", "0.5", "--corruption", "lines"], "a number of lines must be whole, got 0.5"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--figure", tmp_path / "x.jpg"], "x.jpg: the name must end in .png"),
        (["-o", tmp_path / "x.txt"], "x.txt: the name must end in .csv"),
        (["--json", "--csv"], "say --json or --csv, one of the two"),
        (["--prior", "1,1", "--priors", tmp_path / "p.csv"], "one of the two"),
    ):
        assert message in refused(capsys, *folders, *words)
