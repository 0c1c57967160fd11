"""One map for each finding of the doctor, and healthy maps without any."""

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.doctor import Finding
from topoprior.doctor.shape import stack_findings

Y, X = np.mgrid[:30, :34]
RADIUS = np.hypot(Y - 15, X - 17)
RING = 0.01 + 0.98 * np.exp(-(((RADIUS - 9) / 3) ** 4))
DISC = 0.02 + 0.96 / (1 + np.exp(2 * (RADIUS - 8)))
PRIOR = tp.BettiPrior(1, 1)


def with_noise(image, size, seed=0):
    return np.clip(image + size * np.random.default_rng(seed).standard_normal(image.shape), 0, 1)


def with_speck(image):
    """A second component, which no other convention explains away."""
    image = image.copy()
    image[1:4, 1:4] = 0.7
    return image


def found(values, prior=None, **options):
    """Names of the findings, each with its severity."""
    values = values[None, None] if values.ndim == 2 else values
    return {each.name: each.severity for each in tp.diagnose(values, prior, **options)}


def the(name, values, prior=None, **options):
    values = values[None, None] if values.ndim == 2 else values
    (finding,) = [each for each in tp.diagnose(values, prior, **options) if each.name == name]
    return finding


@pytest.mark.parametrize(
    ("values", "prior", "options"),
    [
        (RING, PRIOR, {}),
        (RING, None, {}),
        (DISC, tp.BettiPrior(1, 0), {}),
        (torch.from_numpy(RING).logit()[None, None].requires_grad_(), PRIOR, {"activation": "sigmoid"}),
        (np.stack([1 - RING, RING])[None], [[tp.BettiPrior(2, 1), PRIOR]], {}),
        (np.stack([RING[4:26, 4:30]] * 3)[:, None], PRIOR, {"construction": "V"}),
    ],
)
def test_nothing_is_found_in_what_is_right(values, prior, options):
    assert found(values, prior, **options) == {}


@pytest.mark.parametrize(
    ("name", "severity", "values", "prior", "options"),
    [
        ("logits", "error", np.log(RING / (1 - RING)), PRIOR, {}),
        ("gray values", "error", np.round(255 * RING), PRIOR, {}),
        ("not floating point", "error", (RING > 0.5).astype(np.uint8), PRIOR, {}),
        ("not finite", "error", np.where(RING > 0.9, np.nan, RING), PRIOR, {}),
        ("activated twice", "error", RING, PRIOR, {"activation": "sigmoid"}),
        ("activated twice", "warning", 1 / (1 + np.exp(-RING)), PRIOR, {}),
        ("constant", "error", np.full((8, 9), 0.3), PRIOR, {}),
        ("mask", "error", (RING > 0.5).astype(float), PRIOR, {}),
        ("empty", "warning", 0.4 * RING, PRIOR, {}),
        ("full", "warning", 0.5 + 0.4 * with_noise(RING, 0.01), PRIOR, {}),
        ("missing axes", "error", RING[0], PRIOR, {}),
        ("missing axes", "error", RING[None, None][0, 0, 0], None, {}),
        ("channels last", "error", np.stack([1 - RING, RING], -1)[None], PRIOR, {}),
        ("prior of other dimensions", "error", RING[None, None], tp.BettiPrior(1, 1, 0), {}),
        ("axis taken for channels", "warning", np.stack([RING] * 40)[None], None, {}),
        ("softmax of one channel", "error", 9 * RING - 4, PRIOR, {"activation": "softmax"}),
        ("prior out of reach", "error", RING, tp.BettiPrior(0, 1), {}),
        ("prior out of reach", "error", RING, tp.BettiPrior(None, None), {}),
        ("prior too large", "error", RING[:7, :7] + 0.01 * X[:7, :7] / 34, tp.BettiPrior(15, 1), {}),
        ("no trace", "error", DISC, PRIOR, {}),
        ("faint trace", "warning", DISC - 0.01 * (RADIUS < 1), PRIOR, {}),
        ("noise", "warning", np.clip(with_noise(0.02 + 0.97 * RING, 0.012), 0, 1), PRIOR, {"power": 1}),
        ("noise", "note", with_noise(0.5 * RING + 0.2, 0.008), None, {}),
        ("threshold", "warning", with_speck(RING), PRIOR, {}),
        ("by a hair", "note", np.where(RING > 0.5, 0.51, RING / 2), PRIOR, {}),
        ("already right", "note", 0.2 + 0.6 * RING, PRIOR, {}),
        ("essential class", "note", RING, tp.BettiPrior(0, 0), {}),
        ("boundary", "warning", RING, tp.BettiPrior(2, 1), {}),
    ],
)
def test_each_finding_has_a_map(name, severity, values, prior, options):
    assert found(values, prior, **options).get(name) == severity


TOUCHING = np.full((9, 10), 0.01)
TOUCHING[1:4, 1:4] = TOUCHING[4:7, 4:7] = 0.99


def test_pixels_that_touch_at_corners():
    finding = the("connectivity", TOUCHING, tp.BettiPrior(2, 0))
    assert (finding.severity, finding.measured) == ("warning", {"T": [1, 0], "V": [2, 0]})
    assert found(TOUCHING, tp.BettiPrior(2, 0), construction="V") == {"connectivity": "note"}
    assert found(TOUCHING) == {"connectivity": "note"}


def test_a_gradient_that_no_sigmoid_passes():
    sure = with_speck(RING)
    sure[1:4, 1:4], sure[0:5, 0] = 1 - 1e-7, 1e-7
    saturated = np.where(sure > 0.5, 1 - 1e-6 * X / 34, 1e-6 * (Y + 1) / 34)
    assert found(saturated, PRIOR)["saturated"] == "warning"
    assert "saturated" not in found(with_speck(RING), PRIOR)
    sure_disc = 1 / (1 + np.exp(RADIUS - 12))  # its one component is full: nothing to push there
    assert "saturated" not in found(sure_disc, PRIOR)


@pytest.mark.parametrize(
    ("cut", "names"),
    [
        (lambda p: p, []),
        (lambda p: p.detach(), ["cut graph"]),
        (lambda p: (p > 0.5).float(), ["cut graph", "mask"]),
        (lambda p: p.round().long(), ["not floating point"]),
    ],
)
def test_a_tensor_tells_whether_a_gradient_flows(cut, names):
    output = torch.from_numpy(RING)[None, None].requires_grad_()
    assert [each.name for each in tp.diagnose(cut(output), PRIOR)] == names
    assert output.grad is None


def test_numbers_are_measured():
    logits = 6 * RING - 3
    assert the("logits", logits).measured == pytest.approx({"low": logits.min(), "high": logits.max()})
    missing = the("no trace", DISC, tp.BettiPrior(1, 2)).measured
    assert (missing["dimension"], missing["wanted"], missing["bars"]) == (1, 2, 0)
    assert missing["loss"] > 2  # two bars that do not exist cost 1 each
    level = the("threshold", with_speck(RING), PRIOR).measured
    assert level["from"] == pytest.approx(0.71)
    image = torch.from_numpy(with_speck(RING))[None, None]
    middle = (level["from"] + level["to"]) / 2
    assert PRIOR.is_satisfied_by(tp.persistence(image).betti_numbers(middle)).all()


def test_what_several_maps_share_is_said_once_and_the_worst_comes_first():
    batch = np.stack([RING, DISC, DISC, 0.4 * RING])[:, None]
    findings = tp.diagnose(batch, PRIOR)
    missing = findings[0]
    assert missing.name == "no trace"
    assert missing.what.startswith("In image 1, channel 0 (one of 2): ")
    assert missing.measured["maps"] == 2
    assert [each.severity for each in findings] == sorted(each.severity for each in findings if each.is_problem)
    assert the("empty", batch, PRIOR).what.startswith("1 of 4 maps is below")


def test_priors_of_classes_and_unions():
    wall, inside = RING, 0.98 * (RADIUS < 6) * (1 - RING)
    probability = np.stack([np.clip(1 - wall - inside, 0, 1), wall, inside])[None]
    right = tp.ClassPriors({"wall": (1, 1), "inside": (1, 0)}, classes=("BG", "wall", "inside"))
    assert not [each for each in tp.diagnose(probability, right) if each.severity == "error"]
    wrong = tp.ClassPriors({"wall": (1, 1), "inside": (1, 1)}, classes=("BG", "wall", "inside"))
    (finding,) = [each for each in tp.diagnose(probability, wrong) if each.severity == "error"]
    assert (finding.name, finding.measured["where"]) == ("no trace", "image 0, inside")
    with pytest.raises(ValueError, match="the prior speaks of 3 classes, got 2 channels"):
        tp.diagnose(probability[:, :2], right)


@pytest.mark.parametrize(
    ("name", "shape", "spacing", "dimensions", "slices"),
    [
        ("channels last", (40, 44, 3), None, 2, None),
        ("prior of other dimensions", (40, 44, 12), None, 2, None),
        ("prior of other dimensions", (40, 44, 12), None, 3, 2),
        ("prior of other dimensions", (40, 44), None, 3, None),
        ("stack taken for a volume", (90, 95, 11), None, 3, None),
        ("stack taken for a volume", (40, 44, 30), (1.4, 1.4, 8.0), None, None),
        ("axis of slices", (60, 64, 12), None, 2, 0),
    ],
)
def test_axes_of_files(name, shape, spacing, dimensions, slices):
    (finding,) = stack_findings(shape, spacing, dimensions, slices)
    assert (finding.name, finding.measured["shape"]) == (name, list(shape))


@pytest.mark.parametrize(
    ("shape", "spacing", "dimensions", "slices"),
    [((40, 44), None, 2, None), ((40, 44, 30), (1, 1, 1), 3, None), ((60, 64, 12), (1.4, 1.4, 8.0), 2, 2)],
)
def test_axes_that_are_right(shape, spacing, dimensions, slices):
    assert list(stack_findings(shape, spacing, dimensions, slices)) == []


def test_an_advice_that_is_followed_leaves_no_problem():
    logits = torch.from_numpy(np.log(RING / (1 - RING)))[None, None]
    assert found(logits.numpy(), PRIOR, activation="sigmoid") == {}
    speck = with_speck(RING)
    level = the("threshold", speck, PRIOR).measured
    assert "threshold" not in found(speck, PRIOR, threshold=(level["from"] + level["to"]) / 2)


@pytest.mark.parametrize(
    ("values", "options", "error", "message"),
    [
        ([[0.5]], {}, TypeError, "values must be a torch tensor or a numpy array, got list"),
        (np.zeros((1, 0, 4, 4)), {}, ValueError, r"values must not be empty, got shape \(1, 0, 4, 4\)"),
        (RING, {"threshold": 0}, ValueError, "threshold must be greater than 0 and at most 1, got 0"),
    ],
)
def test_wrong_arguments(values, options, error, message):
    with pytest.raises(error, match=message):
        tp.diagnose(values, PRIOR, **options)


def test_a_finding_as_text_and_as_plain_values():
    finding = Finding("note", "name", "It is so.", "Do that.", {"a": 1})
    assert str(finding) == "note: name: It is so. Do that."
    assert finding.as_dict() == {
        "severity": "note",
        "name": "name",
        "what": "It is so.",
        "advice": "Do that.",
        "measured": {"a": 1},
    }
