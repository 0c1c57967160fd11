import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.experiments import mnist
from topoprior.experiments.mnist.training import ClassifierSettings
from topoprior.experiments.mnist.variants import ANY, LINE, LOOP, PRIOR_OF, TWO_LOOPS
from topoprior.imaging.corrupt import remove_lines
from topoprior.imaging.datasets import digits

FEW = 12
RANGES = {**PRIOR_OF, 2: tp.BettiPrior(1, (0, 1))}


def small_sets(_folder=None):
    """Few real digits, as if they were MNIST."""
    training, test, _ = digits.small_digits()
    return digits.DigitSets(training.select(slice(0, 120)), test.select(slice(0, 40)), "MNIST")


def shrink(patch):
    """The experiment as it is, but for its size."""
    size = mnist.settings.Settings(
        lines=(4, 10),
        test_digits=FEW,
        labelled=12,
        validation=6,
        classifier_digits=80,
        classifier=ClassifierSettings(features=4, epochs=3, batch_size=20),
    )
    patch.setattr(mnist.experiment, "PRESETS", {"quick": size, "paper": size})
    patch.setattr(
        mnist.experiment,
        "RECIPES",
        {
            name: replace(
                recipe,
                denoiser=replace(recipe.denoiser, channels=(4, 8), steps=40, batch_size=6, learning_rate=1e-2),
                refinement=replace(recipe.refinement, learning_rate=1e-3, max_steps=4),
            )
            for name, recipe in mnist.RECIPES.items()
        },
    )
    patch.setattr(mnist.experiment, "_MORE_EPOCHS", 1)
    patch.setattr(mnist.experiment, "read_mnist", small_sets)


@pytest.fixture
def _tiny(monkeypatch):
    shrink(monkeypatch)
    monkeypatch.setattr(mnist.experiment, "write_page", lambda *_, **__: None)  # takes longest; is seen in `finished`


def run(folder, **options):
    return mnist.run(folder, **{"data": "somewhere", "preset": "paper", "device": "cpu", **options})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run for all tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        folder = tmp_path_factory.mktemp("mnist") / "out"
        events = []
        results = run(folder, command="topoprior reproduce mnist", progress=lambda *event: events.append(event))
        return folder, results, events


def cells_of(folder):
    return {file.stem: json.loads(file.read_text()) for file in (folder / "cells").iterdir()}


def test_every_cell_has_a_file_and_nothing_is_left_behind(finished):
    folder, results, events = finished
    names = {"lines04", "lines10"}
    expected = {"clean"} | {
        f"{lines}_{rest}" for lines in names for rest in ("denoised", "prior1_0", "prior1_1", "prior1_2", "prior1_0-2")
    }
    assert expected <= set(cells_of(folder))
    assert {file.name for file in folder.iterdir()} == {"cells", "figures", "networks", "report.html", "results.json"}
    assert {file.name for file in (folder / "networks").glob("*.safetensors")} == {
        "classifier.safetensors",
        "denoiser_lines04.safetensors",
        "denoiser_lines10.safetensors",
    }
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(results))
    assert {what for what, _, _ in events} == {
        "training the classifier", "reading the clean digits", "denoising", "refining",
    }  # fmt: skip


def test_the_tables_count_what_is_in_the_cells(finished):
    folder, results, _ = finished
    cells = {name: document["result"] for name, document in cells_of(folder).items()}
    labels = cells["clean"]["labels"]
    assert len(labels) == FEW
    for row in results["lines"]:
        name = f"lines{row['lines']:02d}"
        alone = cells[f"{name}_denoised"]
        right_alone = [read == label for read, label in zip(alone["read"], labels, strict=True)]
        given = [cells[f"{name}_prior{PRIOR_OF[int(label)]}".replace(",", "_")] for label in labels]
        right = [
            cell["refined"]["read"][place] == label
            for place, (cell, label) in enumerate(zip(given, labels, strict=True))
        ]
        score = row["variants"]["prior"]
        assert row["variants"]["denoised"]["accuracy"] == pytest.approx(np.mean(right_alone))
        assert score["accuracy"] == pytest.approx(np.mean(right))
        assert score["error"] == pytest.approx(np.mean([cell["refined"]["error"][k] for k, cell in enumerate(given)]))
        assert score["accuracy_p"] == tp.statistics.mcnemar(right, right_alone)[1]
        assert score["asked_topology"] == pytest.approx(np.mean([cell["succeeded"][k] for k, cell in enumerate(given)]))
        assert score["asked_topology"] == score["true_topology"]
        assert row["variants"]["guaranteed"]["asked_topology"] == 1
        assert set(row["variants"]) == set(mnist.variants.TITLES)


def test_a_refined_cell_holds_what_refine_gives(finished, monkeypatch):
    folder, results, _ = finished
    shrink(monkeypatch)
    sets = small_sets()
    places = np.sort(np.random.default_rng(0).choice(40, FEW, replace=False))
    clean = sets.test.images[places]
    network = tp.networks.load(folder / "networks" / "denoiser_lines10.safetensors").network
    corrupted = remove_lines(clean, 10, seed=[120 + int(place) for place in places], axes="both")
    cell = cells_of(folder)["lines10_prior1_1"]["result"]
    for place in range(3):
        one = tp.refine(
            network, corrupted[place : place + 1], LOOP, activation="sigmoid",
            weight=0.02, learning_rate=1e-3, max_steps=4, patience=None,
        )  # fmt: skip
        assert cell["refined"]["error"][place] == pytest.approx(
            (one.output - clean[place]).square().mean().item(), abs=2e-6
        )
        assert cell["steps"][place] == one.steps
        assert [cell["refined"][name][place] for name in ("components", "loops")] == one.betti_after[0, 0].tolist()
    assert results["settings"]["lines"] == [4, 10]


def test_the_report_shows_the_papers_table_beside_ours(finished):
    folder, results, _ = finished
    page = (folder / "report.html").read_text()
    assert "92.9 → 93.7" in page
    assert "70.4 → 75.0*" in page
    for row in results["table"]:
        assert row["read right %"] in page
    assert "Figure 2" in page
    assert "topoprior reproduce mnist" in page
    assert 'src="http' not in page
    assert (folder / "figures" / "figure2.png").stat().st_size < 300_000


@pytest.mark.usefixtures("_tiny")
def test_a_run_goes_on_where_it_stopped(tmp_path, finished, monkeypatch):
    _, expected, _ = finished
    run(tmp_path / "out", lines=[4])
    refined = []

    def counting(cell, *, bench):
        refined.append(cell.name)
        return mnist.cells.refine_digits(cell, bench=bench)

    monkeypatch.setattr(mnist.experiment, "refine_digits", counting)
    (tmp_path / "out" / "cells" / "lines04_prior1_1.json").unlink()
    (tmp_path / "out" / "networks" / "denoiser_lines04.safetensors").unlink()
    results = run(tmp_path / "out")
    assert "lines04_prior1_1" in refined
    assert "lines04_prior1_0" not in refined
    assert "lines10_prior1_0" in refined
    assert results["lines"] == expected["lines"]


@pytest.mark.usefixtures("_tiny")
def test_other_settings_need_another_folder(tmp_path):
    run(tmp_path, lines=[4], recipe="official", overwrite=True)
    with pytest.raises(ValueError, match=r"classifier.* was trained with seed 0 \(now 1\): take another folder"):
        run(tmp_path, lines=[4], recipe="official", seed=1)
    with pytest.raises(ValueError, match=r"was computed with test_digits 12 \(now 11\): take another folder"):
        run(tmp_path, lines=[4], recipe="official", digits=11)
    assert run(tmp_path, lines=[4], recipe="official", digits=11, overwrite=True)["clean"]["digits"] == 11


@pytest.mark.usefixtures("_tiny")
def test_the_official_recipe_takes_all_steps_towards_the_true_prior_only(tmp_path):
    results = run(tmp_path / "out", lines=[4], recipe="official")
    refined = [document["result"] for name, document in cells_of(tmp_path / "out").items() if "_prior" in name]
    assert sorted(place for cell in refined for place in cell["places"]) == list(range(FEW))
    assert {steps for cell in refined if cell["places"] for steps in cell["steps"]} == {4}
    assert set(results["lines"][0]["variants"]) == {"denoised", "told", "prior", "guaranteed"}
    assert "The controls: every digit was refined towards its own prior only." in results["missing"]


@pytest.mark.usefixtures("_tiny")
def test_without_controls_a_digit_is_refined_towards_its_own_prior_only_to_the_same_end(tmp_path):
    alone = run(tmp_path / "alone", lines=[4], controls=False)
    refined = [document["result"] for name, document in cells_of(tmp_path / "alone").items() if "_prior" in name]
    assert sorted(place for cell in refined for place in cell["places"]) == list(range(FEW))
    whole = run(tmp_path / "whole", lines=[4])
    one, other = (results["lines"][0]["variants"]["prior"]["accuracy"] for results in (alone, whole))
    assert one == other
    assert set(alone["lines"][0]["variants"]) < set(whole["lines"][0]["variants"])


@pytest.mark.usefixtures("_tiny")
def test_without_mnist_quick_takes_other_digits_and_says_so(tmp_path, monkeypatch):
    def offline():
        raise OSError("no route to host; give the folder (--data)")

    monkeypatch.setattr(mnist.experiment, "download_mnist", offline)
    with pytest.raises(OSError, match="no route to host"):
        run(tmp_path / "paper", data=None)
    results = run(tmp_path / "quick", data=None, preset="quick", lines=[4], recipe="official")
    assert results["source"] == "scikit-learn's 8x8 digits, enlarged to 28x28"
    assert any("scikit-learn" in each and "compare nothing with the paper" in each for each in results["missing"])


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "slow"}, "preset must be one of quick, paper, got 'slow'"),
        ({"recipe": "mine"}, "recipe must be one of paper, official, got 'mine'"),
        ({"lines": [28]}, r"lines must be numbers from 1 to 27, got \[28\]"),
        ({"lines": []}, r"lines must be numbers from 1 to 27, got \[\]"),
        ({"digits": 0}, "digits must be at least 1, got 0"),
        ({"digits": 41}, "digits must be at most the 40 there are, got 41"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_wrong_options_are_refused_with_their_rule(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", **options)


LABELS = [1, 2, 8, 0, 6, 7, 8, 3]


def test_who_is_given_which_prior():
    read = [1, 2, 3, 8, 6, 7, 8, 3]

    def asked(variant, seed=0):
        return mnist.variants.asked_priors(variant, LABELS, read, RANGES, seed=seed)

    own = [LINE, LINE, TWO_LOOPS, LOOP, LOOP, LINE, TWO_LOOPS, LINE]
    assert asked("prior") == asked("guaranteed") == own
    assert asked("range") == [LINE, tp.BettiPrior(1, (0, 1)), *own[2:]]
    assert asked("read") == [LINE, LINE, LINE, TWO_LOOPS, LOOP, LINE, TWO_LOOPS, LINE]
    assert asked("any") == [ANY] * 8
    assert sorted(map(str, asked("shuffled"))) == sorted(map(str, own))
    assert asked("shuffled") != own
    for seed in range(5):
        assert not any(one == other for one, other in zip(asked("wrong", seed), own, strict=True))
    assert len({tuple(asked("wrong", seed)) for seed in range(5)}) > 1
    assert set(asked("wrong")) == {LINE, LOOP, TWO_LOOPS}


def cell(read, sure=0.5, loops=0, places=None):
    form = {
        "read": read,
        "sure": sure if isinstance(sure, list) else [sure] * len(read),
        "error": [0.1 * int(letter) for letter in read],
        "components": [1] * len(read),
        "loops": [loops] * len(read),
    }
    return {
        "places": places or list(range(len(read))),
        "refined": form,
        "guaranteed": form,
        "succeeded": [1] * len(read),
    }


def test_a_variant_picks_the_refinement_towards_its_prior():
    denoised = {
        "read": "880", "sure": [0.9] * 3, "error": [0.3] * 3, "components": [1] * 3, "loops": [2, 2, 1],
        "read_given": {"1,0": "111", "1,1": "000", "1,2": "888"},
    }  # fmt: skip
    refined = {
        LINE: cell("123", sure=[0.1, 0.9, 0.1], loops=0),
        LOOP: cell("069", sure=[0.8, 0.2, 0.3], loops=1),
        TWO_LOOPS: cell("888", sure=[0.2, 0.3, 0.7], loops=2),
        tp.BettiPrior(1, (0, 1)): cell("7", places=[1]),
    }
    found = mnist.variants.outcomes(denoised, refined, [0, 2, 8], RANGES, seed=0)
    reads = {name: outcome.read.tolist() for name, outcome in found.items()}
    assert reads["denoised"] == [8, 8, 0]
    assert reads["prior"] == [0, 2, 8]
    assert reads["range"] == [0, 7, 8]
    assert reads["read"] == [8, 8, 9]
    assert reads["surest"] == [0, 2, 8]
    assert reads["told"] == [0, 1, 8]
    assert found["prior"].betti.tolist() == [[1, 1], [1, 0], [1, 2]]
    assert found["prior"].error.tolist() == pytest.approx([0.0, 0.2, 0.8])
    assert "any" not in found


def test_the_ways_to_write_a_digit_are_counted():
    images = torch.zeros(8, 1, 28, 28)
    images[:, :, 20, 4:9] = 1
    looped = images.clone()
    looped[:, :, 22, 4:9] = looped[:, :, 21, 4] = looped[:, :, 21, 8] = 1
    for looping, expected in ((1, LINE), (2, tp.BettiPrior(1, (0, 1)))):
        mixed = torch.where((torch.arange(8) < looping)[:, None, None, None], looped, images)
        assert mnist.variants.range_priors(digits.Digits(mixed, torch.full((8,), 7)))[7] == expected


def test_digits_for_the_figures_are_repaired_ones():
    before = {8: {"read": "8533", "loops": [3, 0, 0, 0]}}
    cells = {(8, str(prior)): cell("0633") for prior in (LINE, LOOP, TWO_LOOPS)}
    chosen = mnist.figures.worth_showing(cells, before, [0, 6, 3, 3])
    assert chosen == {"4": (8, 0), "5": (8, 1), "6": (8, 2)}
    cells[8, "1,2"]["succeeded"] = [0] * 4
    assert set(mnist.figures.worth_showing(cells, before, [0, 6, 3, 3])) == {"4", "5"}


def test_training_repeats_and_keeps_the_best_state():
    sets = small_sets()
    clean = sets.training.images[:12]
    noisy = remove_lines(clean, 4, seed=0, axes="both")
    settings = mnist.training.DenoiserSettings((4, 8), "mse", 50, 6, 1e-2, one_cycle=True, keep_best=True)
    one, other = (mnist.training.train_denoiser(noisy, clean, (noisy, clean), settings, seed=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    error = (mnist.networks.denoised(one, noisy) - clean).square().mean().item()
    last = mnist.training.train_denoiser(noisy, clean, (noisy, clean), replace(settings, keep_best=False), seed=3)
    assert error <= (mnist.networks.denoised(last, noisy) - clean).square().mean().item()
    assert error < clean.square().mean().item()
    # Of validation images that the network only gets worse at, the first look is the best one.
    worse = mnist.training.train_denoiser(noisy, clean, (noisy, 1 - clean), settings, seed=3)
    assert not torch.equal(worse.last.bias, one.last.bias)


def test_the_classifier_learns():
    training, test, _ = digits.small_digits()
    settings = ClassifierSettings(features=8, epochs=5, batch_size=30, learning_rate=4e-3)
    network = mnist.training.train_classifier(training.select(slice(0, 600)), settings, seed=0)
    read = mnist.networks.digit_probabilities(network, test.images)
    assert torch.allclose(read.sum(1), torch.ones(len(test)))
    assert (read.argmax(1) == test.labels).double().mean() > 0.8


def test_numbers_as_tables_show_them():
    assert [mnist.tables.p_text(p) for p in (1.0, 0.25, 0.0432, 1e-9)] == ["1.00", "0.25", "0.043", "< 0.0001"]
