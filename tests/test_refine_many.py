import copy

import pytest
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import nn

import topoprior as tp
from topoprior.refinement.copies import Copies

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


def test_the_networks_of_this_package():
    torch.manual_seed(0)
    network = tp.networks.unet(channels=(4, 8)).double()
    options = OPTIONS | {"max_steps": 3}
    many = tp.refine_many(network, IMAGES[:2], THREE, **options)
    assert all(result.steps == 3 for result in many)
    assert_same(many, one_by_one(network, IMAGES[:2], [THREE] * 2, **options))


def test_volumes():
    network = nn.Conv3d(1, 1, 3, padding=1).double()
    volumes = torch.randn(3, 1, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    prior, options = tp.BettiPrior(1, 0, 0), {"activation": "sigmoid", "max_steps": 3}
    assert_same(
        tp.refine_many(network, volumes, prior, **options), one_by_one(network, volumes, [prior] * 3, **options)
    )


def test_single_precision_differs_by_rounding_only():
    network, images = Blend().float(), IMAGES.float()
    many = tp.refine_many(network, images, PRIORS, **OPTIONS)
    assert_same(many, one_by_one(network, images, PRIORS, **OPTIONS), tolerance=1e-4)
    assert {result.output.dtype for result in many} == {torch.float32}


def test_every_copy_is_an_adam_of_its_own():
    """Three copies; the second starts again after two steps, the first leaves after three."""
    network = nn.Conv1d(2, 1, 3, padding=1).double()
    inputs = torch.randn(3, 2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    copies = Copies(network, dict(network.named_parameters()), count=3, learning_rate=0.1)
    twins = [copy.deepcopy(network) for _ in range(3)]
    adams = [torch.optim.Adam(twin.parameters(), lr=0.1) for twin in twins]
    there = [0, 1, 2]
    for step in range(6):
        if step == 2:
            copies.restart(1)
            twins[1] = copy.deepcopy(network)
            adams[1] = torch.optim.Adam(twins[1].parameters(), lr=0.1)
        if step == 3:
            copies.keep([1, 2])
            there = [1, 2]
        output = copies.predict(inputs[there])
        copies.step((output**2 - output).sum())
        for place, case in enumerate(there):
            own = twins[case](inputs[case : case + 1])
            torch.testing.assert_close(output[place : place + 1], own, rtol=0, atol=1e-12)
            adams[case].zero_grad()
            (own**2 - own).sum().backward()
            adams[case].step()
    for place, case in enumerate(there):
        for name, value in twins[case].named_parameters():
            torch.testing.assert_close(copies.weights(place)[name], value.detach(), rtol=0, atol=1e-12)


def test_what_the_output_does_not_depend_on_stays():
    network = Blend()
    network.unused = nn.Linear(2, 2).double()
    (result,) = tp.refine_many(network, IMAGES[:1], RING, **OPTIONS | {"max_steps": 2, "patience": None}, networks=True)
    assert torch.equal(result.network.unused.weight, network.unused.weight)
    assert not torch.equal(result.network.last.weight, network.last.weight)


def test_adapted_networks_come_back_if_asked_for():
    network = Blend(nn.BatchNorm2d(4)).train()
    network.first.weight.requires_grad_(False)
    results = tp.refine_many(network, IMAGES[:3], RING, **OPTIONS, networks=True, batch_size=2)
    for image, result in zip(IMAGES, results, strict=False):
        assert not any(module.training for module in result.network.modules())
        assert [p.requires_grad for p in result.network.parameters()] == [p.requires_grad for p in network.parameters()]
        with torch.no_grad():
            torch.testing.assert_close(torch.sigmoid(result.network(image[None])), result.output, rtol=0, atol=1e-12)
    assert results[0].best_step > 0
    assert tp.refine_many(network, IMAGES[:1], RING, **OPTIONS | {"max_steps": 1})[0].network is None


def test_the_given_network_is_untouched():
    network = Blend(nn.BatchNorm2d(4)).train()
    network.first.weight.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    assert any(result.steps for result in tp.refine_many(network, IMAGES[:3], RING, **OPTIONS | {"max_steps": 2}))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert [parameter.requires_grad for parameter in network.parameters()] == [False] + [True] * 7
    assert all(parameter.grad is None for parameter in network.parameters())


def test_results_hold_nothing_of_the_batch():
    """Else to keep or save one result would keep or save those of all images."""
    for result in tp.refine_many(Blend(), IMAGES, PRIORS, **OPTIONS | {"max_steps": 1}):
        for tensor in (result.output, result.mask, result.reference, result.betti_before, result.betti_after):
            assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


class Overflowing(nn.Module):
    """Gives NaN from the second state on for images whose first pixel is negative, 0.6 for others."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.0))

    def forward(self, image):
        moved = (self.weight != 0) & (image[..., :1, :1] < 0)
        return torch.where(moved, torch.nan, 0.6) + self.weight * image.abs()


def test_one_that_is_not_finite_leaves_the_others_alone():
    images = torch.rand(4, 1, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    images[1:3, ..., 0, 0] = -1
    options, prior = {"max_steps": 4, "learning_rate": 1e-3}, tp.BettiPrior(2, 0)
    many = tp.refine_many(Overflowing().double(), images, prior, **options)
    assert [result.stop_reason for result in many] == ["no more steps", "not finite", "not finite", "no more steps"]
    assert_same(many, one_by_one(Overflowing().double(), images, [prior] * 4, **options))
    assert tp.refine_many(Overflowing().double(), images[1:3], prior, **options)[1].stop_reason == "not finite"


def test_finished_images_are_not_computed_any_more(monkeypatch):
    counts = []
    predict = Copies.predict
    monkeypatch.setattr(Copies, "predict", lambda self, images: counts.append(len(images)) or predict(self, images))
    results = tp.refine_many(Blend(), IMAGES, PRIORS, **OPTIONS, batch_size=4)
    assert sum(counts) == sum(result.steps + 1 for result in results)
    assert max(counts) == 4


def test_progress_counts_the_images():
    calls = []
    tp.refine_many(Blend(), IMAGES, PRIORS, **OPTIONS | {"max_steps": 2}, progress=lambda *call: calls.append(call))
    assert calls == [(done, 7) for done in range(1, 8)]


def test_no_image_no_result():
    assert tp.refine_many(Blend(), IMAGES[:0], RING, activation="sigmoid") == []


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_nothing_else_has_gradients(mode):
    options = OPTIONS | {"max_steps": 3}
    with mode():
        many = tp.refine_many(Blend(), IMAGES + 0, PRIORS, **options)
    assert_same(many, one_by_one(Blend(), IMAGES, PRIORS, **options))


def test_metadata_is_left_behind():
    (result,) = tp.refine_many(Blend(), MetaTensor(IMAGES[:1]), RING, **OPTIONS | {"max_steps": 1})
    assert type(result.output) is torch.Tensor


def test_without_patience_refine_takes_all_steps_and_keeps_the_last():
    options = OPTIONS | {"max_steps": 5, "patience": None}
    right = tp.refine(Blend(), IMAGES[1:2], RING, **options)
    assert (right.stop_reason, right.steps, right.best_step, right.succeeded) == ("no more steps", 5, 5, True)
    wrong = tp.refine(
        Blend(), IMAGES[2:3], RING, **options
    )  # never succeeds: the rule would roll back to the reference
    assert (wrong.steps, wrong.best_step, wrong.succeeded) == (5, 5, False)
    assert not torch.equal(wrong.output, wrong.reference)
    with torch.no_grad():
        assert torch.equal(torch.sigmoid(wrong.network(IMAGES[2:3])), wrong.output)
    free = tp.refine_map(wrong.reference, RING, max_steps=5, patience=None)
    assert (free.stop_reason, free.steps, free.best_step) == ("no more steps", 5, 5)


class Hesitant(Blend):
    def forward(self, image):
        return super().forward(image) if image.max() > 100 else super().forward(image) + 0


CLASSES = tp.ClassPriors({1: (1, 0)}, classes=2)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, IMAGES, RING), {}, TypeError, "network must be a torch.nn.Module, got int"),
        ((Blend(), IMAGES.numpy(), RING), {}, TypeError, "images must be a torch tensor, got ndarray"),
        ((Blend(), IMAGES[0, 0], RING), {}, ValueError, r"images must have shape \(image, channel, \*spatial\), got"),
        ((Blend(), IMAGES, CLASSES), {}, ValueError, "got ClassPriors: call refine for each image instead"),
        ((Blend(), IMAGES, [CLASSES] * 7), {}, ValueError, "got ClassPriors: call refine for each image instead"),
        ((Blend(), IMAGES, PRIORS[:3]), {}, ValueError, "got 3 priors for a batch of 7"),
        ((Blend(), IMAGES, [[RING, RING]]), {}, ValueError, "one BettiPrior per channel"),
        ((Blend(), IMAGES, [RING] * 6 + [tp.BettiPrior(None, None)]), {}, ValueError, "must ask for something"),
        ((Blend(), IMAGES, [RING] * 6 + [tp.BettiPrior(0, 1)]), {}, ValueError, "cannot be reached"),
        ((Blend(), IMAGES, [RING] * 6 + [tp.BettiPrior(1)]), {}, ValueError, "images have 2 spatial axes"),
        ((Blend(), IMAGES, [RING] * 6 + [tp.BettiPrior(9, 0)]), {"max_bars": 5}, ValueError, "max_bars must be at"),
        ((Blend(), IMAGES, "1,1"), {}, TypeError, "prior must be a BettiPrior"),
        ((Blend(), IMAGES, RING), {"activation": None}, ValueError, "network must give probabilities"),
        ((Blend(), IMAGES, RING), {"activation": "softmax"}, ValueError, "needs at least 2 channels"),
        ((Blend(), IMAGES, RING), {"activation": "relu"}, ValueError, "activation must be"),
        ((Blend(), IMAGES, RING), {"include_background": False}, ValueError, "leaves no channel"),
        ((Blend(), IMAGES, RING), {"parameters": "encoder"}, ValueError, "names none"),
        ((Blend(), IMAGES, RING), {"batch_size": 0}, ValueError, "a whole number of images, at least 1, got 0"),
        ((Blend(), IMAGES, RING), {"batch_size": None}, TypeError, "batch_size must be a number, got None"),
        ((Blend(), IMAGES, RING), {"weight": 0}, ValueError, "weight must be positive"),
        ((nn.Flatten(), IMAGES, RING), {}, ValueError, "selects no parameter"),
        ((nn.Sequential(Blend(), nn.Flatten()), IMAGES, RING), {}, ValueError, "network must map an image of shape"),
        ((Hesitant(), IMAGES, RING), {}, ValueError, "as many copies at once, call refine for each image instead"),
    ],
)
def test_what_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        tp.refine_many(*arguments, **OPTIONS | {"max_steps": 1} | options)


def test_an_image_whose_reference_is_no_probability_is_refused_when_its_turn_comes():
    images = IMAGES.clone()
    images[5, ..., 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"network must give probabilities in \[0, 1\], got values from nan"):
        tp.refine_many(Blend(), images, RING, **OPTIONS | {"max_steps": 1}, batch_size=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    many = tp.refine_many(Blend().cuda(), IMAGES.cuda(), PRIORS, **OPTIONS, batch_size=3)
    assert {result.output.device.type for result in many} == {"cuda"}
    single = one_by_one(Blend(), IMAGES, PRIORS, **OPTIONS)
    assert [result.stop_reason for result in many] == [result.stop_reason for result in single]
    for ours, theirs in zip(many, single, strict=True):
        torch.testing.assert_close(ours.output.cpu(), theirs.output, rtol=0, atol=1e-6)
