"""The bundle in examples/ trains, evaluates and predicts from MONAI's command line."""

import csv
import runpy
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.networks.nets import UNet

import topoprior as tp

BUNDLE = Path(__file__).parent.parent / "examples" / "monai_bundle"
pytestmark = pytest.mark.filterwarnings("ignore")  # of MONAI, ignite and fire, in all that a command line does


def run(*arguments):
    """What ``python -m monai.bundle run ...`` does, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["monai.bundle", "run", *map(str, arguments)])
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A copy of the bundle with small phantoms, trained for some epochs with the prior from the first."""
    home = tmp_path_factory.mktemp("bundle") / "monai_bundle"
    shutil.copytree(BUNDLE, home)
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(sys, "argv", ["make_phantoms.py", "data", "--count", "6", "--size", "40"])
        runpy.run_path("scripts/make_phantoms.py", run_name="__main__")
        short = ("--labelled", 2, "--validation", 2, "--max_epochs", 8, "--val_interval", 8, "--prior_from_epoch", 1)
        run("--config_file", "configs/train.json", "--meta_file", "configs/metadata.json", *short)
        yield home
    torch.use_deterministic_algorithms(deterministic[0])
    torch.backends.cudnn.deterministic = deterministic[1]


def untrained():
    torch.manual_seed(0)
    return UNet(2, 1, 1, (8, 16, 32), (2, 2))


def topology_loss(network, folder):
    images = [nib.load(path).get_fdata(dtype=np.float32) for path in sorted((folder / "images").iterdir())[2:4]]
    batch = torch.stack([torch.from_numpy((one - one.min()) / (one.max() - one.min()))[None] for one in images])
    with torch.no_grad():
        return tp.BettiPriorLoss(tp.BettiPrior(1, 1), sigmoid=True)(network(batch)).item()


def test_training_lowers_the_topology_loss_of_unlabelled_images(bundle):
    network = untrained()
    before = topology_loss(network, bundle / "data")
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    assert topology_loss(network, bundle / "data") < 0.8 * before


def training(bundle, **settings):
    files = {"config_file": str(bundle / "configs/train.json"), "meta_file": str(bundle / "configs/metadata.json")}
    workflow = ConfigWorkflow(**files, workflow_type="train", labelled=2, validation=2, **settings)
    workflow.initialize()
    return workflow


def test_of_equally_good_networks_the_last_is_kept(bundle, tmp_path):
    never = {"betti_numbers": [9, 9], "prior_from_epoch": 9, "max_epochs": 2, "val_interval": 1}
    workflow = training(bundle, ckpt_dir=str(tmp_path), **never)
    workflow.run()
    last = workflow.parser.get_parsed_content("network").state_dict()
    torch.testing.assert_close(torch.load(tmp_path / "model.pt", weights_only=True), last)


def test_labels_are_found_by_the_names_of_their_images(bundle, tmp_path):
    shutil.copytree(bundle / "data", tmp_path / "data")
    (tmp_path / "data" / "labels" / "ring_02.nii.gz").rename(tmp_path / "data" / "labels" / "another.nii.gz")
    parsed = training(bundle, dataset_dir=str(tmp_path / "data")).parser.get_parsed_content
    pairs = [*parsed("train#dataset").data, *parsed("validate#dataset").data]
    names = [(Path(pair["image"]).name, Path(pair["label"]).name) for pair in pairs]
    assert names == [(f"ring_0{number}.nii.gz",) * 2 for number in (0, 1, 4, 5)]


def test_evaluation_writes_the_metrics(bundle):
    files = "['configs/train.json','configs/evaluate.json']"
    run("--config_file", files, "--meta_file", "configs/metadata.json", "--labelled", 2, "--validation", 2)
    rows = dict(csv.reader((bundle / "eval" / "metrics.csv").read_text().splitlines()))
    assert set(rows) == {"val_topological_success", "val_betti_error", "val_mean_dice"}
    assert 0 <= float(rows["val_mean_dice"]) <= 1


def test_inference_writes_masks_with_the_topology_and_the_geometry_of_the_images(bundle):
    run("--config_file", "configs/inference.json", "--meta_file", "configs/metadata.json", "--max_steps", 3)
    masks = sorted((bundle / "masks").iterdir())
    assert [path.name for path in masks] == [f"ring_{number:02d}.nii.gz" for number in range(6)]
    for path in masks:
        mask, image = nib.load(path), nib.load(bundle / "data" / "images" / path.name)
        assert mask.get_data_dtype() == np.uint8
        np.testing.assert_allclose(mask.affine, image.affine)
        values = torch.from_numpy(np.asarray(mask.dataobj)).reshape(1, 1, 40, 40)
        assert tp.betti_numbers(values).tolist() == [[[1, 1]]]


@pytest.mark.parametrize(
    ("configuration", "kind"),
    [("train.json", "train"), (["train.json", "evaluate.json"], "train"), ("inference.json", "infer")],
)
def test_configurations_have_what_monai_expects_of_a_bundle(bundle, configuration, kind):
    names = [configuration] if isinstance(configuration, str) else configuration
    workflow = ConfigWorkflow(
        config_file=[str(bundle / "configs" / name) for name in names],
        meta_file=str(bundle / "configs" / "metadata.json"),
        workflow_type=kind,
        labelled=2,
        validation=2,
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    assert workflow.version == "0.1.0"
