import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import topoprior as tp
from oracles import flood_fill
from topoprior.baselines import Components


def mask_of(*rows):
    return torch.tensor([[character == "#" for character in row] for row in rows])


def corrected(mask, *numbers, **options):
    result = Components(**options)(mask[None, None].double(), prior=tp.BettiPrior(*numbers))
    assert result.dtype == torch.bool
    return result[0, 0]


# A ring of 10 with a hole of 2, a pair through a corner, a lone pixel.
SCENE = mask_of(
    "####...",
    "#..#.#.",
    "####..#",
    ".......",
    "..#....",
)
RING = SCENE & (torch.arange(7) < 4) & (torch.arange(5) < 3)[:, None]


def test_keeps_the_largest_and_fills_the_hole():
    filled = RING.clone()
    filled[1, 1:3] = True
    assert torch.equal(corrected(SCENE, 1, 1), RING)
    assert torch.equal(corrected(SCENE, 1, 0), filled)
    without_the_lone_pixel = SCENE.clone()
    without_the_lone_pixel[4, 2] = False
    assert torch.equal(corrected(SCENE, 2, 1), without_the_lone_pixel)
    assert torch.equal(corrected(SCENE, 7, 5), SCENE)


def test_of_a_range_the_upper_end_counts():
    assert torch.equal(corrected(SCENE, (0, 1), (0, 1)), RING)
    assert torch.equal(corrected(SCENE, (1, None), (0, 1)), SCENE)
    assert torch.equal(corrected(SCENE, 1, None), RING)
    assert corrected(SCENE, (2, None), 0).sum() == SCENE.sum() + 2


def test_no_component_allowed_leaves_an_empty_mask():
    assert not corrected(SCENE, 0, 0).any()
    assert not corrected(SCENE, 0, None).any()


def test_construction_decides_what_is_connected():
    diamond = mask_of("..#..", ".#.#.", "..#..", ".....", "##...")
    assert corrected(diamond, 1, 1).sum() == 4  # the four pixels touch at corners
    assert torch.equal(corrected(diamond, 1, 1, construction="V"), mask_of(*["....."] * 4, "##..."))
    assert corrected(diamond, 1, 0).sum() == 5
    hole_that_leaks_through_a_corner = mask_of("###", "#.#", "##.")
    assert corrected(hole_that_leaks_through_a_corner, 1, 0)[1, 1]
    assert torch.equal(
        corrected(hole_that_leaks_through_a_corner, 1, 0, construction="V"), hole_that_leaks_through_a_corner
    )


def test_boundary_decides_what_is_a_hole_and_what_is_the_outside():
    bay = mask_of("#...", "#...", "####", "#...")
    assert torch.equal(corrected(bay, 1, 0), bay)
    # With the outside as foreground the wall parts the background in two, and one of them is a hole: the smaller.
    assert torch.equal(corrected(bay, 1, 0, boundary="foreground"), mask_of("#...", "#...", "####", "####"))
    assert torch.equal(corrected(bay, 1, 1, boundary="foreground"), bay)
    speck = mask_of("#....", ".....", "..##.", ".....")
    # The pixel at the frame belongs to the outside and stays, the larger speck goes.
    assert torch.equal(corrected(speck, 1, 0, boundary="foreground"), mask_of("#....", *["....."] * 3))
    assert torch.equal(corrected(speck, 2, 0, boundary="foreground"), speck)


def test_the_outside_comes_before_what_is_larger():
    ring = torch.ones(14, 15, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    assert corrected(ring, 1, 0).all()  # the hole has more pixels than the background around the ring
    assert torch.equal(corrected(ring, 1, 1), ring)
    island = torch.zeros(14, 15, dtype=torch.bool)
    island[1:-1, 1:-1] = True
    assert not corrected(island, 1, 0, boundary="foreground").any()
    assert torch.equal(corrected(island, 2, 1, boundary="foreground"), island)


def test_the_largest_holes_are_kept_when_some_are_wanted():
    holes = mask_of("########", "#.#..#.#", "########")
    assert torch.equal(corrected(holes, 1, 1), mask_of("########", "###..###", "########"))
    # Among equals the first in row-major order.
    assert torch.equal(corrected(holes, 1, 2), mask_of("########", "#.#..###", "########"))


def test_among_components_of_equal_size_the_first_stays():
    assert torch.equal(corrected(mask_of("#.##", "....", "##.#"), 1, 0), mask_of("..##", "....", "...."))


def test_a_volume_has_its_cavities_filled_and_keeps_its_tunnels():
    volume = torch.zeros(13, 9, 8, dtype=torch.bool)
    volume[1:6, 1:6, 1:6] = True
    volume[3, 3, 3] = False  # a cavity
    volume[8:11, 1:4, 1:2] = True
    volume[9, 2, 1] = False  # a ring of eight: a tunnel
    assert tp.betti_numbers(volume[None, None]).tolist() == [[[2, 1, 1]]]
    for prior, betti in [
        ((2, 0, 0), [2, 1, 0]),
        ((1, 0, 0), [1, 0, 0]),
        ((1, 0, 1), [1, 0, 1]),
        ((2, 1, None), [2, 1, 1]),
    ]:
        assert tp.betti_numbers(corrected(volume, *prior)[None, None]).tolist() == [[betti]]


def test_on_a_line_only_components_are_removed():
    assert torch.equal(corrected(torch.tensor([True, False, True, True]), 1), torch.tensor([False, False, True, True]))


@settings(max_examples=150, deadline=None)
@given(
    strategies.masks(),
    st.lists(st.integers(0, 2) | st.none(), min_size=3, max_size=3),
    strategies.constructions,
    strategies.boundaries,
)
def test_components_holes_and_cavities_end_within_the_upper_ends(mask, upper, construction, boundary):
    upper = upper[: mask.ndim]
    if boundary == "foreground" and upper[0] == 0:
        upper[0] = 1  # the outside is one component
    if all(number is None for number in upper):
        upper[0] = 1
    ranges = [(0, number) for number in upper]
    result = corrected(torch.from_numpy(mask), *ranges, construction=construction, boundary=boundary).numpy()
    before = flood_fill.betti_numbers(mask, construction, boundary)
    after = flood_fill.betti_numbers(result, construction, boundary)
    looked_at = {0, mask.ndim - 1}
    for k in looked_at:
        assert upper[k] is None or after[k] <= upper[k]
        assert after[k] <= before[k]
    if all(upper[k] is None or before[k] <= upper[k] for k in looked_at):
        np.testing.assert_array_equal(result, mask)


def test_each_image_has_its_own_prior():
    batch = torch.stack((SCENE, SCENE))[:, None].float()
    result = Components()(batch, prior=[tp.BettiPrior(1, 1), tp.BettiPrior(3, 1)])
    assert torch.equal(result[0, 0], RING)
    assert torch.equal(result[1, 0], SCENE)


def test_refuses_what_it_cannot_use():
    probability = torch.zeros(2, 1, 3, 3)
    with pytest.raises(ValueError, match="prior must be given to keep the largest components, got None"):
        Components()(probability)
    with pytest.raises(ValueError, match="prior has 3 Betti numbers but images have 2 spatial axes"):
        Components()(probability, prior=tp.BettiPrior(1, 0, 0))
    with pytest.raises(ValueError, match="3 priors for a batch of 2"):
        Components()(probability, prior=[tp.BettiPrior(1, 0)] * 3)
    with pytest.raises(ValueError, match=r"one channel, .*got \(1, 2, 3, 3\)"):
        Components()(torch.zeros(1, 2, 3, 3), prior=tp.BettiPrior(1, 0))
    with pytest.raises(ValueError, match="construction must be one of 'T', 'V', got 'W'"):
        Components(construction="W")
    with pytest.raises(ValueError, match="boundary must be one of 'background', 'foreground', got 'air'"):
        Components(boundary="air")
