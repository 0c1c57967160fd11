"""Labels, predictions, windows and the command line, all that needs no nnU-Net.

tests/test_integration_nnunet_training.py has the trainer; test_integration_nnunet_end_to_end.py runs nnU-Net itself.
"""

import dataclasses
import json
import pickle
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch
from torch import nn

import topoprior as tp
from nnunet_data import AFFINE, NESTED, PLAIN
from topoprior.cli import run
from topoprior.integrations.nnunet import TRAINERS, regions
from topoprior.integrations.nnunet.geometry import affine_of, in_file_order, read_properties
from topoprior.integrations.nnunet.image_files import channel_file
from topoprior.integrations.nnunet.labels import Labels, find_dataset
from topoprior.integrations.nnunet.model import Model
from topoprior.integrations.nnunet.predictions import read_prediction, refine_prediction, write_prediction
from topoprior.integrations.nnunet.regions import completed_regions
from topoprior.integrations.nnunet.windows import InWindows


class TestLabels:
    def test_channels_follow_the_values_not_the_order_of_the_file(self):
        labels = Labels.of({"labels": {"b": 2, "background": 0, "a": 1, "ignore": 3}})
        assert (labels.names, labels.written, labels.ignored) == (("background", "a", "b"), (0, 1, 2), 3)
        assert (labels.activation, labels.classes) == ("softmax", ("background", "a", "b"))

    def test_regions_are_channels_and_are_painted_in_their_order(self):
        labels = Labels.of(NESTED)
        assert (labels.names, labels.values, labels.activation) == (("whole", "core"), ((1, 2), (2,)), "sigmoid")
        whole, core = np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool)
        numbers = labels.numbers(np.stack([whole, core]))
        assert numbers.tolist() == [[1, 2, 2]]
        assert labels.label_map(numbers).tolist() == [[1, 2, 2]]

    @pytest.mark.parametrize(
        ("dataset", "rule"),
        [
            ({}, "must have labels with background as 0, got None"),
            ({"labels": {"background": 1}}, "background as 0"),
            ({"labels": {"background": 0, "a": 2}}, r"must be 0, 1, 2, \.\.\. once each, got \[0, 2\]"),
            ({"labels": {"background": 0, "a": "1"}}, "'a' of dataset.json must be a whole number"),
            ({"labels": {"background": 0, "a": [1, 2]}}, r"regions_class_order for each of \['a'\], got None"),
        ],
    )
    def test_wrong_labels(self, dataset, rule):
        with pytest.raises(ValueError, match=rule):
            Labels.of(dataset)

    def test_values_beyond_8_bits(self):
        many = Labels.of({"labels": {"background": 0, **{f"l{k}": k for k in range(1, 300)}}})
        with pytest.raises(ValueError, match="values up to 255, got 299"):
            many.label_map(np.array([1]))

    def test_dataset_is_found_above(self, tmp_path):
        (tmp_path / "dataset.json").write_text(json.dumps(PLAIN))
        (tmp_path / "fold_0" / "validation").mkdir(parents=True)
        assert find_dataset(tmp_path / "fold_0" / "validation") == tmp_path.resolve() / "dataset.json"
        (tmp_path / "dataset.json").write_text("[]")
        with pytest.raises(ValueError, match="must hold an object, got list"):
            Labels.read(tmp_path / "dataset.json")


def save_case(folder, name, probability, properties, dataset, mask=None, ending=".nii.gz", affine=AFFINE):
    """Files as nnU-Net writes them; ``mask`` in the axes of the file."""
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", probabilities=probability)
    (folder / f"{name}.pkl").write_bytes(pickle.dumps(properties))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    if mask is not None:
        nibabel.save(nibabel.Nifti1Image(mask, affine), folder / f"{name}{ending}")
    return folder / f"{name}.npz"


def sitk(affine, axes=3):
    """The properties that SimpleITK's reader gives for an affine."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:axes, :axes], axis=0)
    direction = lps[:axes, :axes] / spacing
    stuff = {"spacing": tuple(spacing), "origin": tuple(lps[:axes, 3]), "direction": tuple(direction.ravel())}
    return {"sitk_stuff": stuff, "spacing": list(spacing[::-1])}


def broken_shell(shape=(14, 15, 16)):
    """A shell around a core as probabilities ``(class, x, y, z)``, with a hole that is nearly closed."""
    label = np.zeros(shape, int)
    wall = tp.phantoms.shell(size=14)
    label[:14, :14, :14][wall] = 1
    grid = np.linalg.norm((np.mgrid[:14, :14, :14] - 6.5) / 14, axis=0)
    label[:14, :14, :14][(grid <= 0.22) & ~wall] = 2
    probability = np.moveaxis(np.eye(3)[label], -1, 0) * 0.8 + 0.2 / 3
    line = (slice(None), 7, 7, slice(0, 5))
    probability[line] = np.array([0.55, 0.4, 0.05])[:, None]
    return probability.astype(np.float32), label


class TestPredictions:
    def prediction(self, tmp_path, **kwargs):
        probability, label = broken_shell()
        array = probability.transpose(0, 3, 2, 1)
        mask = probability.argmax(0).astype(np.uint8)
        return save_case(tmp_path / "out", "case", array, sitk(AFFINE), PLAIN, mask, **kwargs), probability, label

    def test_axes_are_those_of_the_mask(self, tmp_path):
        path, probability, _ = self.prediction(tmp_path)
        found = read_prediction(path)
        np.testing.assert_allclose(found.probability, probability, atol=1e-6)
        np.testing.assert_array_equal(found.image.array, probability.argmax(0))
        np.testing.assert_allclose(found.image.affine, AFFINE)

    def test_without_the_mask_the_geometry_comes_from_the_properties(self, tmp_path):
        path, probability, _ = self.prediction(tmp_path)
        path.with_name("case.nii.gz").unlink()
        found = read_prediction(path)
        np.testing.assert_allclose(found.probability, probability, atol=1e-6)
        np.testing.assert_allclose(found.image.affine, AFFINE, atol=1e-12)
        result = refine_prediction(found, found.labels.priors({"wall": "1,*,*"}))
        write_prediction(tmp_path / "mask.nii.gz", result, found)
        np.testing.assert_allclose(nibabel.load(tmp_path / "mask.nii.gz").affine, AFFINE, atol=1e-6)

    def test_the_reader_that_turns_axes(self, tmp_path):
        probability, _ = broken_shell()
        turned = nibabel.Nifti1Image(np.moveaxis(probability, 0, -1), AFFINE).as_reoriented(
            nibabel.orientations.io_orientation(AFFINE)
        )
        array = np.moveaxis(turned.get_fdata(dtype=np.float32), -1, 0).transpose(0, 3, 2, 1)
        assert array.shape[1:] != probability.shape[:0:-1]
        properties = {"nibabel_stuff": {"original_affine": AFFINE, "reoriented_affine": turned.affine}}
        mask = probability.argmax(0).astype(np.uint8)
        found = read_prediction(save_case(tmp_path / "out", "case", array, properties, PLAIN, mask))
        np.testing.assert_allclose(found.probability, probability, atol=1e-6)

    def test_the_other_reader(self):
        assert affine_of({"nibabel_stuff": {"original_affine": AFFINE}}).tolist() == AFFINE.tolist()
        np.testing.assert_allclose(affine_of(sitk(AFFINE)), AFFINE, atol=1e-12)

    def test_slices(self, tmp_path):
        """One slice, as PNG: rows and columns as they are."""
        array = np.zeros((2, 1, 5, 7), np.float32)
        placed, image = in_file_order(array, {"spacing": (999, 1, 1)}, like=None, path=tmp_path / "a.npz")
        assert placed.shape == (2, 5, 7)
        assert image.array.shape == (5, 7)
        placed, _ = in_file_order(array, sitk(np.eye(4), axes=2), like=None, path=tmp_path / "a.npz")
        assert placed.shape == (2, 7, 5)

    def test_refined_and_written(self, tmp_path):
        path, _, label = self.prediction(tmp_path)
        found = read_prediction(path)
        prior = found.labels.priors({"wall": "1,0,1", "cavity": "1,0,0"})
        result = refine_prediction(found, prior)
        assert result.betti_before.tolist() != result.betti_after.tolist()
        assert result.betti_after.tolist() == [[[1, 0, 1], [1, 0, 0]]]
        assert result.succeeded
        write_prediction(tmp_path / "mask.nii.gz", result, found)
        mask = nibabel.load(tmp_path / "mask.nii.gz")
        np.testing.assert_allclose(mask.affine, AFFINE)
        assert tp.class_topology(np.asarray(mask.dataobj).astype(int)[None], prior).success.all()
        assert (np.asarray(mask.dataobj) != label).sum() < 10

    def regions(self, tmp_path):
        probability, _ = broken_shell()
        channels = np.stack([probability[1:].sum(0), probability[2]])
        return save_case(tmp_path / "out", "case", channels.transpose(0, 3, 2, 1), sitk(AFFINE), NESTED)

    def test_regions(self, tmp_path):
        found = read_prediction(self.regions(tmp_path))
        prior = found.labels.priors({"whole": "1,0,0", "core": "1,0,0"})
        found.probability[1, 0, 0, 0] = 0.6  # a speck of the core, outside
        result = refine_prediction(found, prior)
        assert result.betti_before.tolist()[0][1] == [2, 0, 0]
        assert result.succeeded
        values = found.labels.label_map(result.labels[0].numpy())
        for name, wanted in (("whole", values > 0), ("core", values == 2)):
            assert tp.betti_numbers(wanted[None, None]).tolist() == [[[1, 0, 0]]], name

    def test_regions_are_judged_as_the_label_map_has_them(self, tmp_path):
        """A core beside the whole: each channel has one component, but the whole of the file has two."""
        array = np.zeros((2, 1, 6, 9), np.float32)
        array[0, 0, 1:5, 1:3] = 0.9
        array[1, 0, 1:5, 6:8] = 0.9
        found = read_prediction(save_case(tmp_path / "out", "case", array, {"spacing": (999, 1, 1)}, NESTED))
        result = refine_prediction(found, found.labels.priors({"whole": "1,0", "core": "1,0"}))
        assert result.betti_after.tolist() == [[[2, 0], [1, 0]]]
        assert not result.succeeded

    def test_guarantee_of_regions(self, tmp_path):
        found = read_prediction(self.regions(tmp_path))
        prior = found.labels.priors({"core": "2,0,0"})
        result = refine_prediction(found, prior, max_steps=0, guarantee=True)
        assert result.betti_after.tolist() == [[[2, 0, 0]]]
        assert (result.succeeded, result.stop_reason) == (True, "edited")

    def test_guarantee_of_regions_makes_all_of_them_right_together(self, tmp_path):
        """Each channel is right by itself, with nothing to edit. But in the label map the core is beside the whole."""
        array = np.full((2, 1, 6, 9), 0.1, np.float32)
        array[0, 0, 1:5, 1:3] = 0.9
        array[1, 0, 1:5, 6:8] = 0.6
        found = read_prediction(save_case(tmp_path / "out", "case", array, {"spacing": (999, 1, 1)}, NESTED))
        prior = found.labels.priors({"whole": "1,0", "core": "1,0"})
        result = refine_prediction(found, prior, max_steps=0, guarantee=True)
        assert (result.succeeded, result.stop_reason) == (True, "edited")
        assert result.betti_after.tolist() == [[[1, 0], [1, 0]]]
        told = found.labels.numbers(result.output[0, 1:].numpy() >= 0.5)
        np.testing.assert_array_equal(told, result.labels[0])

    def test_guarantee_of_regions_begins_anew_where_refinement_has_led_away(self, tmp_path):
        array = np.full((2, 1, 12, 13), 0.1, np.float32)
        array[0, 0, 1:11, 1:12] = 0.9
        array[:, 0, 5, 5] = 0.4  # a hole
        array[1, 0, 4:8, 4:8] = 0.8
        array[1, 0, 5, 5] = 0.4
        found = read_prediction(save_case(tmp_path / "out", "case", array, {"spacing": (999, 1, 1)}, NESTED))
        prior = found.labels.priors({"whole": "1,0", "core": "1,0"})
        result = refine_prediction(found, prior, max_steps=0)
        assert result.betti_before.tolist() == [[[1, 1], [1, 1]]]
        spoilt = result.output.clone()
        spoilt[:, 1:, ::2, ::2] = 0.1
        led_away = dataclasses.replace(result, output=spoilt, betti_after=result.betti_after + 20)
        conventions = {"construction": "T", "boundary": "background", "threshold": 0.5}
        mended = completed_regions(led_away, prior, found.labels, conventions)
        assert mended.succeeded
        assert mended.pixels_changed == 1

    @pytest.mark.parametrize("level", [0.5, 0.3])
    def test_label_maps_of_regions_are_edited_as_those_of_classes(self, level):
        dataset = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "active": [3]}
        labels = Labels.of({"labels": dataset, "regions_class_order": [1, 2, 3]})
        random = torch.Generator().manual_seed(0)
        channels = torch.rand(1, 3, 20, 31, generator=random).round(decimals=1)  # often the level itself
        level = torch.tensor(level).item()
        before = torch.from_numpy(labels.numbers((channels[0] >= level).numpy()))[None]
        classes = regions._classes(channels, level)
        torch.testing.assert_close(classes.argmax(1), before)
        torch.testing.assert_close(classes.sum(1), torch.ones(1, 20, 31))
        after = torch.where(torch.rand(before.shape, generator=random) < 0.5, before, before.flip(1))
        found = regions._leading(channels, before, after, labels, level)
        np.testing.assert_array_equal(labels.numbers((found[0] >= level).numpy()), after[0])
        same = (before == after)[:, None].expand_as(channels)
        assert torch.equal(found[same], channels[same])
        values = {one: "1,0" for one in dataset if one != "background"}
        assert regions._of_classes(labels.priors(values), labels).unions == ((3,), (2, 3), (1, 2, 3))

    def test_priors_of_regions_have_no_unions(self, tmp_path):
        found = read_prediction(self.regions(tmp_path))
        with pytest.raises(ValueError, match=r"none is known for 'whole\+core'"):
            refine_prediction(found, found.labels.priors({"whole+core": "1,0,0"}))

    def test_a_pickle_runs_nothing(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return print, ("run",)

        path = tmp_path / "case.pkl"
        path.write_bytes(pickle.dumps({"spacing": Evil()}))
        with pytest.raises(ValueError, match=r"case.pkl cannot be read .* it holds a builtins.print"):
            read_properties(path)
        path.write_bytes(pickle.dumps([np.eye(2), np.float32(1)]))
        with pytest.raises(ValueError, match="must hold a dictionary, got list"):
            read_properties(path)

    def test_what_does_not_belong_together(self, tmp_path):
        path, probability, _ = self.prediction(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"no.npz does not exist"):
            read_prediction(path.with_name("no.npz"))
        with pytest.raises(ValueError, match=r"probabilities of nnU-Net end in .npz"):
            read_prediction(path.with_suffix(".pkl"))
        nibabel.save(nibabel.Nifti1Image(np.zeros((14, 15, 17), np.uint8), AFFINE), path.with_name("case.nii.gz"))
        with pytest.raises(ValueError, match=r"shape \(14, 15, 16\), but .*case.nii.gz has \(14, 15, 17\)"):
            read_prediction(path)
        path.with_suffix(".pkl").unlink()
        with pytest.raises(FileNotFoundError, match="nnU-Net writes it with --save_probabilities"):
            read_prediction(path)
        for wrong, rule in (
            ({"softmax": probability}, "must hold 'probabilities', got softmax"),
            ({"probabilities": probability[0]}, r"floating point \(channel, z, y, x\), got float32 \(14, 15, 16\)"),
            ({"probabilities": probability[:2]}, "has 2 channels, but dataset.json has 3"),
            ({"probabilities": 9 * probability}, r"must lie in \[0, 1\]"),
            ({"probabilities": 0.5 * probability}, "must sum to 1"),
        ):
            np.savez(path, **wrong)
            with pytest.raises(ValueError, match=rule):
                read_prediction(path)
        path.write_bytes(b"no archive")
        with pytest.raises(ValueError, match="cannot be read as probabilities"):
            read_prediction(path)


WINDOWS = [(slice(a, a + 5), slice(b, b + 6)) for a in (0, 2, 4) for b in (0, 3, 5)]


class TestWindows:
    def networks(self, count):
        torch.manual_seed(0)
        return [
            nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, padding=1)).double()
            for _ in range(count)
        ]

    def plain(self, networks, image, weight, views):
        """The same by autograd alone."""
        total, count = torch.zeros(1, 3, *image.shape[2:], dtype=image.dtype), torch.zeros(image.shape[2:])
        for window in WINDOWS:
            place = (slice(None), slice(None), *window)
            for network in networks:
                for axes in views:
                    shifted = [axis + 2 for axis in axes]
                    part = torch.zeros_like(total)
                    part[place] = weight * torch.flip(network(torch.flip(image[place], shifted)), shifted)
                    total = total + part
                    count[window] += weight
        return total / count

    @pytest.mark.parametrize(("count", "views"), [(1, [()]), (2, [(), (0,), (1,), (0, 1)])])
    def test_map_and_gradient_are_those_of_the_whole(self, count, views):
        networks, image = self.networks(count), torch.randn(1, 2, 9, 11, dtype=torch.float64)
        weight = torch.rand(5, 6, dtype=torch.float64) + 0.1
        applied = InWindows(networks, WINDOWS, weight, mirrored=views)

        def loss_and_gradient(logits):
            loss = tp.betti_prior_loss(torch.softmax(logits, 1), tp.BettiPrior(1, 1))
            parameters = [parameter for network in networks for parameter in network.parameters()]
            return loss, torch.autograd.grad(loss, parameters)

        loss, gradients = loss_and_gradient(applied(image))
        expected, wanted = loss_and_gradient(self.plain(networks, image, weight, views))
        torch.testing.assert_close(loss, expected)
        for found, right in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(found, right)
        assert max(gradient.abs().max() for gradient in gradients) > 1e-3

    def test_nothing_of_a_window_is_kept_on_the_way_forward(self):
        """Saved for the way back are windows of the image, not what is inside the network, which is far more."""
        sizes = []
        network = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.Tanh(), nn.Conv2d(64, 3, 3, padding=1)).double()
        applied = InWindows([network], WINDOWS, torch.ones(5, 6, dtype=torch.float64))

        def noted(kept):
            sizes.append(kept.numel())
            return kept

        with torch.autograd.graph.saved_tensors_hooks(noted, lambda kept: kept):
            applied(torch.randn(1, 2, 9, 11, dtype=torch.float64, requires_grad=True))
        assert 0 < max(sizes) < 64 * 30

    def test_slices_of_a_volume_and_the_part_that_is_wanted(self):
        network = nn.Conv2d(1, 2, 1)
        windows = [(depth, slice(0, 4), slice(0, 5)) for depth in range(3)]
        image = torch.randn(1, 1, 3, 4, 5)
        inside = (slice(0, 3), slice(1, 4), slice(0, 5))
        found = InWindows([network], windows, torch.ones(4, 5), inside=inside)(image)
        expected = torch.stack([network(image[:, :, depth]) for depth in range(3)], 2)[:, :, :, 1:]
        torch.testing.assert_close(found, expected)

    def test_refine_takes_it_as_any_network(self):
        """A loop that no window sees as a whole."""
        image = torch.full((1, 1, 10, 12), -2.0)
        image[..., 1:9, 1:11] = 2.0
        image[..., 3:7, 3:9] = -2.0
        image[..., 1:3, 5] = -0.5
        network = nn.Conv2d(1, 1, 1)
        network.load_state_dict({"weight": torch.ones(1, 1, 1, 1), "bias": torch.zeros(1)})
        windows = [(slice(a, a + 6), slice(b, b + 7)) for a in (0, 4) for b in (0, 5)]
        applied = InWindows([network], windows, torch.ones(6, 7))
        prior = tp.BettiPrior(1, 1)
        result = tp.refine(applied, image, prior, activation="sigmoid", weight=1, learning_rate=0.05)
        assert result.betti_before.tolist() == [[[1, 0]]]
        assert result.betti_after.tolist() == [[[1, 1]]]

    def test_wrong_windows(self):
        network, image = nn.Conv1d(1, 2, 1), torch.zeros(1, 1, 6)
        with pytest.raises(ValueError, match="windows must cover the image"):
            InWindows([network], [(slice(0, 4),)], torch.ones(4))(image)
        with pytest.raises(ValueError, match="at least one network, got none"):
            InWindows([], [(slice(0, 4),)], torch.ones(4))
        with pytest.raises(ValueError, match="at least one window, got none"):
            InWindows([network], [], torch.ones(4))


class TestCommand:
    def predictions(self, tmp_path):
        probability, _ = broken_shell()
        for name in ("a", "b"):
            save_case(
                tmp_path / "out", name, probability.transpose(0, 3, 2, 1), sitk(AFFINE), PLAIN,
                probability.argmax(0).astype(np.uint8),
            )  # fmt: skip
        return tmp_path / "out"

    def test_a_folder_of_predictions(self, tmp_path, capsys):
        folder, masks = self.predictions(tmp_path), tmp_path / "masks"
        words = ["--prior", "wall=1,0,1", "cavity=1,0,0", "-o", str(masks), "--json"]
        assert run(["refine", str(folder), *words, "--report", str(tmp_path / "r.html")]) == 0
        results = json.loads(capsys.readouterr().out)["results"]
        assert [row["wrong_after"] for row in results] == [[], []]
        assert all(row["wrong_before"] for row in results)
        assert sorted(path.name for path in masks.glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz"]
        mask = nibabel.load(masks / "a.nii.gz")
        np.testing.assert_allclose(mask.affine, AFFINE)
        assert sorted(np.unique(np.asarray(mask.dataobj))) == [0, 1, 2]

    def test_slices_with_one_prior_for_all_classes(self, tmp_path, capsys):
        folder = self.predictions(tmp_path)
        words = ["--slices", "2", "--prior", "0-1,0-1", "-o", str(tmp_path / "mask.nii.gz"), "--json"]
        assert run(["refine", str(folder / "a.npz"), *words]) == 0
        results = json.loads(capsys.readouterr().out)["results"]
        assert len(results) == 16
        assert results[7]["prior"] == "wall 0-1,0-1; cavity 0-1,0-1"

    def test_regions(self, tmp_path, capsys):
        probability, _ = broken_shell()
        channels = np.stack([probability[1:].sum(0), probability[2]]).transpose(0, 3, 2, 1)
        path = save_case(tmp_path / "out", "case", channels, sitk(AFFINE), NESTED)
        words = ["--prior", "core=2,0,0", "--guarantee", "--max-steps", "0", "--json"]
        assert run(["refine", str(path), *words, "-o", str(tmp_path / "mask.nii.gz")]) == 0
        assert json.loads(capsys.readouterr().out)["results"][0]["betti_after"] == {"core": [2, 0, 0]}
        values = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj)
        assert tp.betti_numbers((values == 2)[None, None]).tolist() == [[[2, 0, 0]]]

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            (["out/a.npz", "out/a.nii.gz"], "refined by themselves"),
            (["out/a.npz", "--network", "nnunet:model"], "--network is for images"),
            (["out/a.npz", "--activation", "softmax"], "--activation is not for files and models of nnU-Net"),
            (["out/a.npz", "--channel-axis", "0"], "--channel-axis is not for files"),
            (["out/a.nii.gz", "--network", "nnunet:model"], "is no model folder of nnU-Net"),
        ],
    )
    def test_what_does_not_go_together(self, tmp_path, capsys, monkeypatch, words, rule):
        self.predictions(tmp_path)
        monkeypatch.chdir(tmp_path)
        assert run(["refine", *words, "--prior", "wall=1,0,1", "-o", "masks"]) == 1
        assert rule in capsys.readouterr().err


class TestModel:
    def test_without_nnunet_the_extra_is_named(self, tmp_path, monkeypatch):
        for name in ("dataset.json", "plans.json", "fold_0/checkpoint_final.pth"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("{}")
        monkeypatch.setitem(sys.modules, "nnunetv2", None)
        monkeypatch.setitem(sys.modules, "nnunetv2.inference.predict_from_raw_data", None)
        with pytest.raises(ImportError, match=r"pip install 'topoprior\[nnunet\]'"):
            Model.read(tmp_path)

    def test_what_is_no_model(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"dataset.json does not exist: .* is no model folder"):
            Model.read(tmp_path)
        for name in ("dataset.json", "plans.json"):
            (tmp_path / name).write_text("{}")
        with pytest.raises(FileNotFoundError, match=r"has no fold with checkpoint_final.pth"):
            Model.read(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"fold_3/checkpoint_best.pth does not exist"):
            Model.read(tmp_path, folds=[3], checkpoint="checkpoint_best.pth")

    def test_names_of_channels(self, tmp_path):
        assert channel_file(tmp_path / "a_1_0000.nii.gz", 2).name == "a_1_0002.nii.gz"
        with pytest.raises(ValueError, match=r"named case_0000.png"):
            channel_file(tmp_path / "a_0001.png", 0)


def test_the_folder_of_trainers_is_told():
    told = subprocess.run(
        [sys.executable, "-m", "topoprior.integrations.nnunet"], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == str(TRAINERS)
    assert "class nnUNetTrainerBettiPrior(" in (TRAINERS / "betti_prior.py").read_text()


def test_every_public_name_is_there_and_no_other():
    from topoprior.integrations import nnunet

    assert [name for name in nnunet.__all__ if getattr(nnunet, name, None) is None] == []
    with pytest.raises(AttributeError, match="has no attribute 'Trainer'"):
        _ = nnunet.Trainer
