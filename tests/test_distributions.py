"""Every case is on the picture, or the picture says that it is not."""

import numpy as np
import pytest

from topoprior.viewing.distributions import counted, strip


def test_every_finite_value_is_a_point_and_the_others_are_told():
    axes = strip({"1": [1.0, 2.0, 2.0, np.inf], "2": [5.0]}, label="distance, mm")
    assert [collection.get_offsets()[:, 0].tolist() for collection in axes.collections] == [[1.0, 2.0, 2.0], [5.0]]
    assert [text.get_text() for text in axes.texts] == ["1 infinite"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1", "2"]
    heights = axes.collections[0].get_offsets()[:, 1]
    assert heights[1] != heights[2]  # equal values do not hide each other


def test_median_and_quartiles_by_hand():
    axes = strip({"1": [0.0, 1.0, 2.0, 3.0, 4.0]}, label="Dice")
    quartiles, median = axes.lines
    assert list(quartiles.get_xdata()) == [1.0, 3.0]
    assert list(median.get_xdata()) == [2.0]


def test_a_group_without_a_finite_value_draws_no_point():
    axes = strip({"1": [np.inf], "2": []}, label="distance, mm")
    assert not axes.collections
    assert [text.get_text() for text in axes.texts] == ["1 infinite"]


def test_counts_by_hand_with_one_bar_for_the_large_ones():
    axes = counted({"1": [0, 0, 1, 6, 70], "2": [0]}, label="loops")
    one, two = axes.containers
    assert [bar.get_height() for bar in one] == [2, 1, 0, 0, 0, 0, 2]
    assert [bar.get_height() for bar in two] == [1, 0, 0, 0, 0, 0, 0]
    assert axes.get_xticklabels()[-1].get_text() == "6+"


@pytest.mark.parametrize("draw", [strip, counted])
def test_nothing_to_draw_is_an_error(draw):
    with pytest.raises(ValueError, match="at least one group of values, got none"):
        draw({}, label="Dice")


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="values must be numbers, got nan"):
        strip({"1": [np.nan]}, label="Dice")
    for value in (-1, 0.5):
        with pytest.raises(ValueError, match=f"whole numbers of at least 0, got {value}"):
            counted({"1": [value]}, label="loops")
