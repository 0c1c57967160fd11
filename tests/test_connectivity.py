import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import topoprior as tp
from topoprior.evaluation.connectivity import SETTINGS, connectivity_report, prior_for, report_of_tables, verdicts
from topoprior.evaluation.metrics import topological_success

TB, TF, VB, VF = SETTINGS
# A ring through corners, away from the frame; one through faces; and one cut by the frame.
DIAMOND, RING, ARCH = (
    torch.tensor(rows)
    for rows in (
        [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0]],
    )
)


def test_by_hand():
    report = connectivity_report(
        torch.stack((DIAMOND, RING, ARCH))[:, None], tp.BettiPrior(1, 1), cases=["d", "r", "a"], classes=["ring"]
    )
    assert report.shares == {"masks": {TB: 2 / 3, TF: 2 / 3, VB: 1 / 3, VF: 1 / 3}}
    assert report.flips == {"masks": {("d", "ring"): [TB, TF]}}
    assert report.ranking_flips == []


def test_the_frame_can_decide():
    """With the outside as foreground the arch belongs to it: no component of its own, one loop."""
    report = connectivity_report(ARCH[None, None], tp.BettiPrior(1, 0))
    assert report.flips == {"masks": {("0", 1): [TB, VB]}}
    report = connectivity_report(ARCH[None, None], tp.BettiPrior(1, 1), boundary="foreground")
    assert report.shares == {"masks": {TB: 0.0, TF: 1.0, VB: 0.0, VF: 1.0}}


@settings(deadline=None)
@given(
    st.sampled_from([(3,), (2, 4), (2, 3, 2)]).flatmap(lambda shape: arrays(bool, shape)),
    st.sampled_from(["background", "foreground"]),
    st.integers(0, 2),
)
def test_masks_away_from_the_frame_do_not_mind_the_outside(mask, boundary, components):
    mask = np.pad(mask, 1)
    prior = tp.BettiPrior(
        (components + (boundary == "foreground"), components + 1), *[(0, 1)] * (mask.ndim - 1), weights=[2] * mask.ndim
    )
    [row] = verdicts(mask[None, None], prior, cases=["a"], boundary=boundary)
    assert row["success_T_background"] == row["success_T_foreground"]
    assert row["success_V_background"] == row["success_V_foreground"]
    for construction in ("T", "V"):
        own = topological_success(mask[None, None], prior, construction=construction, boundary=boundary).item()
        assert row[f"success_{construction}_{boundary}"] == own


def test_a_ranking_that_flips():
    masks = {"round": DIAMOND, "square": RING, "open": ARCH}
    masks = {name: torch.stack((mask, mask))[:, None] for name, mask in masks.items()}
    masks["square"] = masks["square"].clone()
    masks["square"][0, 0, 2, 2] = 1  # filled: right in one case of two, by every convention
    report = connectivity_report(masks, tp.BettiPrior(1, 1))
    assert [(flip.first, flip.second, flip.first_better, flip.second_better) for flip in report.ranking_flips] == [
        ("round", "square", TB, VB)
    ]
    assert report.as_rows()[2] == {
        "construction": "V", "boundary": "background", "round": 0.0, "square": 0.5, "open": 0.0,
    }  # fmt: skip


def test_one_prior_for_each_image_and_channel():
    masks = torch.stack((torch.stack((DIAMOND, RING)), torch.stack((RING, ARCH))))
    priors = [[tp.BettiPrior(1, 1), tp.BettiPrior(1, 0)], (tp.BettiPrior(2, 1), tp.BettiPrior(1, None))]
    rows = verdicts(masks, priors, cases=["a", "b"], classes=["x", "y"])
    assert [(row["case"], row["class"], row["success_T_background"]) for row in rows] == [
        ("a", "x", 1), ("a", "y", 0), ("b", "x", 0), ("b", "y", 1),
    ]  # fmt: skip
    assert [row["success_V_background"] for row in rows] == [0, 0, 0, 1]
    assert list(rows[0]) == ["case", "class", *(setting.column for setting in SETTINGS)]


@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_moving_a_prior_there_and_back(boundary):
    [other] = {"background", "foreground"} - {boundary}
    for prior in (
        tp.BettiPrior(1, 1),
        tp.BettiPrior((2, 4), None),
        tp.BettiPrior((2, None), (0, 3)),
        tp.BettiPrior(None, 1),
    ):
        there = prior_for([prior, prior], other, written_for=boundary)
        assert prior_for(there, boundary, written_for=other) == [prior, prior]
    assert prior_for(tp.BettiPrior((0, 2), 0), "foreground", written_for="background") == tp.BettiPrior((1, 3), 0)
    assert prior_for(tp.BettiPrior((0, 2), 0), "background", written_for="foreground") == tp.BettiPrior((0, 1), 0)
    weighted = tp.BettiPrior(1, 1, weights=(2, 3))
    assert prior_for(weighted, other, written_for=boundary).weights == (2, 3)


def test_tables_of_many_files():
    first = verdicts(DIAMOND[None, None], tp.BettiPrior(1, 1), cases=["a"])
    second = verdicts(RING[None, None], tp.BettiPrior(1, 1), cases=["b"])
    unknown = {"case": "c", "class": 1} | {setting.column: None for setting in SETTINGS}
    report = report_of_tables({"ours": [*first, *second, unknown]})
    assert report.shares["ours"] == {TB: 1.0, TF: 1.0, VB: 0.5, VF: 0.5}
    nothing = report_of_tables({"ours": [unknown]})
    assert math.isnan(nothing.shares["ours"][TB])
    assert nothing.as_rows()[0]["ours"] is None
    assert nothing.flips == {"ours": {}}


def test_what_is_refused():
    with pytest.raises(ValueError, match="must allow one component, the outside"):
        connectivity_report(RING[None, None], tp.BettiPrior(0, 1), boundary="foreground")
    with pytest.raises(ValueError, match="boundary must be one of 'background', 'foreground', got 'mirror'"):
        connectivity_report(RING[None, None], tp.BettiPrior(1, 1), boundary="mirror")
    for boundary in ("background", "foreground"):
        with pytest.raises(TypeError, match="prior must be a BettiPrior or a sequence of them, got str"):
            connectivity_report(RING[None, None], "1,1", boundary=boundary)
    with pytest.raises(ValueError, match="mask must hold only 0 and 1"):
        connectivity_report(0.5 * RING[None, None], tp.BettiPrior(1, 1))
    with pytest.raises(ValueError, match="cases must be 1 different names"):
        connectivity_report(RING[None, None], tp.BettiPrior(1, 1), cases=["a", "b"])
    with pytest.raises(ValueError, match="there is no column 'success_T_background'"):
        report_of_tables({"ours": [{"case": "a", "dice": 1}]})
    for tables in ({}, {"ours": []}):
        with pytest.raises(ValueError, match="at least one method with at least one mask"):
            report_of_tables(tables)
