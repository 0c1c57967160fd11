"""Images as a faster or worse acquisition would show them: lines of k-space removed, noise, blur.

Every random choice comes from the seed that is given. Nothing here knows of the rest of the package.
"""

import operator
from collections.abc import Sequence
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Axes = Literal["rows", "columns", "both"]
Rescale = Literal["max", "minmax"]
Seed = int | Sequence[int] | torch.Generator
Images = TypeVar("Images", Tensor, NDArray[Any])

_NOTHING_LEFT = 1e-12  # of the largest value: what is less is rounding, which scaling would blow up to an image


def remove_lines(
    image: Images,
    lines: int,
    *,
    seed: Seed,
    axes: Axes = "rows",
    keep_centre: int = 0,
    rescale: Rescale = "max",
) -> Images:
    """Images with lines of their spectrum set to zero, as if these had not been acquired.

    Each image is Fourier transformed with the frequency 0 in the middle (at ``size // 2``), ``lines`` of its rows,
    columns or both are drawn at random and set to zero, and the magnitude of the inverse transform is scaled to [0, 1].
    All channels of an image lose the same lines. If nothing but rounding is left, the result is 0.

    Args:
        image: Shape ``(batch, channel, height, width)``, values finite and at least 0.
        lines: How many lines are removed along each of the axes, without repetition.
        seed: A whole number of at least 0: image ``i`` of the batch depends on it and on ``i`` alone. Or one for each
            image, so that an image has the same lines in whatever batch it is. Or a generator, from which one is drawn
            for each image.
        axes: ``"rows"`` removes lines of one vertical frequency, ``"columns"`` of one horizontal frequency, ``"both"``
            ``lines`` rows and, drawn independently, ``lines`` columns.
        keep_centre: Number of lines in the middle that are never removed; they contain the frequency 0 if it is at
            least 1.
        rescale: ``"max"`` divides each image by its largest value, ``"minmax"`` also subtracts its smallest.

    Returns:
        The same kind, tensor or array, and shape, with values in [0, 1]; float64 if ``image`` is, else float32.

    Raises:
        TypeError: If ``image`` is neither tensor nor array of real numbers, or a whole number is none.
        ValueError: If a shape, value or option is wrong, or there are fewer lines than are to be removed.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12). Section 4.1: ``axes="both"``, 2 to 12 lines of 28. Section 4.2: 20 or
        60 lines of 80 in one direction, ``keep_centre=8``. The paper does not say how the second is rescaled: as the
        first is assumed. PMC9721526.

    Examples:
        All lines but those in the middle, where the mean of each column is, are removed:

        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 2.0], [2.0, 8.0], [2.0, 4.0]]]])
        >>> remove_lines(image, 3, seed=0, keep_centre=1)
        tensor([[[[0.5000, 1.0000],
                  [0.5000, 1.0000],
                  [0.5000, 1.0000],
                  [0.5000, 1.0000]]]])
    """
    _check_word("rescale", rescale, get_args(Rescale))
    values = _checked(image, planar=True)
    if bool((values < 0).any()):
        raise ValueError(
            f"image must hold values of at least 0, because the result is a magnitude, got {values.min().item()}: "
            "remove lines before normalising to mean 0"
        )
    kept = torch.ones(values.shape[0], 1, *values.shape[2:], dtype=torch.bool)
    gone = removed_lines(tuple(values.shape), lines, seed=seed, axes=axes, keep_centre=keep_centre)
    for one, (rows, columns) in zip(kept, gone, strict=True):
        one[:, rows, :] = False
        one[:, :, columns] = False
    # Rather than the spectrum to the middle, the lines are shifted to where the transform has its frequencies.
    kept = torch.fft.ifftshift(kept, dim=(-2, -1)).to(values.device)
    magnitude = torch.fft.ifft2(torch.fft.fft2(values) * kept).abs()
    if rescale == "minmax":
        magnitude = magnitude - magnitude.amin(dim=(1, 2, 3), keepdim=True)
    magnitude = torch.where(magnitude > _NOTHING_LEFT * _largest(values), magnitude, 0.0)
    return _like(image, magnitude / _largest(magnitude))


def removed_lines(
    shape: Sequence[int], lines: int, *, seed: Seed, axes: Axes = "rows", keep_centre: int = 0
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The lines that `remove_lines` removes from images of that shape.

    Args:
        shape: Of the images, ``(batch, channel, height, width)``.
        lines: As for `remove_lines`.
        seed: As for `remove_lines`.
        axes: As for `remove_lines`.
        keep_centre: As for `remove_lines`.

    Returns:
        For each image its rows and its columns, in the order in which they were drawn, as places in the spectrum with
        the frequency 0 at ``size // 2``.

    Raises:
        TypeError: If a whole number is none.
        ValueError: If an option is wrong, or there are fewer lines than are to be removed.

    Examples:
        >>> [(rows, columns)] = removed_lines((1, 1, 8, 6), 3, seed=0, keep_centre=4)
        >>> sorted(rows.tolist()), columns.tolist()
        ([1, 6, 7], [])
    """
    _check_word("axes", axes, get_args(Axes))
    batch, _, height, width = shape
    none = np.empty(0, dtype=np.int64)
    gone = []
    for stream in _seeds(seed, batch):
        random = np.random.default_rng(stream)
        rows = none if axes == "columns" else _drawn(random, height, lines, keep_centre, "rows")
        columns = none if axes == "rows" else _drawn(random, width, lines, keep_centre, "columns")
        gone.append((rows, columns))
    return gone


def add_noise(image: Images, deviation: float, *, seed: Seed) -> Images:
    """Images under Gaussian noise, cut off at the smallest and the largest value of each image.

    Args:
        image: Shape ``(batch, channel, *spatial)``, finite values.
        deviation: Standard deviation of the noise, in units of the range of each image; 0 gives the image back.
        seed: As for `remove_lines`. The same seed gives the same noise, scaled by ``deviation``.

    Returns:
        The same kind, tensor or array, and shape; float64 if ``image`` is, else float32.

    Raises:
        TypeError: If ``image`` is neither tensor nor array of real numbers.
        ValueError: If a shape or value is wrong, or ``deviation`` is negative or not finite.

    Examples:
        >>> noisy = add_noise(torch.tensor([[[2.0, 2.0, 6.0, 6.0]]]), 0.1, seed=0)
        >>> [round(value, 2) for value in noisy.flatten().tolist()]  # noise of 0.4, and none beyond 2 or 6
        [2.05, 2.0, 6.0, 6.0]
    """
    values = _checked(image, planar=False)
    _check_strength("deviation", deviation)
    low, high = _ends(values)
    draws = [np.random.default_rng(stream).standard_normal(values.shape[1:]) for stream in _seeds(seed, len(values))]
    noise = torch.from_numpy(np.stack(draws)).to(values.device)
    return _like(image, torch.clamp(values + deviation * (high - low) * noise, low, high))


def blur(image: Images, sigma: float) -> Images:
    """Images blurred by a Gaussian along all spatial axes; beyond its edge an image goes on with its last pixel.

    Args:
        image: Shape ``(batch, channel, *spatial)``, finite values.
        sigma: Standard deviation of the Gaussian in pixels, cut off at four of them; 0 gives the image back.

    Returns:
        The same kind, tensor or array, and shape; float64 if ``image`` is, else float32.

    Raises:
        TypeError: If ``image`` is neither tensor nor array of real numbers.
        ValueError: If a shape or value is wrong, or ``sigma`` is negative or not finite.

    Examples:
        >>> blurred = blur(torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]]), 0.5)
        >>> [round(value, 2) for value in blurred.flatten().tolist()]
        [0.0, 0.11, 0.79, 0.11, 0.0]
    """
    values = _checked(image, planar=False)
    _check_strength("sigma", sigma)
    reach = int(np.ceil(4 * sigma))
    places = torch.arange(-reach, reach + 1, dtype=torch.float64, device=values.device)
    weights = torch.exp(-0.5 * (places / sigma) ** 2) if sigma > 0 else torch.ones_like(places)
    weights = weights / weights.sum()
    for axis in range(2, values.ndim):
        size = values.shape[axis]
        taken = (torch.arange(size, device=values.device)[:, None] + places.long()).clamp(0, size - 1)
        values = sum(weight * values.index_select(axis, place) for weight, place in zip(weights, taken.T, strict=True))
    return _like(image, values)


def _drawn(random: np.random.Generator, size: int, lines: int, keep_centre: int, axis: str) -> NDArray[np.int64]:
    """Places of the lines that go, in a spectrum whose frequency 0 is at ``size // 2``."""
    lines, keep_centre = _count("lines", lines), _count("keep_centre", keep_centre)
    if lines > size - keep_centre:
        raise ValueError(
            f"lines must be at most the number of {axis} less those kept in the centre, "
            f"{size} - {keep_centre}, got {lines}"
        )
    first = size // 2 - keep_centre // 2
    available = np.delete(np.arange(size), np.s_[first : first + keep_centre])
    return random.choice(available, lines, replace=False)


def _seeds(seed: Seed, batch: int) -> list[np.random.SeedSequence]:
    """One independent stream per image; a lone image has the same one for ``seed=s`` and ``seed=[s]``."""
    if isinstance(seed, torch.Generator):
        drawn = torch.randint(2**62, (batch,), generator=seed, device=seed.device).tolist()
        return [np.random.SeedSequence((each, 0)) for each in drawn]
    if isinstance(seed, Sequence):
        if len(seed) != batch:
            raise ValueError(f"seed must be one number, or one per image: got {len(seed)} for a batch of {batch}")
        return [np.random.SeedSequence((_count("seed", each), 0)) for each in seed]
    return [np.random.SeedSequence((_count("seed", seed), index)) for index in range(batch)]


def _checked(image: Tensor | NDArray[Any], *, planar: bool) -> Tensor:
    """The image as a float64 tensor, after all checks."""
    if not isinstance(image, Tensor | np.ndarray):
        raise TypeError(f"image must be a torch tensor or a numpy array, got {type(image).__name__}")
    if (image.ndim != 4 if planar else image.ndim < 3) or 0 in image.shape:
        spatial = "height, width" if planar else "*spatial"
        raise ValueError(f"image must have shape (batch, channel, {spatial}), not empty, got {tuple(image.shape)}")
    if image.dtype.is_complex if isinstance(image, Tensor) else image.dtype.kind not in "fiub":
        raise TypeError(f"image must hold real numbers, got {image.dtype}")
    values = image.double() if isinstance(image, Tensor) else torch.from_numpy(image.astype(np.float64))
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"image must hold finite values, got {values[~torch.isfinite(values)][0].item()}")
    return values


def _like(image: Images, values: Tensor) -> Images:
    """The values as the image's kind, in float64 if it is and float32 else."""
    if isinstance(image, Tensor):
        return values.to(torch.float64 if image.dtype == torch.float64 else torch.float32)
    return values.numpy().astype(np.float64 if image.dtype == np.float64 else np.float32)


def _ends(values: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of each image, to compare with its pixels."""
    flat, shape = values.flatten(1), (-1,) + (1,) * (values.ndim - 1)
    return flat.amin(1).view(shape), flat.amax(1).view(shape)


def _check_strength(name: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be at least 0 and finite, got {value}")


def _largest(values: Tensor) -> Tensor:
    """Largest value of each image, over channels and pixels, to divide by: 1 where it is 0."""
    largest = values.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(largest > 0, largest, 1.0)


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    count = operator.index(value)
    if count < 0:
        raise ValueError(f"{name} must be at least 0, got {count}")
    return count


def _check_word(name: str, word: object, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {word!r}")
