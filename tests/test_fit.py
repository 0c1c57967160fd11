"""Training runs: what they learn, keep, log, refuse, and how they go on after they were killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import topoprior as tp
from topoprior.training import (
    AugmentationSettings,
    Cases,
    HardwareSettings,
    NetworkSettings,
    PriorSettings,
    PseudoLabelSettings,
    SupervisedSettings,
    TrainingSettings,
    fit,
)

RING = tp.BettiPrior(1, 1)


def rings(count, *, seed, labelled=True, prior=RING, noise=0.6):
    """Noisy rings of 20 x 24 pixels, each with its label."""
    random = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    centre = torch.tensor([9.5, 11.5]) + 2 * torch.rand(count, 2, generator=random) - 1
    distance = torch.hypot(y - centre[:, 0, None, None], x - centre[:, 1, None, None])
    labels = ((distance > 3) & (distance < 7)).to(torch.uint8)
    images = labels[:, None] + noise * torch.randn(count, 1, 20, 24, generator=random)
    priors = None if prior is None else ((prior,),) * count
    return Cases(images, labels if labelled else None, tuple(f"ring {seed}-{k}" for k in range(count)), priors)


SETTINGS = TrainingSettings(
    network=NetworkSettings(channels=(4, 8), residual_units=0),
    supervised=SupervisedSettings(steps=12, batch_size=4, validate_every=4, learning_rate=0.02),
    prior=PriorSettings(steps=8, batch_size=4, unlabelled_batch_size=4, validate_every=4, learning_rate=0.01),
    pseudo_labels=PseudoLabelSettings(rounds=2, steps=4, batch_size=4, unlabelled_batch_size=4, validate_every=2),
    augmentation=AugmentationSettings(rotation=20),
)
DATA = {"labelled": rings(6, seed=0), "validation": rings(5, seed=1), "unlabelled": rings(7, seed=2, labelled=False)}


def trained(method="prior", **options):
    return fit(replace(SETTINGS, method=method), **{**DATA, **options})


def weights(result):
    return torch.cat([value.flatten().double() for value in result.network.state_dict().values()])


@pytest.fixture(scope="module")
def long_run():
    """A run that is long enough to learn."""
    settings = replace(
        SETTINGS,
        method="prior",
        supervised=replace(SETTINGS.supervised, steps=60, validate_every=20),
        prior=replace(SETTINGS.prior, steps=60, validate_every=20, weight=1.0),
    )
    return fit(settings, **DATA)


def test_the_prior_lowers_the_topological_loss_and_keeps_the_overlap(long_run):
    supervised, prior = (phase.validation for phase in long_run.phases)
    assert supervised["dice"] > 0.7
    assert prior["topology"] < 0.7 * supervised["topology"]
    assert prior["dice"] > supervised["dice"] - 0.05


def test_the_kept_state_is_the_one_of_lowest_validation_loss(long_run):
    looks = [record for record in long_run.history if record["phase"] == "prior" and "validation/dice" in record]
    best = min(looks, key=lambda record: record["validation/topology"])
    phase = long_run.phases[1]
    assert (phase.best_step, phase.validation["topology"]) == (best["step"], best["validation/topology"])
    validation = DATA["validation"]
    found = tp.betti_prior_loss(long_run.probabilities(validation.images), RING)
    assert found.item() == pytest.approx(best["validation/topology"], abs=1e-5)


def test_a_phase_that_only_does_harm_gives_back_its_start(long_run):
    base = long_run.network
    wild = replace(SETTINGS.supervised, learning_rate=3.0, schedule="constant", validate_every=4)
    result = fit(replace(SETTINGS, supervised=wild), network=base, **DATA)
    assert result.phases[0].best_step == 0
    assert torch.equal(weights(result), weights(long_run))


def test_all_losses_are_logged(long_run):
    records = {record["step"]: record for record in long_run.history if record["phase"] == "prior"}
    assert set(records[20]) >= {
        "train/labelled",
        "train/topology",
        "validation/dice",
        "validation/success",
        "validation/topology",
    }
    assert long_run.history[-1]["total_step"] == 120
    start = next(record for record in long_run.history if "facts/weight" in record)
    assert (start["facts/weight"], start["facts/lambda of equation 6"]) == (1.0, 1.0)


def test_without_improvement_a_phase_ends_early_and_keeps_its_start():
    settings = replace(
        SETTINGS, supervised=replace(SETTINGS.supervised, learning_rate=1e-12, patience=2, steps=100, weight_decay=0.0)
    )
    [phase] = fit(settings, **DATA).phases
    assert phase.stop_reason == "no better for a while"
    assert phase.steps < 100
    assert phase.steps == phase.best_step + 2 * 4


@pytest.mark.parametrize("method", ["supervised", "prior", "pseudo-labels"])
def test_the_same_seed_gives_the_same_network_and_another_does_not(method):
    first = trained(method)
    torch.manual_seed(99)  # the global generator plays no part
    assert torch.equal(weights(first), weights(trained(method)))
    other = fit(replace(SETTINGS, method=method, seed=1), **DATA)
    assert not torch.equal(weights(first), weights(other))


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    trained("supervised")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_trained_network_is_the_warm_start():
    base = trained("supervised")
    before = weights(base)
    both, second = trained("prior"), trained("prior", network=base.network)
    assert [phase.name for phase in second.phases] == ["prior"]
    assert torch.equal(weights(both), weights(second))
    assert torch.equal(weights(base), before)


@pytest.mark.parametrize("change", [{"combine": "alternate"}, {"weight": 10.0}, {"power": 1}])
def test_options_of_the_prior_matter(change):
    base = trained("supervised").network
    plain = trained("prior", network=base)
    other = fit(replace(SETTINGS, method="prior", prior=replace(SETTINGS.prior, **change)), network=base, **DATA)
    assert not torch.equal(weights(plain), weights(other))


def test_the_last_state_is_kept_if_asked_for():
    settings = replace(SETTINGS.prior, keep="last", learning_rate=1e-12)  # never better than the start
    [phase] = fit(
        replace(SETTINGS, method="prior", prior=settings), network=trained("supervised").network, **DATA
    ).phases
    assert (phase.steps, phase.best_step) == (8, 8)


def test_a_sum_is_one_update_and_turns_are_two():
    base = trained("supervised").network
    one = replace(SETTINGS.prior, steps=1, keep="last", schedule="constant", weight_decay=0.0, weight=1e-9)
    moved = {}
    for combine in ("sum", "alternate"):
        settings = replace(SETTINGS, method="prior", prior=replace(one, combine=combine))
        result = fit(settings, network=base, **DATA)
        start = torch.cat([value.flatten().double() for value in base.state_dict().values()])
        moved[combine] = (weights(result) - start).abs().max().item()
    assert moved["sum"] == pytest.approx(0.01, rel=0.01)  # the first step of Adam has the size of the learning rate
    assert moved["alternate"] > 0.012


@pytest.mark.parametrize("change", [{"labels": "soft"}, {"confidence": 0.9}, {"restart": True}])
def test_options_of_the_pseudo_labels_matter(change):
    base = trained("supervised").network
    plain = trained("pseudo-labels", network=base)
    settings = replace(SETTINGS, method="pseudo-labels", pseudo_labels=replace(SETTINGS.pseudo_labels, **change))
    assert not torch.equal(weights(plain), weights(fit(settings, network=base, **DATA)))


def test_pseudo_labels_and_prior_together():
    base = trained("supervised").network
    both, labels = trained("pseudo-labels+prior", network=base), trained("pseudo-labels", network=base)
    assert [phase.name for phase in both.phases] == ["pseudo-labels+prior 1", "pseudo-labels+prior 2"]
    last = both.history[-1]
    assert {"train/labelled", "train/pseudo-labelled", "train/topology"} <= set(last)
    assert not torch.equal(weights(both), weights(labels))
    looks = [record for record in both.history if record["phase"] == "pseudo-labels+prior 2"]
    assert both.phases[1].validation["topology"] == min(record["validation/topology"] for record in looks)
    with pytest.raises(ValueError, match="unlabelled cases: these cases have no priors"):
        trained("pseudo-labels+prior", unlabelled=rings(3, seed=2, prior=None))


def test_several_classes_with_a_prior_each():
    def two_classes(cases):
        inside = torch.zeros_like(cases.labels)
        inside[:, 8:12, 10:14] = 2
        labels = torch.where(cases.labels == 1, cases.labels, inside)
        return replace(cases, labels=labels, priors=((RING, tp.BettiPrior(None, None)),) * len(cases))

    data = {"labelled": two_classes(DATA["labelled"]), "validation": two_classes(DATA["validation"])}
    unlabelled = replace(two_classes(rings(4, seed=3)), labels=None)
    result = fit(replace(SETTINGS, method="prior"), unlabelled=unlabelled, **data)
    assert result.activation == "softmax"
    assert result.probabilities(unlabelled.images).shape == (4, 2, 20, 24)
    masks = result.masks(unlabelled.images)
    assert masks.shape == (4, 2, 20, 24)
    assert not (masks[:, 0] & masks[:, 1]).any()


def test_volumes():
    y = torch.zeros(3, 8, 9, 10, dtype=torch.uint8)
    y[:, 2:6, 3:7, 2:8] = 1
    images = y[:, None] + 0.3 * torch.randn(3, 1, 8, 9, 10, generator=torch.Generator().manual_seed(0))
    cases = Cases(images, y, ("a", "b", "c"), ((tp.BettiPrior(1, 0, 0),),) * 3, (2.0, 1.0, 1.0))
    result = fit(replace(SETTINGS, method="prior"), labelled=cases, validation=cases, unlabelled=cases)
    assert result.masks(images).shape == (3, 1, 8, 9, 10)


def test_post_processing_goes_with_the_network(tmp_path):
    settings = replace(SETTINGS, post_processing={"name": "closing", "radius": 2})
    result = fit(settings, **DATA, folder=tmp_path / "run")
    images = DATA["validation"].images
    bare = result.probabilities(images) >= 0.5
    masks = result.masks(images)
    assert torch.equal(masks & bare, bare)
    assert not torch.equal(masks, bare)
    loaded = tp.networks.load(tmp_path / "run/checkpoints/best.safetensors")
    assert loaded.metadata["post_processing"] == {"name": "closing", "radius": 2}


def test_a_crf_without_options_is_fitted_to_the_validation_cases():
    wide = {name: replace(cases, spacing=(3.0, 1.5)) for name, cases in DATA.items()}
    result = fit(replace(SETTINGS, post_processing={"name": "crf"}), **wide)
    found = result.post_processing.as_dict()
    assert (found["name"], found["spacing"]) == ("crf", [2.0, 1.0])
    assert result.masks(DATA["validation"].images).dtype == torch.bool


def test_bf16_mixed_precision_trains():
    settings = replace(SETTINGS, method="prior", hardware=HardwareSettings(precision="bf16-mixed"))
    result = fit(settings, **DATA)
    assert next(result.network.parameters()).dtype == torch.float32
    assert not torch.equal(weights(result), weights(trained("prior")))
    assert result.phases[1].validation["dice"] > 0


def test_the_folder_of_a_run(tmp_path):
    folder = tmp_path / "run"
    result = trained("prior", folder=folder, metadata={"classes": [2]})
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == list(result.history)
    assert list((folder / "tensorboard").glob("events*"))
    loaded = tp.networks.load(folder / "checkpoints/best.safetensors")
    assert loaded.activation == "sigmoid"
    assert loaded.metadata["classes"] == [2]
    assert [phase["name"] for phase in loaded.metadata["training"]] == ["supervised", "prior"]
    images = DATA["validation"].images
    assert torch.equal(torch.sigmoid(loaded.network(images)), result.probabilities(images))


class TwoLayers(nn.Sequential):
    pass


def two_layers(*, spatial_dims, in_channels, out_channels):
    """A network of one's own, by its import path."""
    assert spatial_dims == 2
    return TwoLayers(nn.Conv2d(in_channels, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, out_channels, 3, padding=1))


def test_any_module_by_its_import_path(tmp_path):
    path = f"{__name__}:two_layers"
    result = fit(replace(SETTINGS, network=NetworkSettings(factory=path)), **DATA, folder=tmp_path / "run")
    assert isinstance(result.network, TwoLayers)
    loaded = tp.networks.load(tmp_path / "run/checkpoints/best.safetensors")
    images = DATA["validation"].images
    assert torch.equal(torch.sigmoid(loaded.network(images)), result.probabilities(images))


SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    import torch
    torch.set_num_threads(1)
    sys.path.insert(0, {tests!r})
    from test_fit import DATA, SETTINGS, fit, replace

    def progress(phase, step, steps, values):
        if (phase, step) == {at!r}:
            os.kill(os.getpid(), signal.SIGKILL)

    fit(replace(SETTINGS, method={method!r}), **DATA, folder={folder!r}, resume={resume!r}, progress=progress)
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system knows no SIGKILL")
@pytest.mark.parametrize(
    ("method", "at"), [("prior", ("supervised", 7)), ("prior", ("prior", 6)), ("pseudo-labels", ("pseudo-labels 2", 3))]
)
def test_a_run_that_was_killed_is_resumed_to_the_same_end(tmp_path, method, at):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = trained(method, folder=tmp_path / "whole")
        folder = tmp_path / "killed"
        script = SCRIPT.format(tests=str(Path(__file__).parent), at=at, method=method, folder=str(folder), resume=False)
        killed = subprocess.run([sys.executable, "-c", script], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert killed.returncode == -signal.SIGKILL
        assert not (folder / "checkpoints/best.safetensors").exists()
        resumed = trained(method, folder=folder, resume=True)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.phases == whole.phases
    assert resumed.history == whole.history
    assert (folder / "metrics.jsonl").read_text() == (tmp_path / "whole/metrics.jsonl").read_text()


def test_a_finished_run_is_not_run_again(tmp_path):
    first = trained("prior", folder=tmp_path)
    steps = []
    again = trained("prior", folder=tmp_path, resume=True, progress=lambda *told: steps.append(told))
    assert steps == []
    assert torch.equal(weights(first), weights(again))


def test_a_run_is_not_overwritten_unasked(tmp_path):
    trained("supervised", folder=tmp_path)
    with pytest.raises(FileExistsError, match="holds a run already"):
        trained("supervised", folder=tmp_path)


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        ({"seed": 5}, {}, "seed was 0 and is now 5"),
        ({"prior": replace(SETTINGS.prior, weight=0.2)}, {}, r"prior\.weight was 0\.1 and is now 0\.2"),
        ({}, {"labelled": rings(6, seed=8)}, "labelled cases was"),
    ],
)
def test_a_run_is_resumed_as_it_was_or_not_at_all(tmp_path, settings, data, message):
    trained("supervised", folder=tmp_path)
    with pytest.raises(ValueError, match=message):
        fit(replace(SETTINGS, **settings), **{**DATA, **data}, folder=tmp_path, resume=True)


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.pt").write_bytes(b"no state")
    with pytest.raises(ValueError, match=r"last\.pt is damaged or no state of a run"):
        trained("supervised", folder=tmp_path, resume=True)


def test_a_loss_that_explodes_ends_the_run():
    settings = replace(SETTINGS, supervised=replace(SETTINGS.supervised, learning_rate=1e30, schedule="constant"))
    with pytest.raises(ValueError, match=r"the labelled loss became nan in step \d+ of the phase supervised: lower"):
        fit(settings, **DATA)


@pytest.mark.parametrize(
    ("method", "data", "message"),
    [
        ("prior", {"unlabelled": None}, "method prior needs unlabelled cases, got none"),
        ("prior", {"unlabelled": rings(3, seed=2, prior=None)}, "unlabelled cases: these cases have no priors"),
        ("prior", {"validation": rings(3, seed=2, prior=None)}, "keep: topology .* which have no priors"),
        ("prior", {"unlabelled": rings(3, seed=2, prior=tp.BettiPrior(0, 1))}, "prior 0,1 cannot be reached"),
        ("prior", {"unlabelled": rings(3, seed=2, prior=tp.BettiPrior(None, None))}, "ring 2-0: .*allow any topology"),
        ("prior", {"unlabelled": rings(3, seed=2, prior=tp.BettiPrior(1, 1, 0))}, "3"),
        ("supervised", {"labelled": rings(3, seed=2, labelled=False)}, "labelled cases must have labels, got none"),
        ("supervised", {"validation": rings(3, seed=2, labelled=False)}, "validation cases must have labels, got none"),
    ],
)
def test_cases_that_do_not_fit_are_refused_before_any_training(tmp_path, method, data, message):
    with pytest.raises(ValueError, match=message):
        trained(method, **data, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_classes_that_never_occur_are_refused():
    empty = replace(DATA["labelled"], labels=torch.zeros_like(DATA["labelled"].labels))
    with pytest.raises(ValueError, match="got only background"):
        trained("supervised", labelled=empty)
    third = replace(DATA["labelled"], labels=3 * DATA["labelled"].labels)
    with pytest.raises(ValueError, match="class 1 never occurs in the labelled cases"):
        trained("supervised", labelled=third)
    second = replace(DATA["validation"], labels=2 * DATA["validation"].labels)
    with pytest.raises(ValueError, match="class 2 occurs in the validation cases but never in the labelled"):
        trained("supervised", validation=second)


def test_other_mistakes_are_refused():
    with pytest.raises(TypeError, match="settings must be TrainingSettings, got dict"):
        fit({}, **DATA)
    with pytest.raises(ValueError, match="batch_size of supervised must be a multiple of the 3 devices, got 4"):
        fit(replace(SETTINGS, hardware=HardwareSettings(devices=3)), **DATA)
    with pytest.raises(ValueError, match="resume needs the folder"):
        trained("supervised", resume=True)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device must be cpu or auto on this machine"):
            fit(replace(SETTINGS, hardware=HardwareSettings(device="cuda")), **DATA)
    with pytest.raises(ValueError, match="name of the post-processing must be"):
        fit(replace(SETTINGS, post_processing={"name": "opening"}), **DATA)
    with pytest.raises(TypeError, match="network must come from"):
        trained("prior", network=nn.Conv2d(1, 1, 3, padding=1), folder="never made")
    assert not Path("never made").exists()
