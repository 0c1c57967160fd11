"""The second experiment, on made-up slices: who is in which part, what is kept of each cell, and what is told of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from topoprior.experiments import myocardium
from topoprior.experiments.cells import CellsFailed
from topoprior.experiments.myocardium import tables
from topoprior.experiments.myocardium.cells import Cell, cases_of
from topoprior.experiments.myocardium.paper import TABLE_2
from topoprior.experiments.myocardium.recipes import RECIPES
from topoprior.imaging.datasets.short_axis import read_crops
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
    return read_crops(data)


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


def test_people_without_labels_are_unlabelled_images_only(slices):
    known = slices.patients != 0
    cases = cases_of(replace(slices, labelled=known), Cell(lines=20, labelled=3, seed=0))
    strangers = {name for name, labelled in zip(slices.names, known, strict=True) if not labelled}
    assert strangers <= set(cases["unlabelled"].names)
    for part in ("labelled", "validation", "test"):
        assert not strangers & set(cases[part].names)


def test_too_few_people_are_refused(slices):
    with pytest.raises(ValueError, match="training, validation and test need people of their own, got 2 with labels"):
        cases_of(replace(slices, labelled=slices.patients < 2), Cell(lines=20, labelled=1, seed=0))


def test_the_recipes_are_what_they_are_said_to_be():
    cell = Cell(lines=60, labelled=20, seed=4)
    paper = RECIPES["paper"].of(cell)
    for phase in (paper.supervised, paper.prior, paper.pseudo_labels):
        assert (phase.loss, phase.batch_size, phase.validate_every, phase.patience) == ("dice", 20, 50, 5)
    assert (paper.prior.weight, paper.prior.combine, paper.pseudo_labels.labels) == (0.01, "alternate", "hard")
    assert (paper.seed, paper.prior.unlabelled_batch_size) == (4, 20)
    tuned = RECIPES["tuned"]
    assert tuned.of(cell).supervised.batch_size == 10
    images = 10 * tuned.longer(cell).steps
    assert images == tuned.training.prior.steps * (10 + 10)
    assert tuned.smaller().training.network.channels == (8, 16, 32, 64)
    assert "hardware" not in tuned.on("cpu").as_dict()


@pytest.fixture
def tiny(monkeypatch):
    """The recipe, shortened: every method runs, none learns."""
    short = {"steps": 2, "batch_size": 2, "validate_every": 2}
    training = RECIPES["tuned"].training
    training = replace(
        training,
        network=NetworkSettings(channels=(4, 8), residual_units=0),
        supervised=replace(training.supervised, **short),
        prior=replace(training.prior, **short, unlabelled_batch_size=2),
        pseudo_labels=replace(training.pseudo_labels, **short, unlabelled_batch_size=2, rounds=1),
        augmentation=AugmentationSettings(noise=0),
    )
    monkeypatch.setitem(RECIPES, "tuned", replace(RECIPES["tuned"], training=training))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("tiny")
def test_cells_are_computed_once_and_make_the_report(data, tmp_path):
    options = {"source": "crops", "data": data, "preset": "paper", "lines": [20], "labelled": [2], "device": "cpu"}
    results = myocardium.run(tmp_path, **options, repeats=2, command="topoprior reproduce myocardium")
    files = sorted((tmp_path / "cells").iterdir())
    assert [file.name for file in files] == [f"lines20_labelled2_seed{seed}.json" for seed in (3, 4)]
    document = json.loads(files[0].read_text())
    assert set(document["result"]["methods"]) == set(tables.METHODS)
    rows = tables.rows_of(document, "prior")
    assert len(rows) == document["result"]["cases"]["test"] == len(document["result"]["test"])
    networks = {file.name for file in (tmp_path / "networks" / "lines20_labelled2_seed3").glob("*.safetensors")}
    assert "pseudo-labels+prior.safetensors" in networks
    assert not (tmp_path / "networks" / "lines20_labelled2_seed4").exists()  # of the first repeat only
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert [row["method"] for row in results["table"]] == list(tables.METHODS.values())
    assert "20 lines removed, 10 labelled slices: 0 of 10 runs." in results["missing"]
    page = (tmp_path / "report.html").read_text()
    assert "topoprior reproduce myocardium" in page
    assert "As Figure 8" in page
    assert (tmp_path / "figures" / "figure8.png").stat().st_size > 10_000

    before = files[0].stat().st_mtime_ns
    (tmp_path / "networks" / "lines20_labelled2_seed3" / "prior.safetensors").unlink()
    again = myocardium.run(tmp_path, **options, repeats=3, only_report=True)
    assert files[0].stat().st_mtime_ns == before
    assert again["table"] == results["table"]
    assert "Figure 7: the networks of lines20_labelled2_seed3 were not kept." in again["missing"]
    kept = tmp_path / "networks" / "lines20_labelled2_seed4"  # as a run with another first seed keeps them
    (tmp_path / "networks" / "lines20_labelled2_seed3").rename(kept)
    other = myocardium.run(tmp_path, **options, repeats=3, only_report=True)
    assert "Figure 7: the networks of lines20_labelled2_seed4 were not kept." in other["missing"]
    with pytest.raises(ValueError, match=r'computed with recipe "tuned" .now "paper"., whole_batches false'):
        myocardium.run(tmp_path, **options, repeats=2, recipe="paper")


@pytest.mark.usefixtures("tiny")
def test_cells_that_fail_are_named(data, tmp_path):
    with pytest.raises(CellsFailed, match="lines20_labelled99_seed3: labelled must be less than"):
        myocardium.run(tmp_path, source="crops", data=data, lines=[20], labelled=[99], repeats=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"recipe": "official"}, "never published: recipe must be tuned or paper, got 'official'"),
        ({"recipe": "own"}, "recipe must be one of tuned, paper, got 'own'"),
        ({"preset": "slow"}, "preset must be one of quick, paper, got 'slow'"),
        ({"source": "web"}, "source must be one of phantom, acdc, crops, biobank, got 'web'"),
        ({"source": "acdc"}, "acdc needs data, a path, got None"),
        ({"data": "somewhere"}, "the phantom needs no data, got somewhere"),
        ({"repeats": 0}, r"labelled and repeats must be at least 1, .* got \(10, 40\), 0"),
        ({"lines": [-1]}, r"lines and seed at least 0, .* \(-1,\), 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, error):
    with pytest.raises(ValueError, match=error):
        myocardium.run(tmp_path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("tiny")
def test_a_report_needs_a_cell(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="cells must hold cells of this plan to report, got none"):
        myocardium.run(tmp_path, source="crops", data=data, only_report=True)


def made_up(seed, right=("prior",), lines=20, labelled=10):
    """Results of seven patients: some methods are right everywhere, the others nowhere."""
    good = {"dice": [0.8 + 0.02 * (seed % 2)] * 7, "betti": [[1, 1]] * 7}
    bad = {"dice": [0.7] * 7, "betti": [[2, 1]] * 7}
    methods = {name: good if name in right else bad for name in tables.METHODS}
    names = [f"patient{patient} ED slice 3" for patient in range(7)]
    cell = {"lines": lines, "labelled": labelled, "seed": seed}
    return {"cell": cell, "result": {"test": names, "methods": methods}}


def test_the_table_says_who_is_better_beside_the_paper():
    [(setting, table)] = tables.table_2([made_up(0), made_up(1)]).items()
    assert setting == (20, 10)
    assert "over people" in table.note
    assert table.rows[0] == ["Supervised", "70.0 ± 0.0", "0.031", "67.9 ± 2.5*", "0.0 ± 0.0", "0.031", "42.1 ± 5.7*"]
    assert table.rows[6] == ["Prior (ours)", "81.0 ± 1.0", "-", "74.3 ± 0.8", "100.0 ± 0.0", "-", "67.1 ± 2.9"]
    assert table.emphasised == {(6, 1), (6, 4)}
    assert tables.records({setting: table})[0]["labelled"] == "10"


def test_ten_runs_are_compared_run_by_run():
    table = tables.table_2([made_up(seed) for seed in range(10)])[20, 10]
    assert "over runs" in table.note
    assert table.rows[0][2] == f"{2 * 2 / 2**10:.2g}"  # ten differences of one sign, twice after Holm


def test_a_gain_over_every_baseline_is_told_from_one_over_some():
    won, lost = tables.verdicts([made_up(0), made_up(1)])
    assert (won["method"], won["above_all"], round(won["gain"])) == ("prior", True, 100)
    assert won["dice_gain"] == pytest.approx(11)
    assert won["p"] == pytest.approx(2 / 2**6)
    assert (lost["method"], lost["above_all"], lost["gain"]) == ("pseudo-labels+prior", False, 0)
    rival = tables.verdicts([made_up(0, right=("prior", "crf"))])[0]
    assert (rival["above_all"], rival["above_the_papers"], rival["strongest"]) == (False, False, "crf")
    other = tables.verdicts([made_up(0, right=("prior", "components"))])[0]
    assert (other["above_all"], other["above_the_papers"], other["strongest"]) == (False, True, "components")
    assert other["p_of_the_papers"] == pytest.approx(2 / 2**6)
    words = [row[6] for row in tables.verdict_table([won, lost, {**won, "p": 0.06}]).rows]
    assert sorted(words) == ["no", "yes", "yes, not significantly"]


def test_the_numbers_of_the_paper_are_there_for_each_of_its_cells():
    settings = {(lines, labelled) for lines in (20, 60) for labelled in (10, 20, 40, 100)}
    assert all(set(of_method) == settings for of_method in TABLE_2.values())
    assert TABLE_2["pseudo-labels"][60, 20] == ("73.3 ± 0.9", "60.9 ± 2.6*")


def test_cells_that_are_not_there_are_counted():
    have = [Cell(20, 10, seed) for seed in (3, 4)]
    assert myocardium.report.missing(have, [20], [10, 40], 2) == ["20 lines removed, 40 labelled slices: 0 of 2 runs."]


def test_images_lose_quality_with_their_lines(slices):
    found = tables.quality(slices, [20, 60], seed=3)
    assert list(found) == [0, 20, 60]
    gradients = [gradient for _, gradient in found.values()]
    assert gradients == sorted(gradients, reverse=True)
    assert tables.quality_table(found).rows[2][2] == "3.3"
