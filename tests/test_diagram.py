import dataclasses

import pytest
import torch

import topoprior as tp


@pytest.fixture
def diagrams():
    """Two images of two channels, 3 x 5: one, two, and three blobs, and a ring."""
    images = torch.zeros(2, 2, 3, 5)
    images[0, 0, 1, 1] = 0.9
    images[0, 1, 1, [0, 2]] = torch.tensor([0.8, 0.6])
    images[1, 0, 1, [0, 2, 4]] = torch.tensor([0.7, 0.5, 0.3])
    images[1, 1, :, 1:4] = 1.0
    images[1, 1, 1, 2] = 0.25
    return tp.persistence(images)


def test_fields(diagrams):
    assert diagrams.shape == (2, 2, 3, 5)
    assert (diagrams.construction, diagrams.boundary) == ("T", "background")
    assert diagrams.number_of_images == 4
    assert diagrams.spatial_axes == 2
    assert len(diagrams) == 8
    assert diagrams.image.tolist() == [0, 1, 1, 2, 2, 2, 3, 3]
    assert diagrams.rank.tolist() == [0, 0, 1, 0, 1, 2, 0, 0]
    torch.testing.assert_close(diagrams.persistence, torch.tensor([0.9, 0.8, 0.6, 0.7, 0.5, 0.3, 1.0, 0.75]))


def test_frozen(diagrams):
    with pytest.raises(dataclasses.FrozenInstanceError):
        diagrams.births = diagrams.deaths


def test_select_keeps_whole_rows(diagrams):
    assert diagrams.select(image=1).birth_index.tolist() == [5, 7]
    loop = diagrams.select(image=3, dimension=1)
    assert (loop.births.tolist(), loop.deaths.tolist(), loop.death_index.tolist()) == ([1.0], [0.25], [7])
    assert len(diagrams.select(dimension=0)) == 7
    assert len(diagrams.select()) == len(diagrams)
    assert loop.shape == diagrams.shape


def test_select_refuses_what_does_not_exist(diagrams):
    with pytest.raises(ValueError, match=r"image must be in 0\.\.3, got 4"):
        diagrams.select(image=4)
    with pytest.raises(ValueError, match=r"dimension must be in 0\.\.1, got -1"):
        diagrams.select(dimension=-1)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.5, [[[1, 0], [2, 0]], [[2, 0], [1, 1]]]),  # the blob of exactly 0.5 is there: birth >= p
        (0.25, [[[1, 0], [2, 0]], [[3, 0], [1, 0]]]),  # the hole of exactly 0.25 is filled: p > death
        (0.95, [[[0, 0], [0, 0]], [[0, 0], [1, 1]]]),
        (1.0, [[[0, 0], [0, 0]], [[0, 0], [1, 1]]]),
    ],
)
def test_betti_numbers_count_birth_at_least_p_and_death_below(diagrams, p, expected):
    numbers = diagrams.betti_numbers(p)
    assert numbers.dtype == torch.int64
    assert numbers.tolist() == expected


@pytest.mark.parametrize("p", [0.0, -0.5, 1.01, float("nan")])
def test_no_betti_numbers_outside_the_filtration(diagrams, p):
    with pytest.raises(ValueError, match="p must be greater than 0 and at most 1"):
        diagrams.betti_numbers(p)


def test_all_zero_image_has_no_component_at_any_p():
    diagrams = tp.persistence(torch.zeros(1, 1, 4, 3))
    assert diagrams.persistence.tolist() == [0.0]
    assert diagrams.betti_numbers(0.001).tolist() == [[[0, 0]]]


def test_rows_filled_up_by_vmap_are_counted_nowhere():
    images = torch.rand(3, 1, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    images[1] = 0.75  # one bar only
    for boundary in ("background", "foreground"):

        def everything(images, boundary=boundary):
            diagrams = tp.persistence(images, boundary=boundary)
            return diagrams.persistence.sum(), diagrams.births.sum(), diagrams.betti_numbers(0.5)

        stacked = torch.func.vmap(everything)(images)
        for number in range(3):
            for ours, alone in zip(stacked, everything(images[number]), strict=True):
                torch.testing.assert_close(ours[number], alone)
