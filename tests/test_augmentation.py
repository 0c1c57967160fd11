"""Augmentation: labels go with their images, millimetres are turned, and shares of a batch are those of the whole."""

import math

import pytest
import torch

from topoprior.training import AugmentationSettings
from topoprior.training.augmentation import draw
from topoprior.training.draws import generator

NOTHING = {"rotation": 0, "scale": 0, "shift": 0, "contrast": 0, "brightness": 0, "noise": 0}


def drawn(shape, *, spacing=None, share=slice(None), seed=0, **settings):
    return draw(
        AugmentationSettings(**{**NOTHING, **settings}),
        shape,
        spacing=spacing or (1.0,) * (len(shape) - 2),
        generator=generator(seed, "test"),
        share=share,
    )


def blob(shape, centre, radii):
    """A smooth ellipsoid: 1 at its centre."""
    axes = [torch.arange(n, dtype=torch.float32) - c for n, c in zip(shape, centre, strict=True)]
    grids = torch.meshgrid(*axes, indexing="ij")
    return torch.exp(-sum((g / r) ** 2 for g, r in zip(grids, radii, strict=True)))[None, None]


def centre_of(image):
    """Of mass, along each axis."""
    values = image[0, 0]
    return [
        float((values.sum([k for k in range(values.ndim) if k != axis]) * torch.arange(values.shape[axis])).sum())
        / float(values.sum())
        for axis in range(values.ndim)
    ]


@pytest.mark.parametrize("shape", [(3, 2, 9, 14), (2, 1, 5, 8, 6)])
def test_nothing_asked_for_changes_nothing(shape):
    images = torch.rand(shape)
    same = drawn(shape)
    assert torch.allclose(same.image(images), images, atol=1e-5)
    labels = torch.randint(0, 3, (shape[0], 1, *shape[2:])).float()
    assert torch.equal(same.maps(labels, nearest=True), labels)


@pytest.mark.parametrize("shape", [(1, 1, 41, 61), (1, 1, 31, 41, 21)])
def test_a_shift_is_a_share_of_each_side(shape):
    image = blob(shape[2:], [n // 2 for n in shape[2:]], [3.0] * (len(shape) - 2))
    change = drawn(shape, shift=0.1, seed=5)
    moved = centre_of(change.image(image))
    random = generator(5, "test")
    torch.rand(1, 1 if len(shape) == 4 else 3, generator=random)
    torch.rand(1, 1, generator=random)
    expected = 0.1 * (2 * torch.rand(1, len(shape) - 2, generator=random)[0] - 1)
    for axis, (at, side) in enumerate(zip(moved, shape[2:], strict=True)):
        # What is taken from further on appears earlier.
        assert at - side // 2 == pytest.approx(-float(expected[axis]) * side, abs=0.05)


def test_rotations_turn_millimetres_not_pixels():
    # A disc in millimetres stays that disc under any turn, although it is an ellipse in pixels.
    spacing, shape = (1.0, 2.5), (1, 1, 81, 41)
    disc = blob(shape[2:], (40, 20), (15.0, 6.0))
    turned = drawn(shape, spacing=spacing, rotation=80, seed=2).image(disc)
    assert (turned - disc).abs().max() < 0.02
    distorted = drawn(shape, spacing=(1.0, 1.0), rotation=80, seed=2).image(disc)
    assert (distorted - disc).abs().max() > 0.2


def test_a_turn_of_a_volume_keeps_distances():
    shape = (1, 1, 31, 41, 25)
    image = blob(shape[2:], (15, 28, 12), (2.0, 2.0, 2.0))
    at = centre_of(drawn(shape, rotation=60, seed=4).image(image))
    assert math.dist(at, (15, 20, 12)) == pytest.approx(8, abs=0.1)
    assert math.dist(at, (15, 28, 12)) > 1


def test_labels_go_with_their_image():
    shape = (4, 1, 48, 36)
    image = torch.zeros(shape)
    image[:, :, 10:30, 8:20] = 1
    change = drawn(shape, rotation=45, scale=0.2, shift=0.1, flip=True)
    moved, labels = change.image(image), change.maps(image, nearest=True)
    assert ((moved >= 0.5) == (labels == 1)).float().mean() > 0.995
    assert not torch.equal(labels, image)


def test_intensities_change_by_image_and_noise_by_pixel():
    images = torch.ones(200, 1, 8, 8)
    values = drawn((200, 1, 8, 8), contrast=0.2, brightness=0.1, noise=0.05).image(images)
    means = values.mean((1, 2, 3))
    assert float(means.std()) == pytest.approx(math.hypot(0.2, 0.1), rel=0.15)
    assert float(values.std((1, 2, 3)).mean()) == pytest.approx(0.05, rel=0.1)


def test_shares_of_a_batch_are_those_of_the_whole():
    images = torch.rand(6, 1, 12, 10)
    everything = AugmentationSettings(flip=True)
    settings = {name: getattr(everything, name) for name in NOTHING} | {"flip": True}
    whole = drawn(images.shape, **settings).image(images)
    parts = [drawn(images.shape, share=slice(k, k + 2), **settings).image(images[k : k + 2]) for k in (0, 2, 4)]
    assert torch.equal(whole, torch.cat(parts))


def test_negative_amounts_are_refused():
    with pytest.raises(ValueError, match=r"noise must be at least 0, got -1"):
        AugmentationSettings(noise=-1)
