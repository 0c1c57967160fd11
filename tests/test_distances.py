import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracles import surface
from topoprior.evaluation.distances import average_surface_distance, hausdorff95

BOTH = (hausdorff95, average_surface_distance)


def pairs(shapes=((3, 5), (6, 2), (7,), (2, 3, 4))):
    return st.sampled_from(shapes).flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))


@settings(deadline=None)  # the first call loads SciPy
@given(pairs(), st.sampled_from([(1.0, 1.0, 1.0), (0.5, 2.0, 7.0)]))
def test_as_by_looking_at_every_pair_of_pixels(masks, spacing):
    ours, theirs = masks
    spacing = spacing[: ours.ndim]
    there = surface.distances(ours, theirs, spacing) if theirs.any() else []
    back = surface.distances(theirs, ours, spacing) if ours.any() else []
    ours, theirs = torch.from_numpy(ours)[None, None], torch.from_numpy(theirs)[None, None]
    if there and back:
        expected = max(np.percentile(there, 95), np.percentile(back, 95)), np.mean(there + back)
    else:
        expected = (0.0, 0.0) if not ours.any() and not theirs.any() else (math.inf, math.inf)
    found = [measure(ours, theirs, spacing=spacing).item() for measure in BOTH]
    assert found == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore")  # of MONAI, at each call
@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 4)])
def test_as_monai_where_no_mask_is_empty(shape):
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.rand(2, 10, 2, *shape, generator=generator) < 0.3).unbind()
    assert ours.flatten(2).any(-1).all()
    assert theirs.flatten(2).any(-1).all()
    spacing = (0.5, 2.0, 7.0)[: len(shape)]
    options = {"include_background": True, "spacing": spacing}
    expected = (
        compute_hausdorff_distance(ours, theirs, percentile=95, **options),
        compute_average_surface_distance(ours, theirs, symmetric=True, **options),
    )
    for measure, value in zip(BOTH, expected, strict=True):
        torch.testing.assert_close(measure(ours, theirs, spacing=spacing), value.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("measure", BOTH)
@pytest.mark.parametrize("shape", [(5,), (1, 1), (4, 7), (3, 4, 5)])
def test_empty_masks(measure, shape):
    empty, full = torch.zeros(1, 2, *shape), torch.ones(1, 2, *shape)
    assert measure(empty, empty).tolist() == [[0.0, 0.0]]
    assert measure(full, empty).tolist() == [[math.inf, math.inf]]
    assert measure(empty, full).tolist() == [[math.inf, math.inf]]
    assert measure(full, full).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("measure", BOTH)
def test_single_pixels_at_the_frame_in_mm(measure):
    first, last = torch.zeros(2, 1, 5, 7), torch.zeros(2, 1, 5, 7)
    first[:, 0, 0, 0] = 1
    last[0, 0, 4, 6] = last[1, 0, 0, 1] = 1
    assert measure(first, last, spacing=(2, 1)).tolist() == [[10.0], [1.0]]
    assert measure(first, last).tolist() == [[pytest.approx(math.hypot(4, 6))], [1.0]]
    assert measure(first, last, spacing=(2, 1)).dtype == torch.float64


def test_the_worst_twentieth_is_left_out_and_the_worse_direction_counts():
    line = torch.ones(1, 1, 1, 101)
    dot = torch.zeros(1, 1, 1, 101)
    dot[..., 0] = 1
    assert hausdorff95(line, dot).item() == hausdorff95(dot, line).item() == 95.0


@pytest.mark.parametrize("measure", BOTH)
@pytest.mark.parametrize("shape", [(9,), (3, 5), (3, 4, 5)])
def test_room_around_the_masks_changes_nothing(measure, shape):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.rand(2, 20, 2, *shape, generator=generator) < 0.3
    room = (1, 4) * len(shape)
    padded = measure(torch.nn.functional.pad(ours, room), torch.nn.functional.pad(theirs, room))
    assert torch.equal(measure(ours, theirs), padded)


@pytest.mark.parametrize("measure", BOTH)
def test_what_is_refused(measure):
    mask = torch.ones(1, 1, 3, 4)
    for spacing in [(1.0,), (1.0, 0.0), (1.0, math.inf), (1.0, 1.0, 1.0), (1.0, -2.0)]:
        with pytest.raises(ValueError, match=r"spacing must be 2 positive numbers \(mm\), one per spatial axis, got"):
            measure(mask, mask, spacing=spacing)
    with pytest.raises(ValueError, match="same shape"):
        measure(mask, torch.ones(1, 1, 4, 3))
    with pytest.raises(ValueError, match="target must hold only 0 and 1"):
        measure(mask, 0.5 * mask)
    with pytest.raises(TypeError, match="prediction must be a torch tensor"):
        measure([[[[1]]]], mask)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.ndimage", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[metrics\]'"):
        hausdorff95(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
