import cmath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from topoprior.imaging.corrupt import add_noise, blur, remove_lines, removed_lines


def positive(*shape, seed=0):
    return np.random.default_rng(seed).random(shape) + 0.1


def slow_remove_lines(image, rows, columns, rescale):
    """One channel, term by term: the sum of the waves of all frequencies that are left. Frequency 0 is at n // 2."""
    height, width = image.shape
    total = np.zeros(image.shape, dtype=complex)
    for row in set(range(height)) - set(rows):
        for column in set(range(width)) - set(columns):
            u, v = row - height // 2, column - width // 2
            wave = np.array(
                [
                    [cmath.exp(2j * cmath.pi * (u * y / height + v * x / width)) for x in range(width)]
                    for y in range(height)
                ]
            )
            total += wave * (wave.conj() * image).sum() / image.size
    magnitude = np.abs(total)
    if rescale == "minmax":
        magnitude -= magnitude.min()
    return magnitude / magnitude.max() if magnitude.max() > 1e-12 else 0 * magnitude


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 6),
    st.integers(2, 6),
    st.integers(1, 3),
    st.integers(0, 1),
    st.sampled_from(["rows", "columns", "both"]),
    st.sampled_from(["max", "minmax"]),
    st.integers(0, 2**40),
)
def test_same_as_the_sum_of_the_remaining_waves(height, width, lines, keep_centre, axes, rescale, seed):
    lines = min(lines, height - 1, width - 1)
    image = positive(2, 1, height, width, seed=seed)
    options = {"axes": axes, "keep_centre": keep_centre, "seed": seed}
    result = remove_lines(image, lines, rescale=rescale, **options)
    for index, (rows, columns) in enumerate(removed_lines((2, 1, height, width), lines, **options)):
        expected = slow_remove_lines(image[index, 0], rows, columns, rescale)
        np.testing.assert_allclose(result[index, 0], expected, atol=1e-9)


def test_as_many_lines_as_asked_along_the_axes_asked():
    shape = (40, 1, 12, 9)
    for axes, rows, columns in (("rows", 5, 0), ("columns", 0, 5), ("both", 5, 5)):
        for gone_rows, gone_columns in removed_lines(shape, 5, axes=axes, seed=0):
            assert (len(set(gone_rows)), len(set(gone_columns))) == (rows, columns)
            assert set(gone_rows) <= set(range(12))
            assert set(gone_columns) <= set(range(9))
    everywhere = removed_lines(shape, 5, axes="both", seed=0)
    assert set(np.concatenate([rows for rows, _ in everywhere])) == set(range(12))
    assert set(np.concatenate([columns for _, columns in everywhere])) == set(range(9))
    assert any(set(rows) != set(columns) for rows, columns in removed_lines((9, 1, 12, 12), 5, axes="both", seed=0))
    assert len({tuple(sorted(rows)) for rows, _ in everywhere}) > 30  # each image loses its own lines


@pytest.mark.parametrize(
    ("size", "keep_centre", "centre"),
    [(80, 8, range(36, 44)), (7, 3, (2, 3, 4)), (7, 2, (2, 3)), (8, 1, (4,)), (8, 7, range(1, 8)), (8, 8, range(8))],
)
def test_the_centre_is_kept(size, keep_centre, centre):
    """With all other lines gone, what is left is the centre, and the frequency 0, at size // 2, is in it."""
    ((rows, _),) = removed_lines((1, 1, size, 3), size - keep_centre, keep_centre=keep_centre, seed=3)
    assert set(range(size)) - set(rows) == set(centre)
    assert size // 2 in centre


def test_a_wave_is_removed_with_its_line():
    """A wave along the height has frequencies +3 and -3 and the mean at 0: without both lines it is gone."""
    wave = np.tile(1 + 0.5 * np.cos(2 * np.pi * 3 * np.arange(16) / 16)[:, None], (1, 1, 1, 10))
    gone = [set(removed_lines(wave.shape, 8, keep_centre=1, seed=seed)[0][0]) for seed in range(100)]
    lost = next(seed for seed, rows in enumerate(gone) if rows >= {5, 11})
    kept = next(seed for seed, rows in enumerate(gone) if not rows & {5, 11})
    np.testing.assert_allclose(remove_lines(wave, 8, keep_centre=1, seed=lost), 1, atol=1e-6)
    np.testing.assert_allclose(remove_lines(wave, 8, keep_centre=1, seed=kept), wave / wave.max(), atol=1e-6)


def test_no_lines_is_the_identity_up_to_scale():
    image = positive(2, 2, 7, 10)
    for axes in ("rows", "columns", "both"):
        scale = image.max(axis=(1, 2, 3), keepdims=True)
        np.testing.assert_allclose(remove_lines(image, 0, axes=axes, seed=0), image / scale, atol=1e-12)
    low = image.min(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(
        remove_lines(image, 0, rescale="minmax", seed=0), (image - low) / (scale - low), atol=1e-12
    )


def test_scaled_to_the_unit_interval():
    for rescale in ("max", "minmax"):
        result = remove_lines(200 * positive(3, 1, 20, 14), 6, rescale=rescale, seed=0)
        np.testing.assert_array_equal(result.max(axis=(1, 2, 3)), 1)
        assert result.min() >= 0
        assert (rescale == "minmax") == (result.min() == 0)


def test_the_same_seed_gives_the_same_lines_in_whatever_batch():
    image = torch.from_numpy(positive(4, 1, 12, 9))
    options = {"axes": "both", "keep_centre": 2}
    whole = remove_lines(image, 4, seed=[7, 8, 9, 7], **options)
    assert torch.equal(remove_lines(image, 4, seed=[7, 8, 9, 7], **options), whole)
    assert torch.equal(remove_lines(image[[2, 0]], 4, seed=[9, 7], **options), whole[[2, 0]])
    assert torch.equal(remove_lines(image[1:2], 4, seed=8, **options), whole[1:2])
    by_one_seed = remove_lines(image, 4, seed=7, **options)
    assert torch.equal(by_one_seed[:2], remove_lines(image[:2], 4, seed=7, **options))
    assert torch.equal(by_one_seed[0], whole[0])
    assert not torch.equal(by_one_seed[3], whole[3])


def test_a_generator_gives_the_same_lines_from_the_same_state_and_moves_on():
    image = torch.from_numpy(positive(2, 1, 12, 9))
    generator = torch.Generator().manual_seed(5)
    first, second = (remove_lines(image, 4, seed=generator) for _ in range(2))
    assert not torch.equal(first, second)
    both = remove_lines(image[[0, 0]], 4, seed=generator)
    assert not torch.equal(both[0], both[1])
    assert torch.equal(remove_lines(image, 4, seed=torch.Generator().manual_seed(5)), first)


def test_channels_lose_the_same_lines():
    image = positive(1, 1, 11, 8)
    twice = remove_lines(np.concatenate((image, image), axis=1), 5, seed=1)
    np.testing.assert_array_equal(twice[:, 0], twice[:, 1])


def test_kinds_and_types_are_kept():
    image = torch.randint(0, 256, (1, 1, 6, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    result = remove_lines(image, 2, seed=0)
    assert result.dtype == torch.float32
    array = remove_lines(image.numpy(), 2, seed=0)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, result.numpy())
    assert remove_lines(image.double(), 2, seed=0).dtype == torch.float64
    assert remove_lines(image.half(), 2, seed=0).dtype == torch.float32
    read_only = image.numpy()[:, :, ::-1]
    read_only.flags.writeable = False
    np.testing.assert_array_equal(remove_lines(read_only, 2, seed=0), remove_lines(read_only.copy(), 2, seed=0))


def test_what_is_left_of_nothing_is_zero_and_not_rounding():
    constant = np.full((1, 1, 7, 5), 3.7)
    seed = next(s for s in range(100) if 3 in removed_lines(constant.shape, 4, seed=s)[0][0])
    assert not remove_lines(constant, 4, seed=seed).any()
    assert not remove_lines(np.zeros((1, 1, 8, 6)), 2, seed=0, rescale="minmax").any()


def test_refuses_more_lines_than_there_are():
    image = positive(1, 1, 10, 6)
    with pytest.raises(ValueError, match="number of rows less those kept in the centre, 10 - 4, got 7"):
        remove_lines(image, 7, keep_centre=4, seed=0)
    with pytest.raises(ValueError, match="number of columns less those kept in the centre, 6 - 0, got 7"):
        remove_lines(image, 7, axes="both", seed=0)
    with pytest.raises(ValueError, match=r"rows .* 10 - 11, got 0"):
        remove_lines(image, 0, keep_centre=11, seed=0)


def test_refuses_bad_images_and_options():
    image = positive(2, 1, 10, 6)
    with pytest.raises(ValueError, match=r"shape \(batch, channel, height, width\), not empty, got \(10, 6\)"):
        remove_lines(image[0, 0], 1, seed=0)
    with pytest.raises(ValueError, match="not empty"):
        remove_lines(image[:0], 1, seed=0)
    with pytest.raises(TypeError, match="image must be a torch tensor or a numpy array, got list"):
        remove_lines([[1.0]], 1, seed=0)
    with pytest.raises(TypeError, match="image must hold real numbers, got complex128"):
        remove_lines(image + 0j, 1, seed=0)
    with pytest.raises(TypeError, match=r"image must hold real numbers, got torch\.complex128"):
        remove_lines(torch.from_numpy(image + 0j), 1, seed=0)
    with pytest.raises(ValueError, match="image must hold finite values, got nan"):
        remove_lines(image * np.nan, 1, seed=0)
    with pytest.raises(ValueError, match=r"image must hold values of at least 0.*before normalising"):
        remove_lines(image - 1, 1, seed=0)
    with pytest.raises(ValueError, match="axes must be one of 'rows', 'columns', 'both', got 'x'"):
        remove_lines(image, 1, seed=0, axes="x")
    with pytest.raises(ValueError, match="rescale must be one of 'max', 'minmax', got 'no'"):
        remove_lines(image, 1, seed=0, rescale="no")
    with pytest.raises(TypeError, match=r"lines must be a whole number, got 1\.0"):
        remove_lines(image, 1.0, seed=0)
    with pytest.raises(ValueError, match="keep_centre must be at least 0, got -1"):
        remove_lines(image, 1, seed=0, keep_centre=-1)
    with pytest.raises(ValueError, match="seed must be one number, or one per image: got 3 for a batch of 2"):
        remove_lines(image, 1, seed=[1, 2, 3])
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        remove_lines(image, 1, seed=-1)
    with pytest.raises(TypeError, match="seed must be a whole number, got None"):
        remove_lines(image, 1, seed=None)


def test_noise_has_the_deviation_asked_for_in_units_of_the_range():
    image = np.full((1, 1, 40, 50), 3.0)
    image[..., 0, :2] = (-1, 7)  # a range of 8; the rest lies in its middle, where nothing is cut off
    added = add_noise(image, 0.05, seed=3) - image
    assert added[..., 1:, :].std() == pytest.approx(0.4, rel=0.05)
    assert abs(added[..., 1:, :].mean()) < 0.03
    twice = add_noise(image, 0.1, seed=3) - image
    np.testing.assert_allclose(twice[..., 1:, :], 2 * added[..., 1:, :], atol=1e-12)
    strong = add_noise(image, 5.0, seed=3)
    assert (strong.min(), strong.max()) == (-1, 7)
    np.testing.assert_array_equal(add_noise(image, 0, seed=3), image)


def test_noise_of_an_image_does_not_depend_on_its_batch():
    images = positive(3, 2, 4, 5)
    together = add_noise(images, 0.1, seed=[5, 6, 7])
    np.testing.assert_array_equal(together[1:2], add_noise(images[1:2], 0.1, seed=6))
    assert not np.allclose(together[1] - images[1], together[2] - images[2])


@pytest.mark.parametrize("shape", [(2, 1, 11), (1, 2, 7, 9), (1, 1, 5, 4, 6)])
def test_blur_is_that_of_scipy(shape):
    image = positive(*shape)
    for sigma in (0.7, 2.0):
        # SciPy cuts off at int(truncate * sigma + 0.5) pixels, here at the next whole number above 4 sigma.
        truncate = np.ceil(4 * sigma) / sigma
        expected = gaussian_filter(image, (0, 0) + (sigma,) * (len(shape) - 2), mode="nearest", truncate=truncate)
        np.testing.assert_allclose(blur(image, sigma), expected, atol=1e-12)
    np.testing.assert_array_equal(blur(image, 0), image)


@pytest.mark.parametrize("corrupt", [lambda image: add_noise(image, 0.1, seed=0), lambda image: blur(image, 1)])
def test_noise_and_blur_keep_the_kind_and_refuse_what_is_no_image(corrupt):
    image = positive(1, 1, 5, 6)
    assert corrupt(image).dtype == np.float64
    assert corrupt(torch.from_numpy(image).half()).dtype == torch.float32
    np.testing.assert_array_equal(corrupt(torch.from_numpy(image)).numpy(), corrupt(image))
    with pytest.raises(ValueError, match=r"shape \(batch, channel, \*spatial\), not empty, got \(5, 6\)"):
        corrupt(image[0, 0])
    with pytest.raises(TypeError, match="tensor or a numpy array, got list"):
        corrupt([[[1.0]]])


def test_noise_and_blur_have_a_strength():
    image = positive(1, 1, 5, 6)
    for strength in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"deviation must be at least 0 and finite, got {strength}"):
            add_noise(image, strength, seed=0)
        with pytest.raises(ValueError, match=f"sigma must be at least 0 and finite, got {strength}"):
            blur(image, strength)
