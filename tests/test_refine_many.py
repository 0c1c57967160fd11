import pytest
import torch
import torch.nn.functional as F
from torch import nn

import topoprior as tp

RING, NO_RING, NOTHING, THREE = tp.BettiPrior(1, 1), tp.BettiPrior(1, 0), tp.BettiPrior(0, 0), tp.BettiPrior(3, 0)
EITHER = tp.BettiPrior((1, 2), None)


class Blend(nn.Module):
    """A small network near the identity on logits, with any normalisation; double precision."""

    def __init__(self, normalisation=None, channels=1, own_output=False):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.normalisation = normalisation or nn.Identity()
        self.dropout = nn.Dropout(0.5)
        self.down = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.last = nn.Conv2d(8, channels, 1)
        self.own_output = own_output
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
            self.first.weight[:, :, 1, 1] = 1
            if normalisation is not None:
                self.normalisation.weight.fill_(1)
            for channel in range(channels):
                self.last.weight[channel, :4] = 0.25 * (channel + 1) / channels
        self.double()

    def forward(self, image):
        fine = self.dropout(self.normalisation(self.first(image)))
        coarse = F.interpolate(F.relu(self.down(fine)), size=fine.shape[-2:], mode="nearest")
        output = self.last(torch.cat([fine, coarse], 1))
        return torch.sigmoid(output) if self.own_output else output


def ring_image(gap=-0.6):
    """Logits of a ring, (1, 1) at 0.5, with a gap that is faint or, above 0, no gap at all."""
    image = torch.full((1, 18, 21), -3.0, dtype=torch.float64)
    image[:, 3:13, 4:15] = 2.0
    image[:, 6:10, 7:12] = -3.0
    image[:, 7:9, 12:15] = gap
    return image


def spots_image(*spots):
    image = torch.full((1, 18, 21), -3.0, dtype=torch.float64)
    for place, spot in enumerate(spots):
        image[:, 5 * place : 5 * place + 3, 3:6] = spot
    return image


# A little noise, as the equal values of a plateau are ordered by the last digit of a rounding.
NOISE = 0.1 * torch.randn(7, 1, 18, 21, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
IMAGES = NOISE + torch.stack(
    [
        ring_image(),  # takes some steps
        ring_image(0.5),  # right already
        ring_image(-2.9),  # never succeeds
        spots_image(0.5, 2.0, 0.2),
        spots_image(0.4),
        ring_image(-0.3),
        spots_image(1.0, 0.6),
    ]
)
PRIORS = [RING, RING, RING, NO_RING, NOTHING, RING, EITHER]
OPTIONS = {"activation": "sigmoid", "learning_rate": 0.02, "weight": 0.1, "max_steps": 16}


def one_by_one(network, images, priors, **options):
    return [tp.refine(network, image[None], prior, **options) for image, prior in zip(images, priors, strict=True)]


def assert_same(many, single, tolerance=1e-9):
    assert len(many) == len(single)
    for ours, theirs in zip(many, single, strict=True):
        for name in ("stop_reason", "steps", "best_step", "succeeded", "pixels_changed"):
            assert getattr(ours, name) == getattr(theirs, name), name
        for name in ("mask", "betti_before", "betti_after"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
        for name in ("output", "reference"):
            assert not getattr(ours, name).requires_grad
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=0, atol=tolerance)
        for name, values in theirs.history.items():
            assert ours.history[name] == pytest.approx(values, abs=tolerance, rel=0), name


def test_many_give_what_one_by_one_gives():
    single = one_by_one(Blend(), IMAGES, PRIORS, **OPTIONS)
    # The cases differ in all that could be mixed up.
    assert {result.stop_reason for result in single} == {"already right", "topology right", "no more steps"}
    assert len({result.steps for result in single}) >= 4
    assert any(0 < result.best_step < result.steps for result in single)
    assert {result.succeeded for result in single} == {True, False}
    for batch_size in (64, 3, 1):
        assert_same(tp.refine_many(Blend(), IMAGES, PRIORS, **OPTIONS, batch_size=batch_size), single)


@pytest.mark.parametrize(
    "normalisation",
    [nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4)],
    ids=lambda layer: type(layer).__name__,
)
def test_any_normalisation(normalisation):
    network = Blend(normalisation)
    network.train()(IMAGES + torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1)))
    many = tp.refine_many(network, IMAGES[:3], PRIORS[:3], **OPTIONS | {"max_steps": 6})
    assert any(result.steps for result in many)
    assert_same(many, one_by_one(network, IMAGES[:3], PRIORS[:3], **OPTIONS | {"max_steps": 6}))


@pytest.mark.parametrize(
    ("network", "priors", "options"),
    [
        (Blend(own_output=True), PRIORS, {"activation": None}),
        (Blend(channels=2), [[RING, NO_RING]] * 6 + [[EITHER, RING]], {}),
        (Blend(channels=3), PRIORS, {"activation": "softmax", "include_background": False}),
        (
            Blend(),
            [RING, EITHER, NO_RING, RING, EITHER, RING, THREE],
            {"construction": "V", "boundary": "foreground", "power": 1},
        ),
        (Blend(), PRIORS, {"essential": "drop", "max_bars": 4, "threshold": 0.4, "margin": 0.02, "patience": 1}),
        (Blend(), PRIORS, {"parameters": "last"}),
        (Blend(nn.GroupNorm(2, 4)), PRIORS, {"parameters": "normalisation"}),
        (Blend(), PRIORS, {"patience": None}),
        (Blend(), PRIORS, {"max_steps": 0}),
    ],
)
def test_any_option(network, priors, options):
    options = OPTIONS | {"max_steps": 8} | options
    single = [
        tp.refine(network, image[None], [prior] if isinstance(prior, list) else prior, **options)
        for image, prior in zip(IMAGES, priors, strict=True)
    ]
    assert_same(tp.refine_many(network, IMAGES, priors, **options, batch_size=4), single)


@pytest.mark.parametrize("priors", [RING, [[RING]]])
def test_one_prior_serves_all(priors):
    assert_same(
        tp.refine_many(Blend(), IMAGES[:3], priors, **OPTIONS | {"max_steps": 3}),
        one_by_one(Blend(), IMAGES[:3], [RING] * 3, **OPTIONS | {"max_steps": 3}),
    )
