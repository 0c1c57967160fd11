import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.topology.filtration import as_images, check_options, check_threads, check_values, dimension_mask

RING = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]])[None, None]


@pytest.mark.parametrize(
    ("construction", "boundary", "expected"),
    [
        ("T", "background", [1, 1]),  # the dot hangs on the ring by a corner
        ("V", "background", [2, 1]),
        ("T", "foreground", [1, 2]),  # all hangs on the outside; hole and two gaps: 3 pieces of background on a sphere
        ("V", "foreground", [1, 1]),  # the gaps touch at a corner: 2 pieces
    ],
)
def test_the_same_mask_under_each_convention(construction, boundary, expected):
    assert tp.betti_numbers(RING, construction=construction, boundary=boundary).tolist() == [[expected]]


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="construction must be one of 'T', 'V', got 't'"):
        check_options("t", "background")
    with pytest.raises(ValueError, match="boundary must be one of 'background', 'foreground', got 'none'"):
        check_options("T", "none")


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ([[0.5]], TypeError, "images must be a torch tensor or a numpy array, got list"),
        (None, TypeError, "got NoneType"),
        (torch.zeros(1, 1, 3, dtype=torch.int64), TypeError, "floating point probabilities in .0, 1., got torch.int64"),
        (torch.zeros(1, 1, 3, dtype=torch.bool), TypeError, "got torch.bool: convert a mask with .float()"),
        (torch.zeros(1, 1, 3, dtype=torch.complex64), TypeError, "got torch.complex64"),
        (torch.zeros(1, 1, 3).to(torch.float8_e5m2), TypeError, "got torch.float8_e5m2"),
        (
            torch.zeros(1, 1, 3).to_sparse(),
            TypeError,
            "dense tensor, got layout torch.sparse_coo: convert with .to_dense()",
        ),
        (
            np.zeros((1, 1, 3), dtype=object),
            TypeError,
            "must hold real numbers that torch knows, got an array of object",
        ),
        (
            np.ma.zeros((1, 1, 3)),
            TypeError,
            r"a masked array has pixels without a value: fill them with .filled\(value\)",
        ),
        (torch.zeros(1, 1, 3, device="meta"), TypeError, "must hold values, got a tensor on the meta device"),
        (np.zeros((1, 1, 3), dtype="S1"), TypeError, "got an array of |S1"),
        (torch.tensor(0.5), ValueError, "with 1 to 3 spatial axes, got \\(\\)"),
        (
            torch.zeros(3, 4),
            ValueError,
            "shape \\(batch, channel, \\*spatial\\) with 1 to 3 spatial axes, got \\(3, 4\\)",
        ),
        (torch.zeros(1, 1, 2, 2, 2, 2), ValueError, "got \\(1, 1, 2, 2, 2, 2\\)"),
        (torch.zeros(0, 1, 3), ValueError, "must not be empty: every side must be at least 1, got \\(0, 1, 3\\)"),
        (torch.zeros(1, 1, 3, 0), ValueError, "got \\(1, 1, 3, 0\\)"),
    ],
)
def test_what_is_not_a_batch_of_images_is_refused(images, error, message):
    with pytest.raises(error, match=message):
        as_images(images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "finite values in .0, 1., got nan"),
        (float("inf"), "finite values in .0, 1., got inf"),
        (-float("inf"), "finite values in .0, 1., got -inf"),
        (1.5, "probabilities in .0, 1., got values from 0.5 to 1.5: if these are logits, apply torch.sigmoid"),
        (-0.25, "got values from -0.25 to 0.5: if these are logits"),
    ],
)
def test_values_that_are_no_probabilities_are_refused(dtype, value, message):
    images = torch.full((2, 1, 3, 4), 0.5, dtype=dtype)
    images[1, 0, 2, 1] = value
    with pytest.raises(ValueError, match=message):
        check_values(images)
    with pytest.raises(ValueError, match=message):  # the same sentence at the public door
        tp.persistence(images)


def test_the_message_shows_by_how_little_a_value_is_too_large():
    with pytest.raises(ValueError, match=r"got values from 0\.5 to 1\.0000001"):
        check_values(torch.tensor([0.5, 1.0000001]))


def test_both_ends_of_the_range_are_probabilities():
    check_values(torch.tensor([0.0, 1.0]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MONAI imports
def test_metatensor_is_unwrapped_and_keeps_its_gradient():
    from monai.data import MetaTensor

    images = MetaTensor(torch.rand(1, 1, 3, 4)).requires_grad_()
    plain = as_images(images)
    assert type(plain) is torch.Tensor
    plain.sum().backward()
    assert torch.equal(images.grad, torch.ones(1, 1, 3, 4))


def test_dimension_mask():
    assert dimension_mask(None, 3) == 0b111
    assert dimension_mask((2, 0, 0), 3) == 0b101
    for wanted in ((), (2,), (-1,), (0.5,)):
        with pytest.raises(ValueError, match="dimensions must be some of \\(0, 1\\) for this image"):
            dimension_mask(wanted, 2)
    with pytest.raises(TypeError, match="dimensions must be a sequence such as \\(0, 1\\), got 1"):
        dimension_mask(1, 2)


def test_threads():
    assert check_threads(None) == 0
    assert check_threads(3) == 3
    for threads in (0, -1, 1.5, True, 10**30):
        with pytest.raises(ValueError, match=f"threads must be a whole number from 1 to 1024, got {threads}"):
            check_threads(threads)
