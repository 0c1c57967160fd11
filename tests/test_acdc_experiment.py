"""The third experiment on tiny patients: resumable, honest about who has seen whom, masks over the original images."""

import json
import re
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from acdc_patients import write_patient
from topoprior import class_topology, presets
from topoprior.experiments import acdc, trained_networks
from topoprior.experiments.acdc.phantoms import write_phantom_patients
from topoprior.experiments.acdc.priors import count, priors_of
from topoprior.experiments.acdc.refinement import WAYS, StackCell, Strength, Work, refine_stack
from topoprior.experiments.acdc.scores import position
from topoprior.experiments.acdc.splits import patients_in, splits
from topoprior.experiments.acdc.tables import wrong_table
from topoprior.experiments.acdc.training import Settings
from topoprior.imaging import networks
from topoprior.imaging.datasets.acdc import find_patients, read_frame

TINY = Settings(
    spacing=1.5,
    size=24,
    network="small_unet",
    steps=12,
    batch_size=4,
    learning_rate=1e-2,
    validate_every=6,
    folds=2,
    weights=(0.01, 0.1),
    learning_rates=(1e-3,),
    max_steps=3,
    max_map_steps=3,
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(acdc.PRESETS, "paper", TINY)


def write_patients(folder, numbers, **options):
    for number in numbers:
        write_patient(folder, number, group="NOR" if number % 2 else "DCM", seed=number, **options)
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run that other tests look at."""
    folder = tmp_path_factory.mktemp("acdc")
    data = write_patients(folder / "data", range(1, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(acdc.PRESETS, "paper", TINY)
        results = acdc.run(folder / "out", preset="paper", data=data, device="cpu")
    return folder, results


def documents(folder):
    return {file.stem: json.loads(file.read_text()) for file in (folder / "out" / "cells").glob("*.json")}


def test_every_patient_is_unseen_once(ran):
    folder, results = ran
    cells = documents(folder)
    networks = [cells[f"network_myocardium_fold{fold}"]["cell"]["split"] for fold in (1, 2)]
    for split in networks:
        parts = [set(split[part]) for part in ("training", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    assert sorted(name for split in networks for name in split["test"]) == [f"patient00{k}" for k in (1, 2, 3, 4)]
    for patient in ("patient001", "patient002", "patient003", "patient004"):
        for phase in ("ED", "ES"):
            used = cells[f"{patient}_{phase}_myocardium"]["cell"]
            split = networks[int(used["network"][-1]) - 1]
            assert patient in split["test"]
            assert used["weights"] == cells[used["network"]]["result"]["weights"]
    assert results["summary"]["myocardium"]["network"]["slices"] == 4 * 2 * 3
    assert results["table"][0]["Dice ED"] == "0.8994"


def test_settings_are_chosen_on_validation_patients(ran):
    folder, _ = ran
    cells = documents(folder)
    for fold in (1, 2):
        choice = cells[f"choice_myocardium_fold{fold}"]
        assert choice["cell"]["validation"] == cells[f"network_myocardium_fold{fold}"]["cell"]["split"]["validation"]
        assert choice["result"]["slices"] == 6
        assert choice["result"]["paper"]["weight"] == 0.01
        rows = choice["result"]["rows"]
        assert [row["weight"] for row in rows] == [0.01, 0.1]
        most = max(row["right"] for row in rows)
        assert any(row["right"] >= most - 2 and row["weight"] == choice["result"]["chosen"]["weight"] for row in rows)


def test_masks_lie_over_the_original_images_and_have_the_topology_that_is_told(ran):
    folder, results = ran
    cells = documents(folder)
    for way in WAYS:
        right = 0
        for number in (1, 2, 3, 4):
            for phase, frame in (("ED", "01"), ("ES", "07")):
                name = f"patient00{number}"
                image = nibabel.load(folder / "data" / name / f"{name}_frame{frame}.nii.gz")
                mask = nibabel.load(folder / "out" / "predictions" / "myocardium" / way / f"{name}_{phase}.nii.gz")
                assert np.array_equal(mask.affine, image.affine)
                assert mask.shape == image.shape
                assert mask.header.get_zooms() == image.header.get_zooms()
                values = np.asarray(mask.dataobj)
                assert set(np.unique(values)) <= {0, 2}
                told = cells[f"{name}_{phase}_myocardium"]["result"]
                assert told["priors"] == [[0, 0], [1, 1], [1, 1]]
                truth = np.asarray(nibabel.load(str(folder / "data" / name / f"{name}_frame{frame}_gt.nii.gz")).dataobj)
                ours, theirs = values == 2, truth == 2
                overlap = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
                assert told["ways"][way]["dice"]["MYO"] == pytest.approx(overlap)
                right += sum(told["ways"][way]["right"])
        assert results["summary"]["myocardium"][way]["right"] == right
    for way in ("guarantee", "edit"):
        assert results["summary"]["myocardium"][way]["right"] == 24


def test_the_priors_are_kept_as_a_person_would_write_them(ran):
    folder, _ = ran
    lines = (folder / "out" / "priors.csv").read_text().splitlines()
    assert lines[:3] == ["patient,frame,slice,b0,b1", "patient001,01,0,0,0", "patient001,01,1,1,1"]
    assert len(lines) == 1 + 24


def test_the_report_says_what_it_is(ran):
    folder, _ = ran
    page = (folder / "out" / "report.html").read_text()
    for text in (
        "0.8994",
        "every training patient is unseen by one of the networks",
        "counted in the ground truth",
        "8 of 8 stacks",
        "by position in the stack",
        "What was to be reached",
    ):
        assert text in page
    assert {file.name for file in (folder / "out" / "figures").iterdir()} >= {
        "positions_myocardium.png",
        "patients_myocardium.png",
    }
    assert "http://" not in re.sub(r"http://www\.w3\.org\S*", "", page)


def test_slices_that_refine_left_wrong_are_listed_with_what_set_them_right(ran):
    folder, results = ran
    cells = [one for name, one in documents(folder).items() if name.startswith("patient")]
    table = wrong_table(cells)
    found = results["summary"]["myocardium"]
    left = found["refine"]["slices"] - found["refine"]["right"]
    assert left == len(table.rows) > 0
    by_map = sum(row["set right by"] == "refine_map" for row in table.records())
    assert by_map == found["map"]["right"] - found["refine"]["right"]
    assert not any(row["set right by"] == "nothing" for row in table.records())
    for row in table.records():
        assert row["wanted"] != row["has"]


def test_killed_and_resumed(ran, tmp_path, tiny, monkeypatch):
    """A run that dies in a training and again among the patients ends as one that was never stopped."""
    folder, results = ran
    out = tmp_path / "out"
    monkeypatch.setattr(acdc.experiment, "write_page", lambda *_, **__: None)  # takes long; is seen in `ran`

    def die_in_training(what, done, of):
        if what == "training network_myocardium_fold2" and done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        acdc.run(out, preset="paper", data=folder / "data", device="cpu", progress=die_in_training)
    assert {file.stem for file in (out / "cells").glob("*.json")} == {"network_myocardium_fold1"}
    begun = (out / "networks" / "network_myocardium_fold2" / "metrics.jsonl").read_text()
    assert '"step": 6' in begun

    def die_among_patients(what, done, of):
        if what == "refining unseen patients" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        acdc.run(out, preset="paper", data=folder / "data", device="cpu", progress=die_among_patients)
    resumed = (out / "networks" / "network_myocardium_fold2" / "metrics.jsonl").read_text()
    assert resumed.startswith(begun)
    kept = {file: file.read_bytes() for file in (out / "cells").glob("patient*.json")}
    assert len(kept) == 3
    monkeypatch.setattr(trained_networks, "fit", None)  # nothing is left to train
    assert acdc.run(out, preset="paper", data=folder / "data", device="cpu")["summary"] == results["summary"]
    assert all(file.read_bytes() == content for file, content in kept.items())


def test_other_settings_are_refused_or_computed_anew(ran, tiny):
    folder, _ = ran
    with pytest.raises(ValueError, match=r"network_myocardium_fold1.json.* was computed with seed 0 \(now 1\)"):
        acdc.run(folder / "out", preset="paper", data=folder / "data", device="cpu", seed=1)


def test_three_classes_are_refined_with_the_priors_of_all_and_of_pairs(tmp_path):
    write_patient(tmp_path / "data", 1, slices=2)
    [patient] = find_patients(tmp_path / "data")
    torch.manual_seed(0)
    factory = "topoprior.experiments.acdc.training:small_unet"
    network = networks.build(factory, {"spatial_dims": 2, "in_channels": 1, "out_channels": 4})
    home = tmp_path / "networks" / "untrained" / "checkpoints"
    home.mkdir(parents=True)
    networks.save(network, home / "best.safetensors", activation="softmax", factory=factory)
    table = priors_of([patient], None, tmp_path / "priors.csv")
    settings = replace(TINY, max_steps=1, max_map_steps=1)
    work = Work({"patient001": patient}, table, settings, tmp_path / "networks", tmp_path / "masks", "cpu")
    digest, rate = networks.weights_digest(network), Strength(0.01, 1e-3)
    result = refine_stack(StackCell("patient001", "ES", "heart", "untrained", digest, rate, rate), work=work)
    for way in ("guarantee", "edit"):
        assert result["ways"][way]["all_right"] == result["ways"][way]["right"] == [True, True]
        assert set(result["ways"][way]["dice"]) == {"RV", "MYO", "LV"}
        mask = nibabel.load(tmp_path / "masks" / "heart" / way / "patient001_ES.nii.gz")
        values = np.asarray(mask.dataobj).astype(int)
        assert not values[..., 0].any()
        heart = torch.from_numpy(values[None, ..., 1])
        assert class_topology(heart, presets.short_axis_heart()).success.all()
    assert not all(result["ways"]["network"]["all_right"])
    with pytest.raises(ValueError, match="holds other weights than were trained"):
        refine_stack(StackCell("patient001", "ES", "heart", "untrained", "another", rate, rate), work=work)


def test_testing_patients_alone_are_unseen(tmp_path):
    data = tmp_path / "data"
    write_patients(data / "training", range(1, 5))
    write_patients(data / "testing", range(101, 103))
    [split] = splits(*patients_in(data), folds=5, seed=0)
    assert (split.name, split.test) == ("official", ("patient101", "patient102"))
    assert sorted(split.training + split.validation) == [f"patient00{k}" for k in (1, 2, 3, 4)]
    assert len(split.validation) == 1
    assert (Settings().official.steps, Settings().official.validate_every) == (2500, 250)


def test_folds_hold_all_groups_alike(tmp_path):
    for number in range(30):
        place = tmp_path / f"patient{number:03d}"
        place.mkdir()
        (place / "Info.cfg").write_text(f"ED: 1\nES: 7\nGroup: {['DCM', 'HCM', 'MINF', 'NOR', 'RV'][number // 6]}\n")
        for frame in ("01", "07"):
            (place / f"{place.name}_frame{frame}.nii.gz").touch()
    patients = find_patients(tmp_path)
    groups = {patient.name: patient.group for patient in patients}
    found = splits(patients, [], folds=5, seed=3)
    assert sorted(name for split in found for name in split.test) == sorted(groups)
    for split in found:
        assert [len(part) for part in (split.training, split.validation, split.test)] == [20, 4, 6]
        assert len({groups[name] for name in split.test}) == 5
    assert splits(patients, [], folds=5, seed=3) == found != splits(patients, [], folds=5, seed=4)
    for folds in (1, 31):
        with pytest.raises(ValueError, match=f"folds must be from 2 to the 30 patients, got {folds}"):
            splits(patients, [], folds=folds, seed=0)
    with pytest.raises(ValueError, match="fold1 needs patients to learn from and one to choose by, got 1 in all"):
        splits(patients[:2], [], folds=2, seed=0)
    with pytest.raises(ValueError, match="must be different people, got patient003 in both"):
        splits(patients, patients[3:5], folds=2, seed=0)
    for split in splits(patients[:8], [], folds=8, seed=0):
        assert split.training
        assert split.validation


def test_wrong_options(tmp_path, tiny):
    for match, options in (
        ("the authors published no code of this experiment", {"recipe": "official"}),
        ("preset must be one of quick, paper, got 'full'", {"preset": "full"}),
        ("classes must be one of myocardium, heart, both, got 'atrium'", {"classes": "atrium"}),
        ("the preset paper needs data", {"preset": "paper"}),
        ("seed must be at least 0", {"seed": -1}),
    ):
        with pytest.raises(ValueError, match=match):
            acdc.run(tmp_path / "out", **options)


def test_a_table_of_priors_must_know_every_slice(tmp_path, tiny):
    data = write_patients(tmp_path / "data", range(1, 4), labels=True)
    table = tmp_path / "priors.csv"
    table.write_text("patient,frame,slice,b0,b1\npatient001,01,0,0,0\n")
    with pytest.raises(ValueError, match=r"priors.csv has no row for .*patient001_frame01.nii.gz, slice 1"):
        acdc.run(tmp_path / "out", preset="paper", data=data, priors=table)


def test_patients_without_labels_need_a_table(tmp_path, tiny):
    data = write_patients(tmp_path / "data", range(1, 4), labels=False)
    with pytest.raises(ValueError, match=r"frame01.nii.gz has no ground truth to count its priors in: give a table"):
        acdc.run(tmp_path / "out", preset="paper", data=data)


def test_phantom_patients_have_the_three_topologies(tmp_path):
    write_phantom_patients(tmp_path, 2, slices=3, seed=5)
    for patient in find_patients(tmp_path):
        for frame in patient.frames:
            image, labels = read_frame(frame)
            assert image.spacing == (2.0, 2.0, 10.0)
            assert labels.shape == image.array.shape == (64, 64, 3)
            assert [str(prior) for prior in count(frame)] == ["0,0", "1,1", "1,0"]


def test_positions_cover_a_stack():
    assert [position(index, 2) for index in (0, 1)] == ["first slice", "last slice"]
    assert [position(index, 3) for index in (0, 1, 2)] == ["first slice", "first third", "last slice"]
