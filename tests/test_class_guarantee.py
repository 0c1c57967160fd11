"""The edited label map has the wanted numbers of all classes and unions, by the edit that a person would expect."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import topoprior as tp
from oracles.flood_fill import betti_numbers
from strategies import boundaries, constructions
from topoprior import ClassPriors
from topoprior.refinement.editing import label_search
from topoprior.refinement.editing.label_canvas import LabelCanvas
from topoprior.refinement.editing.label_deformation import deform_labels
from topoprior.refinement.editing.label_layouts import draw, right_plan, starts
from topoprior.refinement.guarantee import completed

HEART = tp.presets.short_axis_heart()
BG, RV, MYO, LV = range(4)


def heart():
    """Labels of a short-axis slice, 20 x 24."""
    y, x = np.mgrid[:20, :24]
    distance = np.hypot(y - 10, x - 15.5)
    labels = np.zeros((20, 24), dtype=int)
    labels[np.hypot((y - 10) / 6, (x - 6) / 4.5) < 1] = RV
    labels[distance < 7] = MYO
    labels[distance < 4.5] = LV
    return labels


def softmax_of(labels, top=0.7, classes=4):
    """The probability of the label is ``top``, the rest is shared."""
    one_hot = nn.functional.one_hot(torch.as_tensor(labels)[None], classes).movedim(-1, 1).double()
    return one_hot * top + (1 - one_hot) * (1 - top) / (classes - 1)


def all_hold(labels, priors, construction="T", boundary="background"):
    """By flood fill, independent of the package."""
    return all(
        prior.is_satisfied_by(torch.tensor(betti_numbers(np.isin(labels, union), construction, boundary)))
        for union, prior in zip(priors.unions, priors.priors, strict=True)
    )


def edited(probability, priors=HEART, **options):
    """The result, after all that must be true of any."""
    result = tp.guarantee(probability, priors, **options)
    labels, given = result.output[0].argmax(0), torch.as_tensor(probability)[0]
    assert torch.equal(labels[None], result.labels)
    assert result.succeeded == all_hold(labels.numpy(), priors, **options)
    torch.testing.assert_close(result.output.sum(1), torch.as_tensor(probability).sum(1).to(result.output))
    assert result.output.min() >= 0
    changed = labels != given.argmax(0)
    assert result.pixels_changed == int(changed.sum())
    assert torch.equal(result.output[0][:, ~changed], given[:, ~changed].to(result.output))
    leader = result.output[0].topk(2, 0).values
    assert (leader[0] > leader[1])[changed].all()
    lost = given.gather(0, given.argmax(0)[None]) - given.gather(0, labels[None])
    assert result.history["cost"][-1] == pytest.approx(float(lost.sum()), abs=1e-4)
    json.dumps(result.summary())
    return result


# The edits a person would expect


def test_a_right_map_comes_back_unchanged():
    result = edited(softmax_of(heart()))
    assert (result.stop_reason, result.steps, result.pixels_changed) == ("already right", 0, 0)


@pytest.mark.parametrize("construction", ["T", "V"])
def test_a_stray_pixel_of_the_right_ventricle_in_the_cavity_becomes_cavity(construction):
    labels = heart()
    labels[10, 15] = RV
    result = edited(softmax_of(labels), construction=construction)
    assert result.stop_reason == "topology right"
    assert np.array_equal(result.labels[0], heart())


@pytest.mark.parametrize("construction", ["T", "V"])
def test_an_island_of_cavity_in_the_background_goes(construction):
    labels = heart()
    labels[1:3, 1:3] = LV
    assert np.array_equal(edited(softmax_of(labels), construction=construction).labels[0], heart())


@pytest.mark.parametrize("leak", [BG, LV])
def test_a_gap_in_the_ring_is_closed_with_myocardium(leak):
    """To the outside, empty or with the cavity leaking through."""
    labels = heart()
    labels[2:7, 15][labels[2:7, 15] == MYO] = leak
    result = edited(softmax_of(labels))
    assert result.succeeded
    assert 1 <= result.pixels_changed <= 3
    changed = result.labels[0].numpy() != labels
    assert (result.labels[0].numpy()[changed] == MYO).all()
    assert not changed[:, :14].any()
    assert not changed[:, 17:].any()


def test_the_trace_of_a_class_decides_where_the_bridge_goes():
    """A ventricle three columns short of the ring; in row 12 there is a trace of it."""
    labels = heart()
    labels[:, 6:9] = np.where(labels[:, 6:9] == RV, BG, labels[:, 6:9])
    labels[:, 9] = np.where(labels[:, 9] == RV, MYO, labels[:, 9])
    gap = slice(6, 9)
    assert (labels[12, gap] == BG).all()
    probability = softmax_of(labels)
    probability[0, :, 12, gap] = torch.tensor([0.45, 0.4, 0.1, 0.05], dtype=torch.double)[:, None]
    result = edited(probability)
    assert result.succeeded
    changed = np.argwhere(result.labels[0].numpy() != labels)
    assert changed.tolist() == [[12, 6], [12, 7], [12, 8]]
    assert (result.labels[0, 12, gap] == RV).all()


def test_ventricles_that_touch_are_parted():
    labels = heart()
    labels[10, 7:12] = LV
    result = edited(softmax_of(labels))
    assert result.succeeded
    assert result.pixels_changed <= 6


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("label", [BG, MYO, LV])
def test_one_class_everywhere(construction, label):
    result = edited(softmax_of(np.full((9, 11), label)), construction=construction)
    assert result.succeeded
    assert set(result.labels.flatten().tolist()) >= {RV, MYO, LV}


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 3), (5, 5)])
def test_the_smallest_images(rows, columns):
    generator = torch.Generator().manual_seed(rows)
    for _ in range(5):
        assert edited(torch.rand(1, 4, rows, columns, generator=generator).mul(4).softmax(1)).succeeded


def test_too_small_an_image_fails_and_says_so():
    """A ring of myocardium around a cavity takes 3 x 3 pixels; the ventricle finds no place."""
    result = edited(softmax_of(np.full((3, 3), BG)))
    assert not result.succeeded
    assert result.stop_reason == "no edit helps"


@pytest.mark.parametrize(("seed", "strength", "most"), [(13, 6.0, 12.0), (39, 9.0, 12.0)])
def test_edits_cost_less_than_a_layout(seed, strength, most):
    """Noisy hearts of which the deformed layout costs 18 and 20; the second needs two edits at once."""
    noise = torch.randn(1, 4, 20, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    for _ in range(2):
        noise = nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)
    result = edited((softmax_of(heart(), top=0.9).log() + strength * noise).softmax(1))
    assert result.succeeded
    assert result.history["cost"][-1] < most


@settings(deadline=None, max_examples=12)
@given(
    st.integers(24, 32),
    st.integers(24, 32),
    st.integers(0, 2**31),
    st.sampled_from([0, 2]),
    st.sampled_from(["T", "V"]),
)
def test_random_maps_end_with_the_heart(rows, columns, seed, smoothing, construction):
    logits = torch.randn(1, 4, rows, columns, generator=torch.Generator().manual_seed(seed)) * (3 + 5 * smoothing)
    for _ in range(smoothing):
        logits = nn.functional.avg_pool2d(logits, 3, 1, 1, count_include_pad=False)
    assert edited(logits.softmax(1), construction=construction).succeeded


def smooth_noise(generator, classes, times, strength, shape=(9, 11)):
    noise = strength * torch.randn(1, classes, *shape, generator=generator, dtype=torch.double)
    for _ in range(times):
        noise = nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)
    return noise


def priors_of(labels, classes, construction="T", boundary="background"):
    """The numbers of all classes and unions but that of all classes."""
    unions = [union for size in range(1, classes) for union in itertools.combinations(range(classes), size)]
    return ClassPriors(
        {union: betti_numbers(np.isin(labels, union), construction, boundary) for union in unions}, classes=classes
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(2, 3), constructions, boundaries)
def test_a_label_map_under_noise_gets_its_numbers_back(seed, classes, construction, boundary):
    """All classes and unions of a random label map, of whatever numbers they are."""
    options = {"construction": construction, "boundary": boundary}
    generator = torch.Generator().manual_seed(seed)
    labels = smooth_noise(generator, classes, times=4, strength=8).argmax(1)[0].numpy()
    if len(np.unique(labels)) < classes:
        return
    noisy = (3.0 * softmax_of(labels, 1.0, classes) + smooth_noise(generator, classes, times=1, strength=4)).softmax(1)
    assert edited(noisy, priors_of(labels, classes, **options), **options).succeeded


def test_dead_ends_are_left(monkeypatch):
    """A map where every edit that is left, and every pair of edits, makes something else wrong."""
    generator = torch.Generator().manual_seed(53)
    labels = smooth_noise(generator, 3, times=4, strength=8).argmax(1)[0].numpy()
    noisy = (3.0 * softmax_of(labels, 1.0, 3) + smooth_noise(generator, 3, times=1, strength=4)).softmax(1)
    priors = priors_of(labels, 3, "V")
    assert edited(noisy, priors, construction="V").succeeded
    monkeypatch.setattr(label_search, "MOST_MOVES", 0)
    assert not edited(noisy, priors, construction="V").succeeded


def test_where_the_map_leads_nowhere_one_starts_from_a_single_class(monkeypatch):
    """The numbers of one label map, wanted of another."""
    generator = torch.Generator().manual_seed(20)
    priors = priors_of(smooth_noise(generator, 3, times=4, strength=8).argmax(1)[0].numpy(), 3)
    other = smooth_noise(generator, 3, times=2, strength=9).softmax(1)
    assert edited(other, priors).succeeded
    monkeypatch.setattr(label_search, "MOST_EMPTY", 0)
    assert not edited(other, priors).succeeded


# Against all label maps


@pytest.mark.parametrize("construction", ["T", "V"])
def test_tiny_maps_cost_little_more_than_the_cheapest(construction):
    """Of all 3 ** 8 label maps of 2 x 4 pixels, the cheapest of those that are right."""
    priors = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
    maps = np.array(list(itertools.product(range(3), repeat=8)))
    found = tp.class_topology(torch.from_numpy(maps.reshape(-1, 2, 4)), priors, construction=construction)
    right = maps[found.success.numpy()]
    generator = torch.Generator().manual_seed(5)
    ours, least = [], []
    for _ in range(25):
        probability = torch.randn(1, 3, 2, 4, generator=generator, dtype=torch.double).mul(2).softmax(1)
        result = edited(probability, priors, construction=construction)
        assert result.succeeded
        ours.append(result.history["cost"][-1])
        pixels = probability[0].reshape(3, 8).numpy()
        least.append((pixels.max(0).sum() - pixels[right, np.arange(8)].sum(1)).min())
    ours, least = np.array(ours), np.array(least)
    assert (ours >= least - 1e-9).all()
    assert np.isclose(ours, least).mean() >= 0.9
    assert ours.sum() <= 1.05 * least.sum()


# Parts


@pytest.mark.parametrize("construction", ["T", "V"])
def test_the_drawing_of_the_heart_is_right(construction):
    plan = right_plan(HEART, construction, "background")
    for size, wall in itertools.product((1, 2, 5), (1, 3)):
        assert all_hold(draw(plan, 2, size, wall), HEART, construction)


def test_priors_without_a_drawing_have_no_start():
    many = ClassPriors({1: (3, 0)}, classes=2)
    probability = softmax_of(np.zeros((8, 8), dtype=int), classes=2)
    assert right_plan(many, "T", "background") is None
    assert starts(LabelCanvas(probability[0].numpy(), many, "T", "background")) == []
    assert edited(probability, many).succeeded


@pytest.mark.parametrize("construction", ["T", "V"])
def test_deformation_keeps_all_numbers_and_lowers_the_cost(construction):
    probability = torch.randn(4, 14, 15, generator=torch.Generator().manual_seed(1)).mul(3).softmax(0).numpy()
    canvas = LabelCanvas(probability, HEART, construction, "background")
    for start in starts(canvas):
        end = deform_labels(canvas, start)
        assert all_hold(end, HEART, construction)
        assert canvas.cost(end) < canvas.cost(start) - 1


def test_pixels_that_an_edit_did_not_need_are_taken_back():
    canvas = LabelCanvas(softmax_of(heart())[0].numpy(), HEART, "T", "background")
    thick = heart()
    thick[3:8, 18:22] = MYO
    assert np.array_equal(deform_labels(canvas, thick), heart())


# Other priors, arguments, refinement


def test_absent_classes_and_ranges():
    labels = heart()
    labels[labels == RV] = BG
    labels[2, 2] = RV
    result = edited(softmax_of(labels), HEART.without("RV"))
    assert result.pixels_changed == 1
    loose = ClassPriors({"RV": ((0, 2), 0), "MYO": (1, None)}, classes=HEART.classes)
    assert edited(softmax_of(labels), loose).stop_reason == "already right"


def test_three_axes():
    """A speck goes; a core inside a shell."""
    labels = np.zeros((7, 7, 7), dtype=int)
    labels[1:6, 1:6, 1:6] = 1
    labels[2:5, 2:5, 2:5] = 2
    labels[0, 0, 0] = 2
    priors = ClassPriors({1: (1, 0, 1), 2: (1, 0, 0), (1, 2): (1, 0, 0)}, classes=3)
    result = tp.guarantee(softmax_of(labels, classes=3), priors)
    assert result.succeeded
    assert result.pixels_changed == 1
    assert tp.guarantee(softmax_of(np.zeros((6, 6, 6), dtype=int), classes=3), priors).succeeded


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_types(dtype):
    labels = heart()
    labels[10, 15] = RV
    result = tp.guarantee(softmax_of(labels).to(dtype), HEART)
    assert result.output.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert np.array_equal(result.output.argmax(1)[0], heart())


def test_bad_arguments():
    probability = softmax_of(heart())
    with pytest.raises(ValueError, match=r"threshold must be left at 0\.5 with class priors, got 0\.4"):
        tp.guarantee(probability, HEART, threshold=0.4)
    with pytest.raises(ValueError, match="must be a softmax"):
        tp.guarantee(probability / 2, HEART)
    with pytest.raises(ValueError, match="one channel for each of the 4 classes"):
        tp.guarantee(softmax_of(np.zeros((5, 5), dtype=int), classes=3), HEART)
    wrong = ClassPriors({"RV": (1, 0), "LV": (1, 0), ("RV", "LV"): (3, 0)}, classes=HEART.classes)
    with pytest.raises(ValueError, match="no label map has these class priors"):
        tp.guarantee(probability, wrong)


def test_a_refinement_is_completed():
    labels = heart()
    labels[10, 15] = RV
    before = tp.refine_map(softmax_of(labels), HEART, max_steps=0)
    assert not before.succeeded
    after = completed(before, HEART)
    assert after.succeeded
    assert (after.stop_reason, after.pixels_changed) == ("edited", 1)
    assert np.array_equal(after.labels[0], heart())
    assert completed(after, HEART) is after
