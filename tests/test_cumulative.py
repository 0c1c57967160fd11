import importlib
import sys

import pytest
import torch

import topoprior as tp
from topoprior.evaluation.cumulative import BettiErrorMetric, ClDiceMetric, TopologicalSuccessMetric

RING = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]])
GAP = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 1]])
CORNER = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


def one_hot(mask):
    return torch.stack((1 - mask, mask, torch.zeros_like(mask)))[None]


def test_batches_are_collected_and_reset():
    metric = TopologicalSuccessMetric(tp.BettiPrior(1, 1))
    assert metric(torch.stack((RING, GAP))[:, None]).tolist() == [[1.0], [0.0]]
    metric(GAP[None, None], RING[None, None])
    assert metric.get_buffer().tolist() == [[1.0], [0.0], [0.0]]
    assert metric.aggregate().item() == pytest.approx(1 / 3)
    assert metric.aggregate("none").tolist() == [[1.0], [0.0], [0.0]]
    metric.reset()
    metric(RING[None, None])
    assert metric.aggregate().item() == 1.0


def test_lists_of_masks_as_monai_decollates_them():
    metric = BettiErrorMetric(tp.BettiPrior(1, 1))
    metric([RING[None], GAP[None], torch.zeros(1, 3, 4)], [RING[None]] * 3)
    assert metric.get_buffer().tolist() == [[0.0], [1.0], [2.0]]
    metric = ClDiceMetric()
    metric([RING[None], GAP[None]], [RING[None], RING[None]])
    assert metric.get_buffer().squeeze(1).tolist() == pytest.approx(
        [1.0, tp.metrics.cl_dice(GAP[None, None], RING[None, None]).item()]
    )


def test_the_background_of_one_hot_masks_is_left_out():
    priors = [[tp.BettiPrior(1, 1), tp.BettiPrior(0, 0)]]
    metric = TopologicalSuccessMetric(priors, include_background=False, reduction="mean_batch", get_not_nans=True)
    assert metric(torch.cat((one_hot(RING), one_hot(GAP)))).tolist() == [[1.0, 1.0], [0.0, 1.0]]
    share, count = metric.aggregate()
    assert share.tolist() == [0.5, 1.0]
    assert count.tolist() == [2.0, 2.0]
    assert ClDiceMetric(include_background=False)(one_hot(GAP), one_hot(GAP)).tolist() == [[1.0, 1.0]]
    for metric, masks in ((TopologicalSuccessMetric(priors, include_background=False), (RING,)), (
        ClDiceMetric(include_background=False), (RING, RING),
    )):  # fmt: skip
        with pytest.raises(ValueError, match=r"y_pred of shape \(1, 1, 3, 4\) has no other"):
            metric(*(mask[None, None] for mask in masks))


def test_the_error_of_one_dimension():
    masks = torch.stack((GAP, CORNER))[:, None]
    prior = tp.BettiPrior(3, 1)
    assert BettiErrorMetric(prior)(masks).tolist() == [[3.0], [3.0]]
    assert BettiErrorMetric(prior, dimension=0)(masks).tolist() == [[2.0], [2.0]]
    assert BettiErrorMetric(prior, dimension=1)(masks).tolist() == [[1.0], [1.0]]
    with pytest.raises(ValueError, match=r"dimension must be one of \(0, 1\) here, got 2"):
        BettiErrorMetric(prior, dimension=2)(masks)


def test_construction_and_boundary_reach_the_topology():
    for metric in (TopologicalSuccessMetric, BettiErrorMetric):
        values = [
            metric(tp.BettiPrior(1, 0), construction=c, boundary=b)(CORNER[None, None, 1:, 1:]).item()
            for c, b in (("T", "background"), ("T", "foreground"))
        ]
        assert values == ([1.0, 1.0] if metric is TopologicalSuccessMetric else [0.0, 0.0])
        corner = [metric(tp.BettiPrior(1, 0), construction=c)(CORNER[None, None]).item() for c in ("T", "V")]
        assert corner == ([1.0, 0.0] if metric is TopologicalSuccessMetric else [0.0, 1.0])
        empty = [
            metric(tp.BettiPrior(1, 0), boundary=b)(0 * RING[None, None]).item() for b in ("background", "foreground")
        ]
        assert empty == ([0.0, 1.0] if metric is TopologicalSuccessMetric else [1.0, 0.0])
        with pytest.raises(ValueError, match="construction must be one of"):
            metric(tp.BettiPrior(1, 0), construction="t")


def test_what_cannot_be_reduced_or_compared():
    with pytest.raises(ValueError, match="nothing to aggregate"):
        ClDiceMetric().aggregate()
    with pytest.raises(ValueError, match="compares with a target: give y"):
        ClDiceMetric()(RING[None, None])
    with pytest.raises(ValueError, match="mask must hold only 0 and 1"):
        TopologicalSuccessMetric(tp.BettiPrior(1, 1))(0.5 * RING[None, None])


def test_without_monai_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.metrics", None)
    monkeypatch.delitem(sys.modules, "topoprior.evaluation.cumulative")
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[monai\]'"):
        importlib.import_module("topoprior.evaluation.cumulative")
