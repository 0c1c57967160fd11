"""The second experiment, on made-up slices: who is in which part, and what is kept of each cell."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from topoprior.experiments import myocardium
from topoprior.experiments.myocardium import (
    RECIPE,
    Cell,
    beside_pseudo_labels,
    cases_of,
    read_slices,
    rows_of,
    run_cell,
    table,
)
from topoprior.training import AugmentationSettings, NetworkSettings

PATIENTS, SLICES = 10, 6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Rings in noise: ten patients of six slices; those of the last patient are no rings."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:80, :80] - 39.5
    distance = np.hypot(y, x)
    wall = (distance > 12) & (distance < 20)
    number = PATIENTS * SLICES
    label = np.where(wall, 2, np.where(distance <= 12, 3, 0)).astype(np.uint8)
    betti = np.ones((number, 2), dtype=np.int64)
    betti[-SLICES:, 1] = 0
    path = tmp_path_factory.mktemp("data") / "crops.npz"
    np.savez(
        path,
        image=(100 * wall + random.integers(0, 80, (number, 80, 80))).astype(np.uint8),
        label=np.stack([label] * number),
        patient=np.repeat(np.arange(PATIENTS), SLICES),
        phase=np.array(["ED", "ES"] * (number // 2)),
        slice=np.tile(np.arange(SLICES), PATIENTS),
        nslices=np.full(number, SLICES),
        betti_crop8=betti,
    )
    return path


@pytest.fixture(scope="module")
def slices(data):
    return read_slices(data)


def patients(cases):
    return {name.split()[0] for name in cases.names}


def test_slices_from_the_middle_of_the_stacks_with_a_ring(slices):
    assert len(slices.names) == (PATIENTS - 1) * 2  # places 2 and 3 of 6
    assert {name.split()[-1] for name in slices.names} == {"2", "3"}
    assert set(torch.unique(slices.labels).tolist()) == {0, 1}


def test_training_validation_and_test_are_different_people(slices):
    cases = cases_of(slices, Cell(lines=20, labelled=3, seed=0))
    training = patients(cases["labelled"]) | patients(cases["unlabelled"])
    groups = [training, patients(cases["validation"]), patients(cases["test"])]
    assert [len(group) for group in groups] == [5, 1, 3]
    assert len(set.union(*groups)) == 9
    assert len(patients(cases["labelled"])) == 3
    assert not set(cases["labelled"].names) & set(cases["unlabelled"].names)
    assert cases["unlabelled"].labels is None
    other = cases_of(slices, Cell(lines=20, labelled=3, seed=1))
    assert patients(other["test"]) != patients(cases["test"])


def test_more_labels_are_a_superset_on_the_same_images(slices):
    few, many = (cases_of(slices, Cell(lines=20, labelled=count, seed=0)) for count in (2, 4))
    assert set(few["labelled"].names) < set(many["labelled"].names)
    assert torch.equal(few["test"].images, many["test"].images)
    assert torch.equal(few["labelled"].images, many["labelled"].images[:2])


def test_images_lose_lines_and_are_normalised(slices):
    test = {lines: cases_of(slices, Cell(lines, labelled=2, seed=0))["test"].images for lines in (0, 60)}
    for images in test.values():
        assert images.mean((1, 2, 3)).abs().max() < 1e-5
    spectrum = torch.fft.fft2(test[0]).abs().sum(-1)
    assert not torch.allclose(test[0], test[60])
    assert (spectrum > 1).all()


def test_patients_have_a_second_labelled_slice_once_each_has_one(slices):
    few, many = (cases_of(slices, Cell(lines=20, labelled=count, seed=0)) for count in (5, 7))
    assert len(patients(few["labelled"])) == 5
    assert many["labelled"].names[:5] == few["labelled"].names
    assert len(set(many["labelled"].names)) == 7
    assert not set(many["labelled"].names) & set(many["unlabelled"].names)


def test_more_labels_than_slices_are_refused(slices):
    with pytest.raises(ValueError, match="labelled must be less than the 10 training slices, got 10"):
        cases_of(slices, Cell(lines=20, labelled=10, seed=0))


def test_a_file_of_another_kind_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", image=np.zeros(3))
    with pytest.raises(ValueError, match="must be the npz of short-axis crops, but lacks 'label"):
        read_slices(tmp_path / "other.npz")


@pytest.fixture(scope="module")
def quick():
    """The recipe, shortened: every method runs, none learns."""
    short = {"steps": 2, "batch_size": 2, "validate_every": 2}
    return replace(
        RECIPE,
        network=NetworkSettings(channels=(4, 8), residual_units=0),
        supervised=replace(RECIPE.supervised, **short),
        prior=replace(RECIPE.prior, **short, unlabelled_batch_size=2),
        pseudo_labels=replace(RECIPE.pseudo_labels, **short, unlabelled_batch_size=2, rounds=1),
        augmentation=AugmentationSettings(noise=0),
    )


@pytest.mark.timeout(300)
def test_cells_are_computed_once_and_make_the_table(data, slices, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(myocardium, "RECIPE", quick)
    monkeypatch.setattr(myocardium, "LONGER", quick.supervised)
    monkeypatch.setattr(run_cell, "__defaults__", (quick, {}))
    words = ["--data", str(data), "--output", str(tmp_path), "--lines", "20", "--labelled", "2", "--seeds", "0", "1"]
    myocardium.main(words)
    files = sorted((tmp_path / "cells").iterdir())
    assert [file.name for file in files] == [f"lines20_labelled2_seed{seed}.json" for seed in (0, 1)]
    found = json.loads(files[0].read_text())
    assert set(found["methods"]) == set(myocardium.METHODS)
    rows = rows_of(found, "prior")
    assert len(rows) == found["cases"]["test"] == len(found["test"])
    before = files[0].stat().st_mtime_ns
    capsys.readouterr()
    myocardium.main(words)
    assert files[0].stat().st_mtime_ns == before
    printed = capsys.readouterr().out.rstrip("\n")
    assert len(printed.splitlines()) == 2 + len(myocardium.METHODS)
    written = (tmp_path / "results.md").read_text()
    assert printed in written
    assert f"python -m topoprior.experiments.myocardium --data {data}" in written
    for row in found["methods"]["closing"]["betti"]:
        assert len(row) == 2


def test_the_table_says_who_is_better():
    """Made-up results of seven patients: the prior is right everywhere, the others nowhere."""

    def found(seed):
        names = [f"patient{patient} ED slice 3" for patient in range(7)]
        wrong = {"dice": [0.7] * 7, "betti": [[2, 1]] * 7}
        right = {"dice": [0.8 + 0.02 * seed] * 7, "betti": [[1, 1]] * 7}
        methods = {name: right if name == "prior" else wrong for name in myocardium.METHODS}
        return {"cell": {"lines": 20, "labelled": 10, "seed": seed}, "test": names, "methods": methods}

    lines = table([found(0), found(1)]).splitlines()
    assert lines[2] == "| 20 | 10 | Supervised | 70.0 ± 0.0 | 0.0 ± 0.0 | 0.031 | 0.031 |"  # 2 x 2 / 2^7
    assert lines[-2] == "| 20 | 10 | Prior (ours) | 81.0 ± 1.0 | 100.0 ± 0.0 |  |  |"
    beside = beside_pseudo_labels([found(0), found(1)]).splitlines()
    assert beside[2] == "| 20 | 10 | Prior (ours) | +11.0 | 0.031 | +100.0 | 0.031 |"
    assert beside[3].endswith("| +0.0 | 1 | +0.0 | 1 |")
