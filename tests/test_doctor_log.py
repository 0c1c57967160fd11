"""Logs with one fault each, and a sound one; the last is of a real run."""

import json

import pytest
import torch

import topoprior as tp
from topoprior.doctor import diagnose_log
from topoprior.training import Cases, NetworkSettings, PriorSettings, SupervisedSettings, TrainingSettings


def phase(name="prior", *, weight=0.1, **curves):
    """Records of a phase: curves of ``train_...`` and ``validation_...``, one value for each look."""
    looks = len(next(iter(curves.values())))
    records = [{"phase": name, "step": 10 * look, "total_step": 10 * look} for look in range(looks)]
    for key, values in curves.items():
        for record, value in zip(records, values, strict=True):
            record[key.replace("_", "/", 1)] = value
    facts = {"phase": name, "step": 0, "total_step": 0, "facts/weight": weight}
    return [facts, *records] if name == "prior" else records


SOUND = {
    "train_labelled": [0.3, 0.3, 0.28, 0.27],
    "train_topology": [1.0, 0.7, 0.4, 0.2],
    "validation_dice": [0.8, 0.82, 0.82, 0.83],
    "validation_success": [0.3, 0.5, 0.7, 0.8],
    "validation_topology": [1.1, 0.8, 0.5, 0.3],
}
SUPERVISED = {"train_labelled": [1.2, 0.8, 0.5, 0.3], "validation_dice": [0.1, 0.5, 0.7, 0.8]}
FLAT = {"train_topology": [1.0, 1.01, 1.0, 0.995], "validation_topology": [1.0, 0.99, 0.98, 0.98]}
RISING = {"train_topology": [1.0, 1.2, 1.5, 1.6], "validation_topology": [1.0, 0.9, 1.5, 1.6]}
FALLING_DICE = {"validation_dice": [0.8, 0.7, 0.65, 0.6]}


def names(records):
    return [each.name for each in diagnose_log(records)]


def test_nothing_is_found_in_a_sound_log():
    assert names(phase("supervised", **SUPERVISED) + phase(**SOUND)) == []


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("empty log", []),
        ("empty log", [{"phase": "prior", "step": 0, "facts/weight": 1}]),
        ("not finite", phase(**SOUND | {"train_topology": [1.0, float("nan"), 0.4, 0.2]})),
        ("no warm start", phase(**SOUND | {"validation_dice": [0.1, 0.2, 0.4, 0.6]})),
        (
            "labelled loss flat",
            phase("supervised", train_labelled=[1.2, 1.2, 1.19], validation_dice=[0.1, 0.1, 0.12]),
        ),
        ("topological loss flat", phase(**SOUND | FLAT)),
        ("weight too small", phase(**SOUND | FLAT, weight=1e-4)),
        ("weight too large", phase(**SOUND | FALLING_DICE, weight=2.0)),
        ("both get worse", phase(**SOUND | RISING | FALLING_DICE)),
        ("weight large", phase(**SOUND, weight=20.0)),
        ("loss falls, topology stays wrong", phase(**SOUND | {"validation_success": [0.0, 0.0, 0.01, 0.0]})),
        ("kept the start", phase(**SOUND | {"validation_topology": [1.0, 1.2, 1.1, 1.3]})),
    ],
)
def test_each_finding_has_a_log(name, records):
    assert names(records) == [name]


def test_numbers_are_measured():
    (finding,) = diagnose_log(phase(**SOUND | FALLING_DICE, weight=2.0))
    measured = finding.measured
    assert (measured["dice first"], measured["dice last"], measured["weight"]) == (0.8, 0.6, 2.0)
    assert measured["share"] == pytest.approx(2 * 0.575 / 0.2875)
    assert "Lower prior.weight threefold" in finding.advice


def test_a_log_on_disk(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in phase(**SOUND | FLAT)))
    assert [each.name for each in diagnose_log(file)] == ["topological loss flat"]
    assert diagnose_log(tmp_path) == diagnose_log(str(file))
    file.write_text('{"phase": "prior", "step": 0}\nnonsense\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl: line 2 is not JSON"):
        diagnose_log(file)
    file.write_text('{"loss": 1}\n')
    with pytest.raises(ValueError, match=r"line 1 is no record of a run"):
        diagnose_log(file)
    with pytest.raises(FileNotFoundError, match="other does not exist: a run of topoprior train"):
        diagnose_log(tmp_path / "other")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made
def test_the_history_of_a_run_that_began_too_early():
    images, masks = map(torch.from_numpy, tp.phantoms.ring_segmentation(3, size=40, seed=0))
    rings = Cases(images, masks[:, 0].byte(), tuple("abc"), ((tp.BettiPrior(1, 1),),) * 3)
    settings = TrainingSettings(
        method="prior",
        network=NetworkSettings(channels=(4, 8)),
        supervised=SupervisedSettings(steps=1, batch_size=1),
        prior=PriorSettings(steps=2, batch_size=1, unlabelled_batch_size=1, keep="last"),
    )
    one, two, three = (rings.select([k]) for k in range(3))
    history = tp.training.fit(settings, labelled=one, validation=two, unlabelled=three).history
    assert names(history) == ["no warm start"]
