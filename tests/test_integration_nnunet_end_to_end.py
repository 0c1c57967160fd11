"""nnU-Net itself, from raw data to refined masks, by its own commands and on a CPU.

It is skipped where nnU-Net is not installed, as in the environment of the other tests: it brings many packages of its
own. ``nox -s nnunet`` installs it and runs this file; takes about five minutes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

import topoprior as tp
from nnunet_data import AFFINE, HEART, SHELL, TRAINER, slices, volumes
from topoprior.integrations.nnunet import TRAINERS
from topoprior.integrations.nnunet.model import Model
from topoprior.integrations.nnunet.predictions import read_prediction, refine_prediction

pytest.importorskip("nnunetv2", reason="nnU-Net has an environment of its own: nox -s nnunet")
pytestmark = [pytest.mark.timeout(3600), pytest.mark.filterwarnings("default")]

# Some package indices have PyTorch for CPUs, but torchvision for CUDA only, which then cannot be imported. nnU-Net uses
# none of it: it imports all of its trainers, one of them imports timm, and that imports torchvision.
TORCHVISION = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
CASES = {
    "heart": ("Dataset001_Heart", "2d", ".png", "heart_6", HEART),
    "shell": ("Dataset002_Shell", "3d_fullres", ".nii.gz", "shell_4", SHELL),
}


class World:
    """The folders of nnU-Net and its commands."""

    def __init__(self, root):
        self.root = root
        for name in ("raw", "preprocessed", "results", "trainers", "site"):
            (root / name).mkdir()
        (root / "trainers" / "tiny.py").write_text(TRAINER.replace("{epochs}", "4").replace("{steps}", "8"))
        self.environment = {
            "nnUNet_raw": root / "raw",
            "nnUNet_preprocessed": root / "preprocessed",
            "nnUNet_results": root / "results",
            "nnUNet_extTrainer": os.pathsep.join([str(TRAINERS), str(root / "trainers")]),
            "nnUNet_def_n_proc": "1",
            "nnUNet_n_proc_DA": "1",
            "OMP_NUM_THREADS": "1",
        }
        if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, check=False).returncode:
            (root / "site" / "sitecustomize.py").write_text(TORCHVISION)
            self.operators: dict = {}  # they are there as long as this is
            exec(TORCHVISION, self.operators)
            path = [str(root / "site"), os.environ.get("PYTHONPATH", "")]
            self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))

    def run(self, command, *arguments, status=0, **variables):
        """One of nnU-Net's commands, or the one of this package; its output."""
        found = subprocess.run(
            [Path(sys.executable).with_name(command), *map(str, arguments)],
            env={**os.environ, **{name: str(value) for name, value in (self.environment | variables).items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert found.returncode == status, found.stdout[-3000:]
        return found.stdout

    def model(self, name):
        dataset, configuration, *_ = CASES[name]
        return self.root / "results" / dataset / f"nnUNetTrainerTiny__nnUNetPlans__{configuration}"

    def image(self, name):
        dataset, _, ending, case, _ = CASES[name]
        return self.root / "raw" / dataset / "imagesTr" / f"{case}_0000{ending}"

    def predictions(self, name):
        return self.root / f"predicted_{name}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two data sets, planned, preprocessed, trained and predicted."""
    made = World(tmp_path_factory.mktemp("nnunet"))
    slices(made.root / "raw" / "Dataset001_Heart")
    volumes(made.root / "raw" / "Dataset002_Shell")
    os.environ.update({name: str(value) for name, value in made.environment.items() if name.startswith("nnUNet")})
    for number, name in enumerate(CASES, start=1):
        dataset, configuration, ending, case, priors = CASES[name]
        words = ("-c", configuration, "-np", 1, "-npfp", 1, "--verify_dataset_integrity")
        made.run("nnUNetv2_plan_and_preprocess", "-d", number, *words)
        folder = made.root / "preprocessed" / dataset
        plans = json.loads((folder / "nnUNetPlans.json").read_text())
        plan = plans["configurations"][configuration]
        plan["architecture"]["arch_kwargs"]["features_per_stage"] = (
            [8, 16, 32, 64, 64] if name == "heart" else [8, 16, 32]
        )
        if name == "shell":
            plan["patch_size"] = [24, 20, 16]  # less than the volumes, so that there are windows
        (folder / "nnUNetPlans.json").write_text(json.dumps(plans))
        stem = case.split("_")[0]
        cases = [f"{stem}_{k}" for k in range(8 if name == "heart" else 6)]
        (folder / "splits_final.json").write_text(json.dumps([{"train": cases[:-2], "val": cases[-2:]}]))
        settings = {"priors": priors, "weight": 0.02, "start": 0.25, "full": 0.25}
        (folder / "topoprior.json").write_text(json.dumps(settings))
        made.run(
            "nnUNetv2_train", number, configuration, 0, "-tr", "nnUNetTrainerTiny", "-device", "cpu",
            nnUNet_n_proc_DA=0,
        )  # fmt: skip
        inputs = made.root / f"images_{name}"
        inputs.mkdir()
        for file in made.image(name).parent.glob(f"{case}_*{ending}"):
            (inputs / file.name).symlink_to(file)
        made.run(
            "nnUNetv2_predict", "-i", inputs, "-o", made.predictions(name), "-d", number, "-c", configuration,
            "-tr", "nnUNetTrainerTiny", "-f", 0, "-device", "cpu", "-npp", 1, "-nps", 1, "--save_probabilities",
        )  # fmt: skip
    return made


@pytest.mark.parametrize("name", CASES)
def test_the_topology_loss_falls_while_nnunet_trains(world, name):
    log = min((world.model(name) / "fold_0").glob("training_log*.txt"))  # the first, if others have tried since
    lines = log.read_text()
    assert "topology (training): the prior has not come in yet" in lines
    found = {}
    for what in ("training", "validation"):
        losses = [float(loss) for loss in re.findall(rf"topology \({what}\): loss ([\d.]+), asked of [1-9]", lines)]
        print(name, what, losses)
        assert len(losses) == 3
        found[what] = losses
    assert found["training"][-1] < found["training"][0] / 2
    assert found["validation"][-1] < found["training"][0]  # of four patches, and right early: it goes up and down
    assert json.loads((world.model(name) / "fold_0" / "topoprior.json").read_text())["weight"] == 0.02


def test_trainers_are_found_from_outside(world):
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    for name, epochs in (("nnUNetTrainerBettiPrior", None), ("nnUNetTrainerBettiPrior_50epochs", 50)):
        found = recursive_find_trainer_class_by_name(name)
        assert found.__mro__[1].__name__ == "BettiPriorMixin"
        assert epochs is None or found.__mro__[2].__name__ == f"nnUNetTrainer_{epochs}epochs"


def test_without_settings_the_trainer_says_what_it_needs(world):
    words = ("1", "2d", "0", "-tr", "nnUNetTrainerTiny", "-device", "cpu")
    told = world.run("nnUNetv2_train", *words, status=1, TOPOPRIOR_NNUNET="nowhere.json")
    assert "FileNotFoundError: nowhere.json does not exist: this trainer needs to know which topology" in told


@pytest.mark.parametrize("name", CASES)
def test_probabilities_lie_where_the_mask_of_nnunet_lies(world, name):
    *_, ending, case, _ = CASES[name]
    found = read_prediction(world.predictions(name) / f"{case}.npz")
    numbers = found.labels.numbers(found.probability > 0.5 if found.labels.has_regions else found.probability)
    np.testing.assert_array_equal(found.labels.label_map(numbers), found.image.array)
    assert found.image.path.name == f"{case}{ending}"
    assert len(np.unique(found.image.array)) > 1


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_refined_without_copying_files(world, name, tmp_path):
    """The network of the hearts is wrong enough by itself; through the shell a tunnel is bored."""
    _, _, ending, case, priors = CASES[name]
    folder = shutil.copytree(world.predictions(name), tmp_path / "predictions")
    if name == "shell":
        probability = np.load(folder / f"{case}.npz")["probabilities"]
        _, row, column = (round(float(places.mean())) for places in np.nonzero(probability[1] > 0.5))
        probability[:, :, row, column] = probability[:, :, row, column].clip(max=0.4)
        np.savez(folder / f"{case}.npz", probabilities=probability)
    words = [f"{union}={prior}" for union, prior in priors.items()]
    told = world.run(
        "topoprior", "refine", folder, "--prior", *words, "--guarantee", "--max-steps", 60, "-o", tmp_path / "masks",
        "--json",
    )  # fmt: skip
    (row,) = json.loads(told[told.index("{") :])["results"]
    print(name, {key: row[key] for key in ("betti_before", "betti_after", "pixels_changed", "stop_reason")})
    topology = row["history"]["topology"]
    print(name, "topology", topology[0], "->", min(topology))
    assert row["wrong_before"]
    assert row["succeeded"]
    assert min(topology) < topology[0]
    same_geometry(tmp_path / "masks" / f"{case}{ending}", folder / f"{case}{ending}")


@pytest.mark.parametrize("name", CASES)
def test_windows_say_what_nnunet_says(world, name):
    """But for half precision: nnU-Net adds in it, and in the corners of an image weights of windows underflow."""
    model = Model.read(world.model(name))
    data, _ = model._preprocessed(model._channels(world.image(name)), None)
    network, padded = model._in_windows(data, flat=False)
    assert len(network.windows) == (1 if name == "heart" else 8)
    assert len(network.mirrored) == (4 if name == "heart" else 8)
    with torch.no_grad():
        ours = network(padded)[0]
    theirs = model.predictor.predict_sliding_window_return_logits(data).float()
    weights = torch.zeros(padded.shape[2:])
    for window in network.windows:
        weights[window] += network.weight
    difference = (ours - theirs).abs().amax(0)
    print(name, "largest difference of logits", difference[weights > 1e-3].max(), "of", theirs.abs().max())
    assert difference[weights > 1e-3].max() < 0.01 * theirs.abs().max()
    assert difference.mean() < 0.005 * theirs.abs().max()


@pytest.mark.parametrize("name", CASES)
def test_a_trained_model_is_refined_on_an_image(world, name):
    *_, case, priors = CASES[name]
    model = Model.read(world.model(name), mirror=False)
    weights = {key: value.clone() for key, value in model.predictor.network.state_dict().items()}
    prior = model.labels.priors(priors)
    result, prediction = model.refine(
        world.image(name), prior, weight=1.0, learning_rate=1e-3, max_steps=6, patience=None
    )
    topology = result.history["topology"]
    print(name, "topology", topology[0], "->", topology[-1], result.betti_before.tolist(), result.betti_after.tolist())
    assert topology[-1] < topology[0]
    for key, value in model.predictor.network.state_dict().items():
        assert torch.equal(value, weights[key]), "the model itself was changed"
    own = read_prediction(world.predictions(name) / f"{case}.npz")
    assert prediction.probability.shape == own.probability.shape
    assert np.abs(prediction.probability - own.probability).mean() < 0.1  # without mirrored views
    written = model.labels.label_map(result.labels[0].numpy())
    assert written.shape == prediction.image.array.shape
    same = refine_prediction(own, prior, max_steps=0)
    assert same.betti_before.shape == result.betti_before.shape


def test_the_command_refines_a_model(world, tmp_path):
    words = [f"{union}={prior}" for union, prior in SHELL.items()]
    told = world.run(
        "topoprior", "refine", world.root / "images_shell", "--network", f"nnunet:{world.model('shell')}/fold_0",
        "--prior", *words, "--max-steps", 2, "--guarantee", "-o", tmp_path / "masks", "--json",
    )  # fmt: skip
    (row,) = json.loads(told[told.index("{") :])["results"]
    assert row["succeeded"]
    same_geometry(tmp_path / "masks" / "shell_4.nii.gz", world.image("shell"))
    values = np.asarray(nibabel.load(tmp_path / "masks" / "shell_4.nii.gz").dataobj)
    for name, mask in (("whole", values > 0), ("core", values == 2)):
        assert tp.betti_numbers(mask[None, None]).tolist() == [[[1, 0, 0]]], name


def same_geometry(path, other):
    if path.suffix == ".png":
        with Image.open(path) as ours, Image.open(other) as theirs:
            assert ours.size == theirs.size
        return
    ours, theirs = nibabel.load(path), nibabel.load(other)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-5)
    np.testing.assert_allclose(ours.affine, AFFINE, atol=1e-5)
