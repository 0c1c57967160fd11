"""Settings of training: read without torch, and refused by name and value."""

import subprocess
import sys

import pytest

from topoprior.training import settings


def test_settings_are_read_without_torch():
    code = "import sys, topoprior.training.settings as s; s.TrainingSettings(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("NetworkSettings", {"factory": "unet"}, "factory must be of the form module:function, got 'unet'"),
        ("SupervisedSettings", {"loss": "mse"}, "loss must be one of dice, ce, dice.ce, got 'mse'"),
        ("SupervisedSettings", {"steps": 0}, "steps must be at least 1, got 0"),
        ("SupervisedSettings", {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ("SupervisedSettings", {"learning_rate": 0.0}, "learning_rate must be greater than 0, got 0.0"),
        ("SupervisedSettings", {"weight_decay": -1.0}, "weight_decay must be at least 0, got -1.0"),
        ("SupervisedSettings", {"schedule": "step"}, "schedule must be one of constant, cosine, got 'step'"),
        ("SupervisedSettings", {"patience": 0}, "patience must be at least 1, got 0"),
        ("SupervisedSettings", {"validate_every": 0}, "validate_every must be at least 1, got 0"),
        ("PriorSettings", {"weight": 0.0}, "weight must be greater than 0 .*, got 0.0"),
        ("PriorSettings", {"combine": "both"}, "combine must be one of sum, alternate, got 'both'"),
        ("PriorSettings", {"keep": "best"}, "keep must be one of dice, topology, last, got 'best'"),
        ("PriorSettings", {"construction": "W"}, "construction must be one of T, V, got 'W'"),
        ("PriorSettings", {"boundary": "none"}, "boundary must be one of background, foreground, got 'none'"),
        ("PriorSettings", {"power": 3}, "power must be one of 1, 2, got 3"),
        ("PriorSettings", {"essential": "keep"}, "essential must be one of finite, drop, got 'keep'"),
        ("PriorSettings", {"max_bars": 0}, "max_bars must be at least 1, got 0"),
        ("PriorSettings", {"downsample": 0}, "downsample must be at least 1, got 0"),
        ("PriorSettings", {"pooling": "min"}, "pooling must be one of max, average, got 'min'"),
        ("PriorSettings", {"region": 0.0}, "region must be greater than 0 and at most 1, got 0.0"),
        ("PriorSettings", {"min_persistence": 1.0}, "min_persistence must be at least 0 and less than 1, got 1.0"),
        ("PriorSettings", {"unlabelled_batch_size": 0}, "unlabelled_batch_size must be at least 1, got 0"),
        ("PseudoLabelSettings", {"rounds": 0}, "rounds must be at least 1, got 0"),
        ("PseudoLabelSettings", {"labels": "both"}, "labels must be one of hard, soft, got 'both'"),
        ("PseudoLabelSettings", {"confidence": 1.0}, "confidence must be at least 0 and less than 1, got 1.0"),
        ("HardwareSettings", {"device": "tpu"}, "device must be one of auto, cpu, cuda, got 'tpu'"),
        ("HardwareSettings", {"devices": 0}, "devices must be at least 1, got 0"),
        ("HardwareSettings", {"precision": "16"}, "precision must be one of 32-true, .*, got '16'"),
        ("HardwareSettings", {"threads": 0}, "threads must be at least 1, got 0"),
        ("TrainingSettings", {"method": "crf"}, "method must be one of .*, pseudo-labels.prior, got 'crf'"),
        ("TrainingSettings", {"seed": -1}, "seed must be at least 0 .*, got -1"),
        ("TrainingSettings", {"seed": 0.5}, "seed must be a whole number, got 0.5"),
        ("SupervisedSettings", {"steps": 1.5}, "steps must be a whole number, got 1.5"),
        ("SupervisedSettings", {"patience": True}, "patience must be a whole number, got True"),
        ("SupervisedSettings", {"learning_rate": float("inf")}, "learning_rate must be finite, got inf"),
        ("SupervisedSettings", {"weight_decay": float("inf")}, "weight_decay must be finite, got inf"),
        ("PriorSettings", {"weight": float("inf")}, "weight must be finite, got inf"),
        ("AugmentationSettings", {"noise": float("inf")}, "noise must be finite, got inf"),
    ],
)
def test_wrong_values_are_refused_by_name(kind, values, message):
    with pytest.raises(ValueError, match=message):
        getattr(settings, kind)(**values)
