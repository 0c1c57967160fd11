import pytest
import torch

import topoprior as tp
from topoprior.refinement.stopping import StoppingRule, Streak


def judge(image, prior, margin=0.1, threshold=0.5):
    rule = StoppingRule(threshold=threshold, margin=margin, patience=1)
    (verdict,) = rule.judge(tp.persistence(image), prior)
    return verdict


def row(*values):
    return torch.tensor([[list(values)]])


def test_right_at_the_threshold_but_not_below_it():
    """The gap of 0.45 is open at 0.5 and closed at 0.4."""
    verdict = judge(row(0.9, 0.45, 0.8), tp.BettiPrior(2))
    assert (verdict.betti.tolist(), verdict.error, verdict.robust) == ([[[2]]], 0, False)


def test_right_at_the_threshold_but_not_above_it():
    """The second component is there at 0.5 and gone at 0.6."""
    verdict = judge(row(0.9, 0.1, 0.55), tp.BettiPrior(2))
    assert (verdict.error, verdict.robust) == (0, False)


def test_right_with_the_margin():
    assert judge(row(0.9, 0.1, 0.65), tp.BettiPrior(2)).robust


def test_right_only_away_from_the_threshold_is_wrong():
    verdict = judge(row(0.9, 0.45, 0.8), tp.BettiPrior(1))
    assert (verdict.error, verdict.robust) == (1, False)


def test_the_level_itself_counts_as_foreground():
    """Present at p when birth >= p > death, as the mask ``output >= threshold`` has it."""
    assert judge(row(0.5, 0.0, 0.5), tp.BettiPrior(2), margin=0).error == 0


def test_errors_of_all_channels_and_dimensions_add_up():
    image = torch.zeros(1, 2, 3, 5)
    image[0, 0, :, ::2] = 1  # three components
    verdict = judge(image, [[tp.BettiPrior(1, 1), tp.BettiPrior((0, 3), None)]])
    assert verdict.error == 2 + 1


def test_ranking_prefers_topology_then_margin_then_the_nearest():
    wrong = judge(row(0.9, 0.1, 0.65), tp.BettiPrior(1))
    fragile = judge(row(0.9, 0.45, 0.8), tp.BettiPrior(2))
    robust = judge(row(0.9, 0.1, 0.65), tp.BettiPrior(2))
    assert robust.rank(0.9) < fragile.rank(0.1) < wrong.rank(0.0)
    assert robust.rank(0.1) < robust.rank(0.2)


def test_a_streak_starts_again_after_a_lapse():
    streak = Streak(patience=3)
    states = [True, True, False, True, True, True, True]
    assert [streak.reached(robust) for robust in states] == [False, False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold must lie between 0 and 1, got 0.0"),
        ({"threshold": 1.0}, "threshold must lie between 0 and 1, got 1.0"),
        ({"threshold": float("nan")}, "threshold must lie between 0 and 1, got nan"),
        ({"margin": -0.1}, "margin must be at least 0 .* got margin -0.1 at threshold 0.5"),
        ({"margin": 0.5}, "margin must be at least 0 .* got margin 0.5 at threshold 0.5"),
        ({"threshold": 0.9, "margin": 0.2}, "got margin 0.2 at threshold 0.9"),
        ({"patience": 0}, "patience must be a whole number of steps, at least 1, got 0"),
        ({"patience": 1.5}, "patience must be a whole number of steps, at least 1, got 1.5"),
        ({"patience": float("nan")}, "patience must be a whole number of steps, at least 1, got nan"),
    ],
)
def test_impossible_rules_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StoppingRule(**({"threshold": 0.5, "margin": 0.05, "patience": 3} | options))


def test_every_image_of_a_batch_is_judged_as_it_is_alone():
    images, priors = torch.cat([row(0.9, 0.1, 0.65), row(0.9, 0.45, 0.8)]), [tp.BettiPrior(1), tp.BettiPrior(2)]
    rule = StoppingRule(threshold=0.5, margin=0.1, patience=1)
    together = rule.judge(tp.persistence(images), priors)
    assert [(verdict.betti.tolist(), *verdict[1:]) for verdict in together] == [
        ([[[2]]], 1, False),
        ([[[2]]], 0, False),
    ]


def test_without_patience_no_streak_is_long_enough():
    assert not any(Streak(None).reached(True) for _ in range(9))


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("threshold", "margin", "patience") for value in ("1", True, None)][:-1],
)
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a number, got {value!r}$"):
        StoppingRule(**({"threshold": 0.5, "margin": 0.05, "patience": 3} | {name: value}))
