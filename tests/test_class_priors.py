import pytest
import torch

import topoprior as tp
from topoprior import BettiPrior, ClassPriors
from topoprior.priors.class_priors import are_class_priors, resolve_class_priors

HEART = ("BG", "RV", "MYO", "LV")


def test_entries_are_sorted_whatever_the_order_they_are_given_in():
    first = ClassPriors({("LV", "MYO"): (1, 0), 2: (1, 1), "RV": (1, 0)}, classes=HEART)
    second = ClassPriors({"RV": BettiPrior(1, 0), "MYO": (1, 1), (2, 3): [1, 0]}, classes=list(HEART))
    assert first == second
    assert hash(first) == hash(second)
    assert first.unions == ((1,), (2,), (2, 3))
    assert first.names == ("RV", "MYO", "MYO+LV")
    assert first.dimensions == 2
    assert first != ClassPriors({"RV": (1, 0)}, classes=HEART)


def test_ranges_weights_and_lookup():
    priors = ClassPriors({0: (None, (1, 3)), ("RV", 3): BettiPrior(2, (0, None), weights=(2, 0))}, classes=HEART)
    assert priors["LV", "RV"].weights == (2.0, 0.0)
    assert priors["BG"] == priors[0] == BettiPrior(None, (1, 3))
    assert str(priors) == "BG *,1-3; RV+LV 2,*"
    with pytest.raises(KeyError, match="MYO has no prior here"):
        priors["MYO"]
    with pytest.raises(AttributeError):
        priors.classes = ()


def test_repr_makes_the_same_again():
    priors = ClassPriors({1: (1, (0, None)), (1, 2): BettiPrior(1, 0, weights=(1, 3))}, classes=3)
    assert priors.classes == ("0", "1", "2")
    assert eval(repr(priors)) == priors


@pytest.mark.parametrize(
    ("wanted", "classes", "error", "message"),
    [
        ({"AO": (1, 0)}, HEART, ValueError, "there is no class 'AO' among BG, RV, MYO, LV"),
        ({4: (1, 0)}, HEART, ValueError, "there is no class 4 among 4 classes, 0 to 3"),
        ({-1: (1, 0)}, HEART, ValueError, "there is no class -1"),
        ({True: (1, 0)}, HEART, TypeError, "a class must be a name or the index"),
        ({("RV", "RV"): (1, 0)}, HEART, ValueError, "a union must name each class once"),
        ({("RV", 1): (1, 0)}, HEART, ValueError, "a union must name each class once"),
        ({(): (1, 0)}, HEART, ValueError, "a union must have at least one class"),
        ({HEART: (1, 0)}, HEART, ValueError, "a union of all classes is the whole image"),
        ({("RV", "LV"): (1, 0), ("LV", "RV"): (1, 0)}, HEART, ValueError, r"the union RV\+LV has two priors"),
        ({"RV": (1, 0), 1: (1, 0)}, HEART, ValueError, "the union RV has two priors"),
        ({"RV": (1, 0), "LV": (1, 0, 0)}, HEART, ValueError, r"same number of Betti numbers, got \[2, 3\]"),
        ({"RV": (None, None)}, HEART, ValueError, "the prior of 'RV' asks for nothing"),
        ({"RV": BettiPrior(1, 0, weights=(0, 0))}, HEART, ValueError, "asks for nothing"),
        ({"RV": "1,0"}, HEART, TypeError, "must be a tuple of Betti numbers or a BettiPrior, got '1,0'"),
        ({"RV": 1}, HEART, TypeError, "must be a tuple of Betti numbers"),
        ({"RV": (-1, 0)}, HEART, ValueError, "a Betti number must be at least 0"),
        ({}, HEART, ValueError, "at least one entry"),
        ([("RV", (1, 0))], HEART, TypeError, "must be a dictionary"),
        ({0: (1, 0)}, 1, ValueError, "at least 2 classes, background among them, got 1"),
        ({0: (1, 0)}, "BG", TypeError, "names of the channels, or their number"),
        ({0: (1, 0)}, True, TypeError, "names of the channels, or their number"),
        ({0: (1, 0)}, ("BG", 1), TypeError, "names of classes must be text"),
        ({0: (1, 0)}, ("BG", "A", "A"), ValueError, "names of classes must differ"),
        ({0: (1, 0)}, ("BG", "A+B"), ValueError, "text without"),
        ({0: (1, 0)}, ("BG", " A"), ValueError, "without space around"),
        ({0: (1, 0)}, ("BG", ""), ValueError, "the name of a class must be text"),
    ],
)
def test_what_is_refused(wanted, classes, error, message):
    with pytest.raises(error, match=message):
        ClassPriors(wanted, classes=classes)


def test_which_classes_and_unions_have_a_prior():
    priors = ClassPriors({"a": (1, 0), ("b", "a"): (1, 1)}, classes=("bg", "a", "b"))
    assert "a" in priors
    assert 1 in priors
    assert ("a", "b") in priors
    assert "b" not in priors
    with pytest.raises(ValueError, match="there is no class 'c' among bg, a, b"):
        assert "c" in priors
    with pytest.raises(TypeError, match="'ClassPriors' object is not iterable"):
        list(priors)


def test_without_absent_classes():
    apex = tp.presets.short_axis_heart().without("RV")
    assert str(apex) == "RV 0,0; MYO 1,1; LV 1,0; MYO+LV 1,0"
    empty = tp.presets.short_axis_heart().without("LV", "RV", 2)
    assert str(empty) == "RV 0,0; MYO 0,0; LV 0,0"
    assert apex.check().contradictions == empty.check().contradictions == ()
    with pytest.raises(ValueError, match="there is no class 'AO'"):
        apex.without("AO")


def test_which_priors_hold():
    priors = ClassPriors({1: (1, 0), 2: (1, (1, 2)), (1, 2): (None, 0)}, classes=3)
    betti = torch.tensor([[[1, 0], [1, 2], [5, 0]], [[2, 0], [1, 3], [0, 1]]])
    assert priors.is_satisfied_by(betti).tolist() == [[True, True, True], [False, False, False]]
    with pytest.raises(ValueError, match=r"must have shape \(..., 3, 2\), got \(2, 2\)"):
        priors.is_satisfied_by(torch.zeros(2, 2, dtype=torch.int64))


def test_priors_of_a_batch():
    heart, organ = tp.presets.short_axis_heart(), ClassPriors({1: (1, 0)}, classes=2)
    assert resolve_class_priors(heart, 3, 4, 2) == [heart] * 3
    assert resolve_class_priors([heart, heart.without("RV")], 2, 4, 2) == [heart, heart.without("RV")]
    assert are_class_priors(heart)
    assert are_class_priors([heart])
    assert not are_class_priors(BettiPrior(1))
    assert not are_class_priors([[BettiPrior(1)]])
    for priors, sizes, error, message in [
        ([heart], (2, 4, 2), ValueError, "one per image: got 1 for a batch of 2"),
        (heart, (1, 3, 2), ValueError, "one channel for each of the 4 classes BG, RV, MYO, LV, got 3 channels"),
        (heart, (1, 4, 3), ValueError, "priors have 2 Betti numbers but images have 3 spatial axes"),
        ([heart, organ], (2, 4, 2), ValueError, "all images must have the same classes"),
        ([heart, BettiPrior(1, 0)], (2, 4, 2), TypeError, "got BettiPrior in it"),
        (BettiPrior(1, 0), (2, 4, 2), TypeError, "must be ClassPriors, or a sequence of them, got BettiPrior"),
        ("RV 1,0", (2, 4, 2), TypeError, "must be ClassPriors, or a sequence of them, got str"),
    ]:
        with pytest.raises(error, match=message):
            resolve_class_priors(priors, *sizes)


def test_presets():
    presets = tp.presets
    shell = torch.ones(1, 1, 3, 4, 5)
    shell[..., 1, 1:3, 1:4] = 0
    assert tp.metrics.topological_success(shell, presets.cortical_shell()).all()
    for solid in (presets.cortical_solid(), presets.vascular_tree(), presets.ball()):
        assert tp.metrics.topological_success(torch.ones_like(shell), solid).all()
        assert not tp.metrics.topological_success(shell, solid).any()
    assert tp.metrics.topological_success(shell[:, :, 1], presets.ring()).all()
    named = presets.short_axis_heart(classes=("LV", "MYO", "RV", "rest"))
    assert named["LV", "RV"] == BettiPrior(2, 0)
