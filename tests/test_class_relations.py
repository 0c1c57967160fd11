"""The words mean what they say: every label map is asked, and pixels are looked at one by one."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

import topoprior as tp
from strategies import constructions, shapes
from topoprior import BettiPrior, ClassPriors


def neighbourhood(construction, axes):
    """Which pixels touch."""
    return scipy.ndimage.generate_binary_structure(axes, axes if construction == "T" else 1)


def touch(labels, construction):
    grown = scipy.ndimage.binary_dilation(labels == 1, neighbourhood(construction, labels.ndim))
    return bool((grown & (labels == 2)).any())


def holes(mask, construction):
    """What the mask encloses: the rest of the image that is not connected to the outside."""
    dual = neighbourhood("V" if construction == "T" else "T", mask.ndim)
    rest, _ = scipy.ndimage.label(np.pad(~mask, 1, constant_values=True), dual)
    inner = rest[(slice(1, -1),) * mask.ndim]
    return (inner > 0) & (inner != rest.flat[0])


def numbers(mask, construction):
    return tp.betti_numbers(mask[None, None], construction=construction).flatten().tolist()


@st.composite
def label_maps(draw, axes=(1, 2, 3)):
    return draw(arrays(np.int64, draw(shapes(axes)), elements=st.integers(0, 2)))


def translated(words, labels, construction):
    """What the sentence asks of the union, given the numbers that both sides have."""
    singles = {k: BettiPrior(*numbers(labels == k, construction)) for k in (1, 2)}
    return ClassPriors.from_words(words, singles, classes=3)[1, 2]


def holds(prior, labels, construction):
    union = tp.betti_numbers(np.isin(labels, (1, 2))[None, None], construction=construction)
    return bool(prior.is_satisfied_by(union))


@given(labels=label_maps(), construction=constructions)
@settings(deadline=None, max_examples=60)
def test_touches_and_apart_are_exact(labels, construction):
    if {1, 2} <= set(labels.flat):
        assert holds(translated("1 touches 2", labels, construction), labels, construction) == touch(
            labels, construction
        )
        assert holds(translated("1 apart from 2", labels, construction), labels, construction) != touch(
            labels, construction
        )
        if holds(translated("1 touches 2 once", labels, construction), labels, construction):
            assert touch(labels, construction)


@st.composite
def enclosing(draw):
    """Label maps with a frame of class 1 that mostly is closed, so that holes are common."""
    inner = draw(arrays(np.int64, draw(shapes((2, 3))), elements=st.sampled_from([0, 1, 2, 2])))
    ring = np.pad(inner, 1, constant_values=1)
    for place in draw(st.lists(st.integers(0, ring.size - 1), max_size=2)):
        ring.flat[place] = draw(st.integers(0, 2))
    return np.pad(ring, 1)


@given(labels=enclosing(), construction=constructions)
@settings(deadline=None, max_examples=80)
def test_encloses_fills_all_holes(labels, construction):
    first = numbers(labels == 1, construction)
    if first[-1] and 2 in labels:
        prior = translated("1 encloses 2", labels, construction)
        inside = holes(labels == 1, construction)
        filled = bool((labels[inside] == 2).all())
        if holds(prior, labels, construction):
            assert filled
            second = numbers(labels == 2, construction)
            if construction == "V" and second[0] == first[-1]:
                assert (inside == (labels == 2)).all()
        elif filled and labels.ndim == 2:  # then there is more of class 2 elsewhere
            assert not (inside == (labels == 2)).all()


def test_a_filled_ring_and_shell():
    ring = np.ones((4, 5), dtype=int)
    ring[1:3, 1:4] = 2
    assert holds(translated("1 encloses 2", ring, "T"), ring, "T")
    ring[1, 1] = 0
    assert not holds(translated("1 encloses 2", ring, "T"), ring, "T")
    shell = np.ones((3, 4, 5), dtype=int)
    shell[1, 1:3, 1:4] = 2
    prior = translated("1 encloses 2", shell, "T")
    assert prior == BettiPrior(1, 0, 0)
    assert holds(prior, shell, "T")


def test_in_t_what_is_enclosed_may_slip_out_at_a_corner():
    labels = np.array([[1, 1, 1, 0], [1, 2, 1, 0], [1, 1, 0, 2], [0, 0, 0, 0]])
    labels[2, 2] = 2  # the ring is closed through the corner between (1, 2) and (2, 1), and so is class 2
    assert numbers(labels == 1, "T") == [1, 1]
    assert numbers(labels == 2, "T") == [1, 0]
    assert holds(translated("1 encloses 2", labels, "T"), labels, "T")
    assert numbers(labels == 1, "V")[1] == 0


def test_touching_twice_is_not_once():
    labels = np.array([[1, 1, 1], [1, 0, 1], [2, 2, 2]])
    assert holds(translated("1 touches 2", labels, "T"), labels, "T")
    assert not holds(translated("1 touches 2 once", labels, "T"), labels, "T")
    labels[0] = 0
    labels[1] = [1, 0, 0]
    assert holds(translated("1 touches 2 once", labels, "T"), labels, "T")


def test_tunnels_of_the_union_are_left_open_unless_there_are_none():
    singles = {"A": (1, 2, 1), "B": (1, 1, 0)}
    assert ClassPriors.from_words("A encloses B", singles, classes=("BG", "A", "B"))["A", "B"] == BettiPrior(1, None, 0)


def test_unions_ranges_and_what_is_known_of_the_union():
    classes = ("BG", "wall", "fat", "lumen")
    wanted = {
        ("fat", "wall"): (1, 1),
        "lumen": (1, 0),
        ("wall", "fat", "lumen"): BettiPrior(1, None, weights=(3, 1)),
    }
    priors = ClassPriors.from_words(["  wall + fat encloses   lumen "], wanted, classes=classes)
    assert priors["wall", "fat", "lumen"] == BettiPrior(1, 0, weights=(3, 1))
    assert len(priors.unions) == 3


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("1 near 2", ValueError, "a sentence must be 'A encloses B', .* got '1 near 2'"),
        ("1 encloses 2 once", ValueError, "a sentence must be"),
        ("encloses 2", ValueError, "a sentence must be"),
        ("1 encloses 9", ValueError, "there is no class '9'"),
        ("1 encloses 3", ValueError, "needs the Betti numbers of 3"),
        ("1 touches 1", ValueError, "two sides without a common class"),
        ("2 encloses 1", ValueError, "what encloses must have at least one loop, got the prior 1,0"),
        ("1 touches 4", ValueError, "number of components is known exactly and not 0, got 1-2,0"),
        ("1 apart from 5", ValueError, "number of components is known exactly and not 0, got 0,0"),
        ("1 touches 2; 2 apart from 1", ValueError, "'2 apart from 1' wants 2,1 for the union, which contradicts"),
        ([3], TypeError, "words must be sentences, got 3"),
        (3, TypeError, "words must be sentences, got 3"),
    ],
)
def test_what_is_refused(words, error, message):
    singles = {1: (1, 1), 2: (1, 0), 4: ((1, 2), 0), 5: (0, 0)}
    with pytest.raises(error, match=message):
        ClassPriors.from_words(words, singles, classes=7)


def test_nothing_encloses_on_a_line():
    with pytest.raises(ValueError, match="in one dimension nothing encloses"):
        ClassPriors.from_words("1 encloses 2", {1: (1,), 2: (1,)}, classes=3)


def test_an_island_in_the_hole_is_joined():
    labels = np.ones((5, 6), dtype=int)
    labels[1:4, 1:5] = 2
    labels[2, 2:4] = 1
    prior = translated("1 encloses 2", labels, "T")
    assert prior == BettiPrior((1, 2), 0)
    assert holds(prior, labels, "T")
