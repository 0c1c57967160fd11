"""Where the topology goes wrong: counted by hand on small masks."""

import numpy as np
import pytest

from topoprior import BettiPrior
from topoprior.viewing.faults import topological_faults

RING = np.zeros((9, 12), dtype=bool)
RING[1:8, 1:9] = True
RING[3:6, 3:7] = False
ONE_RING = BettiPrior(1, 1)


def found(prediction, target=RING, prior=ONE_RING, **options):
    """Dimension, mendable, and the first pixel of each fault."""
    return [
        (fault.dimension, fault.mendable, tuple(np.argwhere(fault.region)[0]))
        for fault in topological_faults(prediction, target, prior, **options)
    ]


def test_right_topology_has_no_fault_however_wrong_the_outline():
    assert found(RING) == []
    assert found(np.roll(RING, 3, axis=1)) == []


def test_a_gap_is_found_by_what_mends_it():
    gap = RING.copy()
    gap[1:3, 4] = False
    assert found(gap) == [(1, True, (1, 4))]


def test_a_speck_is_a_component_too_many_and_not_told_twice():
    speck = RING.copy()
    speck[8, 11] = True
    assert found(speck) == [(0, False, (8, 11))]


def test_the_smaller_of_two_holes_is_too_many():
    holes = RING.copy()
    holes[6, 2] = False
    assert found(holes) == [(1, False, (6, 2))]


def test_a_filled_hole_is_found_where_the_target_has_it():
    filled = RING.copy()
    filled[3:6, 3:7] = True
    assert found(filled) == [(1, True, (3, 3))]


def test_a_difference_that_does_no_harm_is_no_fault():
    gap = RING.copy()
    gap[1:3, 4] = False
    gap[7, 1] = False  # a corner
    assert found(gap) == [(1, True, (1, 4))]


def test_a_difference_all_round_is_no_place_to_look_at():
    assert found(np.zeros_like(RING)) == []


def test_a_gap_is_found_although_a_rim_is_missed_all_round():
    target = np.zeros((30, 32), dtype=bool)
    target[3:27, 4:29] = True
    target[10:20, 11:22] = False
    thinner = target.copy()
    thinner[9:21, 10:23] = False  # one pixel of the wall, all round the hole
    thinner[3:9, 14:18] = False
    (fault,) = topological_faults(thinner, target, ONE_RING)
    assert (fault.dimension, fault.mendable) == (1, True)
    assert np.argwhere(fault.region).min(0).tolist() == [3, 14]
    assert np.argwhere(fault.region).max(0).tolist() == [9, 17]


def test_construction_decides_what_touches():
    corner = RING.copy()
    corner[8, 9] = True  # touches the ring at a corner
    assert found(corner) == []
    assert found(corner, construction="V") == [(0, False, (8, 9))]


def test_a_difference_mends_by_the_construction_that_counts():
    target = np.zeros((5, 9), dtype=bool)
    target[1:3, 1:3] = target[3:5, 4:6] = target[3, 3] = True  # 3, 3 touches the first block at a corner only
    prediction = target.copy()
    prediction[3, 3] = False
    one = BettiPrior(1, 0)
    assert found(prediction, target, one) == [(0, False, (3, 4)), (0, True, (3, 3))]
    assert found(prediction, target, one, construction="V") == [(0, False, (3, 4))]


def test_boundary_decides_what_is_a_hole():
    inlet = RING.copy()
    inlet[1:4, 4] = False
    inlet = inlet[1:]  # now the gap opens on the frame
    assert found(inlet, RING[1:]) == [(1, True, (0, 4))]
    assert found(inlet, RING[1:], BettiPrior(1, (0, None)), boundary="foreground") == []


def test_a_cavity_in_a_volume():
    ball = np.zeros((5, 6, 7), dtype=bool)
    ball[1:4, 1:5, 1:6] = True
    bubble = ball.copy()
    bubble[2, 2, 2] = False
    assert found(bubble, ball, BettiPrior(1, 0, 0)) == [(2, False, (2, 2, 2))]


def test_a_prior_of_other_dimensions_is_refused():
    with pytest.raises(ValueError, match="prior has 3 Betti numbers but images have 2 spatial axes"):
        topological_faults(RING, RING, BettiPrior(1, 0, 0))
