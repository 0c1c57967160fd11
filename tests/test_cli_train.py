"""``topoprior train``: from folders and one file to a run's folder; all that is wrong is told before it begins."""

import json
from pathlib import Path

import numpy as np
import pytest

import topoprior.training
from topoprior.cli import run
from topoprior.cli.train.configuration import example, read_configuration
from topoprior.imaging import networks
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe, recipe_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made

CONFIGURATION = """
name: mine
method: prior
data:
  images: images
  labels: labels
  unlabelled: more
  classes: {ring: 2}
  prior: 1,1
  preparation: {size: [16, 18], normalisation: minmax}
  validation: {share: 0.3}
network: {channels: [2, 4], residual_units: 0}
supervised: {steps: 2, validate_every: 1, batch_size: 2}
prior: {steps: 2, validate_every: 2, batch_size: 2, unlabelled_batch_size: 2}
hardware: {device: cpu, threads: 1}
"""


def ring(shape=(17, 20)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - 8, columns - 9)
    return (distance > 3) & (distance < 6)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Rings in noise: four labelled images, two without labels, and run.yaml, in the current folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for place, names in (("images", "abcd"), ("more", "ef")):
        Path(place).mkdir()
        for name in names:
            np.save(f"{place}/{name}.npy", (ring() + random.normal(0, 0.2, (17, 20))).astype(np.float32))
    Path("labels").mkdir()
    for name in "abcd":
        np.save(f"labels/{name}_gt.npy", (2 * ring()).astype(np.uint8))
    Path("run.yaml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """What ``fit`` was called with, in place of a training."""
    seen = []

    def fit(settings, **options):
        seen.append((settings, options))
        return topoprior.training.TrainingResult(None, "sigmoid", (), (), None, 0.0, options["folder"])

    monkeypatch.setattr(topoprior.training, "fit", fit)
    return seen


def test_a_run_from_the_file_to_the_checkpoint(folder, capsys):
    assert run(["train", "--config", "run.yaml", "--seed", "5", "supervised.steps=3"]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].split() == ["phase", "steps", "kept", "Dice", "right", "topology", "topology", "loss", "stopped"]
    assert [line.split()[:2] for line in lines[1:3]] == [["supervised", "3"], ["prior", "2"]]
    assert lines[-1] == "The network is runs/mine/checkpoints/best.safetensors"
    assert "supervised 3/3  validation dice" in output.err
    assert {path.name for path in Path("runs/mine").iterdir()} == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
    }
    assert read_configuration(Path("runs/mine/config.yaml")) == read_configuration(
        Path("run.yaml"), ["seed=5", "supervised.steps=3"]
    )
    assert "torch" in json.loads(Path("runs/mine/environment.json").read_text())
    checkpoint = Path("runs/mine/checkpoints/best.safetensors")
    assert recipe_of(networks.load(checkpoint), checkpoint) == Recipe(
        preparation=Preparation(size=(16, 18), normalisation="minmax"), classes={"ring": (2,)}, prior={"ring": "1,1"}
    )


def test_a_run_that_has_begun(folder, capsys):
    first = ["train", "--config", "run.yaml", "--resume", "method=supervised"]  # begins, as there is nothing to resume
    assert run(first) == 0
    ended = capsys.readouterr().out
    assert run(first[:3]) == 1
    assert "error: runs/mine holds a run already: go on with it (--resume), begin anew" in capsys.readouterr().err
    assert run([*first, "supervised.steps=9", "data.classes.ring=3"]) == 1
    error = capsys.readouterr().err
    assert "runs/mine cannot be resumed with another configuration: " in error
    assert "supervised.steps was 2 and is now 9" in error
    assert "data.classes.ring was 2 and is now 3" in error
    assert run([*first, "--overwrite"]) == 1
    assert "say --resume or --overwrite, one of the two" in capsys.readouterr().err
    Path("runs/mine/tensorboard/of-the-old-run").touch()
    assert run(first) == 0  # done already: the same end
    assert capsys.readouterr().out == ended
    assert Path("runs/mine/tensorboard/of-the-old-run").exists()
    assert run([*first[:3], "--overwrite", "method=supervised"]) == 0
    assert capsys.readouterr().out == ended
    assert not Path("runs/mine/tensorboard/of-the-old-run").exists()


def test_what_fit_is_given(folder, calls, capsys):
    assert run(["train", "-c", "run.yaml", "--name", "007", "--device", "auto", "data.validation.share=0.25"]) == 0
    [(settings, given)] = calls
    assert type(settings) is topoprior.training.TrainingSettings
    assert settings.hardware.device == "auto"
    assert [len(given[name]) for name in ("labelled", "validation", "unlabelled")] == [3, 1, 2]
    assert given["labelled"].images.shape == (3, 1, 16, 18)
    assert given["labelled"].priors is None
    assert given["unlabelled"].labels is None
    for name in ("validation", "unlabelled"):
        assert [[str(prior) for prior in priors] for priors in given[name].priors] == [["1,1"]] * len(given[name])
    assert given["folder"] == Path("runs/007")
    assert not given["resume"]


def test_validation_images_of_its_own(folder, calls):
    changes = ["data.validation.images=images/[ab].npy", "data.validation.labels=labels/[ab]_gt.npy"]
    apart = ["data.images=images/[cd].npy", "data.labels=labels/[cd]_gt.npy"]
    assert run(["train", "-c", "run.yaml", *changes, *apart]) == 0
    assert calls[0][1]["labelled"].names == ("c.npy", "d.npy")
    assert calls[0][1]["validation"].names == ("a.npy", "b.npy")


def test_supervised_training_reads_no_unlabelled_images(folder, calls):
    assert run(["train", "-c", "run.yaml", "method=supervised", "data.unlabelled=nowhere"]) == 0
    assert calls[0][1]["unlabelled"] is None


def test_a_table_of_priors(folder, calls):
    rows = "".join(f'{name}.npy,"1,{number}"\n' for number, name in enumerate("abcdef"))
    Path("priors.csv").write_text(f"file,prior\n{rows}")
    assert run(["train", "-c", "run.yaml", "data.prior=priors.csv"]) == 0
    given = calls[0][1]
    assert [str(prior) for [prior] in given["unlabelled"].priors] == ["1,4", "1,5"]
    assert Recipe.from_metadata(given["metadata"]).prior is None


def wrong_pair():
    Path("labels/b_gt.npy").unlink()


def wrong_shape():
    np.save("images/b.npy", np.zeros((30, 20), np.float32))
    np.save("labels/b_gt.npy", np.full((30, 20), 2, np.uint8))


def wrong_folder():
    for path in Path("more").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (None, ["supervised.stesp=3"], "unknown key supervised.stesp; did you mean supervised.steps?"),
        (wrong_pair, [], "1 of 4 images in images have no label in labels: b.npy"),
        (wrong_shape, ["data.preparation.size=none"], "images must have one shape to be trained on together"),
        (None, ["data.classes.hole=7", "data.prior={ring: '1,1'}"], "the class 'hole' (label 7) occurs in none of the"),
        (wrong_folder, [], "more holds no image (.nii.gz, .nii, .png, .npy)"),
        (None, ["data.unlabelled=none"], "data.unlabelled is missing: method prior learns from unlabelled images"),
        (
            None,
            ["data.validation.images=images", "data.validation.labels=labels"],
            "4 of the validation images are trained on too, the first is images/a.npy",
        ),
        (None, ["post_processing.name=clossing"], "name of the post-processing must be one of"),
        (None, ["data.prior={rng: '1,1'}"], "prior is given for 'rng', but the classes are ring; did you mean ring?"),
        (None, ["data.prior=1,1,1"], "validation cases: "),
        (None, ["hardware.devices=3"], "batch_size of supervised must be a multiple of the 3 devices, got 2"),
        (None, ["data.preparation.spacing=[1, 1]"], "its pixels have no size in millimetres"),
    ],
)
def test_what_is_wrong_is_told_before_training(folder, calls, capsys, change, arguments, message):
    if change is not None:
        change()
    assert run(["train", "--config", "run.yaml", *arguments]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.out == ""
    assert not calls
    assert not Path("runs").exists()


def test_a_gpu_that_is_not_there(folder, calls, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["train", "--config", "run.yaml", "--device", "cuda"]) == 1
    assert "--device cuda needs a GPU" in capsys.readouterr().err
    assert not calls
    assert not Path("runs").exists()


def test_json(folder, capsys):
    assert run(["train", "--config", "run.yaml", "--json", "method=supervised"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [phase["name"] for phase in document["phases"]] == ["supervised"]
    assert document["checkpoint"] == "runs/mine/checkpoints/best.safetensors"


def test_the_example_is_printed_and_can_be_trained(folder, calls, capsys):
    import nibabel

    assert run(["train", "--example"]) == 0
    text = capsys.readouterr().out
    assert text == example()
    Path("example.yaml").write_text(text)
    for place in ("imagesTr", "labelsTr", "imagesUnlabelled"):
        Path(f"dataset/{place}").mkdir(parents=True)
        for patient in ("patient001", "patient002"):
            label = place == "labelsTr"
            values = np.stack([2 * ring(), 0 * ring()], axis=2).astype(np.uint8 if label else np.float32)
            name = f"{patient}.nii.gz" if label else f"{patient}_0000.nii.gz"
            nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.6, 8, 1])), f"dataset/{place}/{name}")
    assert run(["train", "--config", "example.yaml"]) == 0
    given = calls[0][1]
    assert given["labelled"].names == ("patient001.nii.gz, slice 0", "patient001.nii.gz, slice 1") or given[
        "validation"
    ].names == ("patient001.nii.gz, slice 0", "patient001.nii.gz, slice 1")
    assert given["labelled"].images.shape == (2, 1, 80, 80)
    assert Recipe.from_metadata(given["metadata"]).channel_numbers


def test_only_the_first_of_several_processes_writes_and_tells(folder, calls, capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert run(["train", "--config", "run.yaml"]) == 0
    assert len(calls) == 1
    assert not Path("runs").exists()
    assert capsys.readouterr().out == ""


def test_something_to_train_must_be_said(folder, capsys):
    assert run(["train"]) == 1
    assert (
        "say what to train with --config FILE; topoprior train --example prints such a file" in capsys.readouterr().err
    )
