"""Random choices: the same for the same seed, purpose and step, and nothing else."""

import pytest
import torch

from topoprior.training import draws


def test_every_case_comes_once_before_any_comes_again():
    drawn = torch.cat([draws.batch(3, "labelled", step, size=4, of=10) for step in range(5)])
    assert sorted(drawn[:10].tolist()) == list(range(10))
    assert sorted(drawn[10:].tolist()) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_a_batch_may_be_larger_than_the_data():
    drawn = draws.batch(0, "labelled", 1, size=7, of=3)
    assert drawn.shape == (7,)
    assert sorted(drawn[2:5].tolist()) == [0, 1, 2]  # places 9 to 11: a whole round


@pytest.mark.parametrize("other", [(1, "labelled", 2), (0, "unlabelled", 2), (0, "labelled", 3)])
def test_seed_purpose_and_step_all_matter(other):
    ours = draws.batch(0, "labelled", 2, size=30, of=100)
    assert torch.equal(ours, draws.batch(0, "labelled", 2, size=30, of=100))
    assert not torch.equal(ours, draws.batch(*other, size=30, of=100))


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draws.batch(0, "labelled", 0, size=5, of=9)
    torch.rand(3, generator=draws.generator(0, "noise", 1))
    assert torch.equal(torch.get_rng_state(), before)
