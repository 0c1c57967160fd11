"""``topoprior predict``: files in, masks with the values and the geometry that belong to them out."""

import json
import pickle
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from topoprior.cli import run
from topoprior.cli.predict.prediction import Prediction
from topoprior.imaging import networks
from topoprior.imaging.preparation import Preparation
from topoprior.imaging.recipe import Recipe

AFFINE = np.array([[0, -1.5, 0, 3], [1.25, 0, 0, 4], [0, 0, 8, 5], [0, 0, 0, 1.0]])
BRIGHT = """
import torch

class Bright(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(20.0))
        self.channels = channels

    def forward(self, images):
        values = images.mean(1, keepdim=True)
        if self.channels == 1:
            return self.weight * (values - 0.5)
        return -self.weight * (values - torch.arange(float(self.channels)).view(-1, 1, 1)).abs()

def network(spatial_dims, in_channels, out_channels):
    return Bright(out_channels)
"""


def checkpoint(*, classes=None, post_processing=None, preparation=None, **recipe):
    """A network that finds what is bright, with its recipe."""
    classes = classes or {"wall": (5,)}
    channels = 1 if len(classes) == 1 else len(classes) + 1
    preparation = preparation or Preparation(slices=2, size=(9, 8), normalisation="none")
    made = Recipe(preparation=preparation, classes=classes, **recipe)
    arguments = {"spatial_dims": 2, "in_channels": made.channels, "out_channels": channels}
    return networks.save(
        networks.build("bright_network:network", arguments),
        Path("best.safetensors"),
        activation="sigmoid" if channels == 1 else "softmax",
        factory="bright_network:network",
        metadata=made.as_metadata() | {"post_processing": post_processing},
        overwrite=True,
    )


def blocks():
    values = np.zeros((11, 7, 2), np.float32)
    values[3:8, 2:6, 0] = 1
    values[5, 3, 0] = 0  # a hole
    values[2:4, 1:6, 1] = 1
    return values


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bright_network.py").write_text(BRIGHT)
    Path("images").mkdir()
    for name in ("a", "b"):
        nibabel.save(nibabel.Nifti1Image(blocks(), AFFINE), f"images/{name}.nii.gz")
    return tmp_path


def predict(*arguments):
    return run(["predict", *arguments, "--checkpoint", "best.safetensors"])


def test_a_folder_of_stacks(folder, capsys):
    checkpoint()
    assert predict("images", "-o", "masks", "--probability", "maps") == 0
    output = capsys.readouterr()
    assert [line.split() for line in output.out.splitlines()] == [
        ["file", "wall", "output"],
        ["images/a.nii.gz", "29", "masks/a.nii.gz"],
        ["images/b.nii.gz", "29", "masks/b.nii.gz"],
    ]
    mask = nibabel.load("masks/b.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(mask.get_fdata(), 5 * blocks())
    np.testing.assert_array_equal(mask.affine, AFFINE)
    maps = nibabel.load("maps/a.nii.gz")
    assert maps.get_data_dtype() == np.float32
    np.testing.assert_array_equal(maps.get_fdata() >= 0.5, blocks() > 0)


def test_a_second_run_goes_on_where_the_first_stopped(folder, capsys):
    checkpoint()
    Path("images/broken.nii.gz").write_bytes(b"no image")
    assert predict("images", "-o", "masks") == 1
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 3  # the others are done
    assert "images/broken.nii.gz cannot be read as NIfTI" in output.err
    nibabel.save(nibabel.Nifti1Image(blocks(), AFFINE), "images/broken.nii.gz")
    before = Path("masks/a.nii.gz").stat().st_mtime_ns
    assert predict("images", "-o", "masks") == 0
    output = capsys.readouterr()
    assert "2 of 3 files were done before" in output.err
    assert len(output.out.splitlines()) == 4
    assert Path("masks/a.nii.gz").stat().st_mtime_ns == before
    assert predict("images", "-o", "masks", "--post-processing", "closing,radius=1") == 1
    assert "post-processing" in capsys.readouterr().err


def test_pngs_keep_the_values_of_the_labels(folder, capsys):
    checkpoint(preparation=Preparation(normalisation="none"), classes={"x": (255,)})
    Pillow.fromarray((255 * blocks()[..., 0]).astype(np.uint8)).save("one.png")
    assert predict("one.png", "-o", "mask.png", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "results": [{"file": "one.png", "pixels": {"x": 19}, "output": "mask.png"}]
    }
    np.testing.assert_array_equal(np.asarray(Pillow.open("mask.png")), 255 * blocks()[..., 0])


def test_channels_of_one_image(folder, capsys):
    checkpoint(channels=2, channel_numbers=True)
    Path("pairs").mkdir()
    nibabel.save(nibabel.Nifti1Image(2 * blocks(), AFFINE), "pairs/p_0000.nii.gz")
    nibabel.save(nibabel.Nifti1Image(0 * blocks(), AFFINE), "pairs/p_0001.nii.gz")
    assert predict("pairs", "-o", "masks") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["pairs/p.nii.gz", "29", "masks/p.nii.gz"]
    np.testing.assert_array_equal(nibabel.load("masks/p.nii.gz").get_fdata(), 5 * blocks())
    assert predict("images", "-o", "masks") == 1
    assert "names must end in the number of a channel" in capsys.readouterr().err


def test_the_number_of_a_single_channel_is_left_out_of_the_name(folder, capsys):
    checkpoint(channel_numbers=True)
    Path("images/a.nii.gz").rename("images/a_0000.nii.gz")
    assert predict("images/a_0000.nii.gz", "-o", "masks") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["images/a_0000.nii.gz", "29", "masks/a.nii.gz"]
    assert predict("images/b.nii.gz", "-o", "masks") == 0  # without numbers as it is


def test_several_classes_have_a_map_each(folder, capsys):
    checkpoint(classes={"low": (4,), "high": (2, 3)})
    values = blocks()
    values[5, 4, 0] = 2
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), "images/a.nii.gz")
    assert predict("images/a.nii.gz", "-o", "masks", "--probability", "maps") == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["file", "low", "high", "output"]
    assert {path.name for path in Path("maps").iterdir()} == {"a_low.nii.gz", "a_high.nii.gz"}
    np.testing.assert_array_equal(nibabel.load("masks/a.nii.gz").get_fdata(), np.choose(values.astype(int), [0, 4, 2]))
    assert np.argwhere(nibabel.load("maps/a_high.nii.gz").get_fdata() > 0.5).tolist() == [[5, 4, 0]]
    assert predict("images/b.nii.gz", "-o", "m.nii.gz", "--probability", "p.nii.gz") == 1
    assert "p.nii.gz: the probabilities of 2 classes need a folder" in capsys.readouterr().err


def hole(path):
    return nibabel.load(path).get_fdata()[5, 3, 0] == 0


def test_post_processing_of_the_checkpoint_and_of_the_command(folder, capsys):
    checkpoint(post_processing={"name": "closing", "radius": 1})
    assert predict("images/a.nii.gz", "-o", "closed.nii.gz") == 0
    assert not hole("closed.nii.gz")
    assert predict("images/a.nii.gz", "-o", "plain.nii.gz", "--post-processing", "none") == 0
    assert hole("plain.nii.gz")
    checkpoint(prior={"wall": "1,0"})
    assert predict("images/a.nii.gz", "-o", "filled.nii.gz", "--post-processing", "components") == 0
    assert not hole("filled.nii.gz")
    components = ["--post-processing", "components"]
    assert predict("images/a.nii.gz", "-o", "ring.nii.gz", *components, "--prior", "1,1") == 0
    assert hole("ring.nii.gz")
    Path("priors.csv").write_text('slice,prior\n0,"1,1"\n1,"1,0"\n')
    assert predict("images", "-o", "table", *components, "--priors", "priors.csv") == 0
    assert hole("table/b.nii.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--post-processing", "closing,radius"], "takes a name and options, as in closing,radius=3"),
        (["--post-processing", "opening"], "name of the post-processing must be one of"),
        (["--post-processing", "closing,size=3"], "closing has no option 'size'"),
        (["--prior", "1,1"], "--prior and --priors are for --post-processing components"),
        (["--post-processing", "components"], "needs --prior or --priors: the checkpoint has no prior"),
        (["--post-processing", "components", "--prior", "1,1", "--priors", "x.csv"], "one of the two"),
    ],
)
def test_arguments_that_are_wrong(folder, capsys, arguments, message):
    checkpoint()
    assert predict("images", "-o", "masks", *arguments) == 1
    assert message in capsys.readouterr().err
    assert not Path("masks").exists()


def test_nothing_is_written_over(folder, capsys):
    checkpoint()
    assert predict("images", "-o", "images") == 1
    assert "would be written over the input" in capsys.readouterr().err
    Path("mask.nii.gz").touch()
    assert predict("images/a.nii.gz", "-o", "mask.nii.gz") == 1
    assert "mask.nii.gz exists already" in capsys.readouterr().err
    assert predict("images/a.nii.gz", "-o", "mask.nii.gz", "--overwrite") == 0


def test_a_checkpoint_without_recipe(folder, capsys):
    networks.save(
        networks.build("bright_network:network", {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}),
        "best.safetensors",
        factory="bright_network:network",
    )
    assert predict("images", "-o", "masks") == 1
    assert "best.safetensors does not say how images are prepared for it" in capsys.readouterr().err


def test_the_work_can_be_sent_to_other_processes(folder):
    work = Prediction(checkpoint(), None, "cpu", "run")
    work.segmenter()  # which stays here
    assert pickle.loads(pickle.dumps(work)) == work
    assert len(pickle.dumps(work)) < 1000
