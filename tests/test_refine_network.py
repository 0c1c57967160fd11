import copy
import json

import pytest
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import nn

import topoprior as tp


class Blend(nn.Module):
    """A small network with normalisation, dropout and a last layer, near the identity on logits."""

    def __init__(self, channels=1):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.normalisation = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Conv2d(4, channels, 1)
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
            self.first.weight[:, :, 1, 1] = 1
            self.normalisation.weight.fill_(1)
            self.last.weight[-1] = 0.25

    def forward(self, image):
        return self.last(self.dropout(self.normalisation(self.first(image))))


def ring_image():
    """Logits of a ring with a faint gap: (1, 0) at 0.5."""
    image = torch.full((1, 1, 24, 30), -3.0)
    image[..., 4:18, 4:18] = 2.0
    image[..., 8:14, 8:14] = -3.0
    image[..., 10:12, 14:18] = -0.6
    return image


def spot_image(spot=0.5):
    """Logits of one small faint region: (1, 0) at 0.5."""
    image = torch.full((1, 1, 24, 30), -3.0)
    image[..., 8:11, 25:28] = spot
    return image


def options(**changed):
    return {"activation": "sigmoid", "learning_rate": 0.01, "weight": 0.1, "max_steps": 300} | changed


def disk_image():
    """Logits of a large square, and of a small faint region that should not be there: (2, 0) at 0.5."""
    image = spot_image()
    image[..., 4:20, 4:20] = 3.0
    return image


@pytest.mark.parametrize(
    ("image", "before", "after"),
    [(ring_image(), (1, 0), (1, 1)), (disk_image(), (2, 0), (1, 0)), (spot_image(), (1, 0), (0, 0))],
)
def test_each_image_gets_its_own_prior(image, before, after):
    prior = tp.BettiPrior(*after)
    result = tp.refine(Blend(), image, prior, **options())
    assert result.betti_before.tolist() == [[list(before)]]
    assert (result.betti_after.tolist(), result.stop_reason) == ([[list(after)]], "topology right")
    assert tp.metrics.topological_success(result.mask, prior).item()
    assert result.pixels_changed == int((result.mask != (result.reference >= 0.5)).sum()) > 0


def test_a_small_false_region_is_suppressed_and_the_rest_stays():
    result = tp.refine(Blend(), disk_image(), tp.BettiPrior(1, 0), **options())
    assert not result.mask[..., 22:].any()
    target = torch.zeros_like(result.mask)
    target[..., 4:20, 4:20] = True
    assert tp.metrics.dice(result.mask, target) > 0.97


def test_two_large_regions_are_joined_by_a_thin_bridge():
    image = torch.full((1, 1, 30, 45), -3.0)
    image[..., 5:25, 2:14] = 3.0
    image[..., 5:25, 31:43] = 3.0
    image[..., 14:16, 14:31] = -0.8
    result = tp.refine(Blend(), image, tp.BettiPrior(1, 0), **options())
    assert result.betti_before.tolist() == [[[2, 0]]]
    assert result.betti_after.tolist() == [[[1, 0]]]
    assert result.mask[..., 16:29].any(-2).all()
    assert result.mask[..., 16:29].sum(-2).max() <= 4


@pytest.mark.parametrize("training", [True, False])
def test_the_given_network_is_untouched(training):
    network = Blend().train(training)
    network.first.weight.requires_grad_(False)
    network(ring_image()).sum().backward()  # running statistics move here, if at all, and gradients exist
    before = copy.deepcopy(network.state_dict())
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    result = tp.refine(network, ring_image(), tp.BettiPrior(1, 1), **options())
    assert result.steps > 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is gradients[name] for name, parameter in network.named_parameters())
    assert all(module.training is training for module in network.modules())
    assert [parameter.requires_grad for parameter in network.parameters()] == [False] + [True] * 5


def test_the_adapted_copy_gives_the_output_and_runs_in_evaluation_mode():
    network = Blend().train()
    result = tp.refine(network, ring_image(), tp.BettiPrior(1, 1), **options())
    assert not any(module.training for module in result.network.modules())
    assert torch.equal(result.network.normalisation.running_mean, network.normalisation.running_mean)
    with torch.no_grad():
        assert torch.equal(torch.sigmoid(result.network(ring_image())), result.output)
        assert torch.equal(torch.sigmoid(copy.deepcopy(network).eval()(ring_image())), result.reference)
    assert not result.output.requires_grad
    assert all(parameter.grad is None for parameter in result.network.parameters())
    assert [p.requires_grad for p in result.network.parameters()] == [p.requires_grad for p in network.parameters()]


def test_one_step_is_one_step_of_adam_on_equation_5():
    network, image, prior = Blend().eval(), ring_image(), tp.BettiPrior(1, 1)
    result = tp.refine(network, image, prior, activation="sigmoid", weight=0.3, learning_rate=1e-3, max_steps=1)
    twin = copy.deepcopy(network)
    reference = torch.sigmoid(network(image)).detach()
    adam = torch.optim.Adam(twin.parameters(), lr=1e-3)
    for step in range(2):
        output = torch.sigmoid(twin(image))
        fidelity = ((output - reference) ** 2).sum() / output.numel()
        topology = tp.betti_prior_loss(output, prior)
        assert result.history["fidelity"][step] == pytest.approx(fidelity.item(), abs=1e-8)
        assert result.history["topology"][step] == pytest.approx(topology.item(), abs=1e-5)
        assert result.history["loss"][step] == pytest.approx((fidelity + 0.3 * topology).item(), abs=1e-5)
        adam.zero_grad()
        (fidelity + 0.3 * topology).backward()
        adam.step()
    assert (result.steps, result.stop_reason) == (1, "no more steps")


def test_the_best_state_is_kept_not_the_last():
    """With a step too large and endless patience the run goes on past the best state."""
    outputs = []

    class Watched(Blend):
        def forward(self, image):
            output = super().forward(image)
            outputs.append(torch.sigmoid(output).detach().clone())
            return output

    prior = tp.BettiPrior(1, 1)
    result = tp.refine(Watched(), ring_image(), prior, **options(learning_rate=0.05, patience=1000, max_steps=80))
    visited = outputs[-result.steps :]  # one for each step; those before them are the reference
    right = [bool(tp.metrics.topological_success(output >= 0.5, prior)) for output in visited]
    assert any(right)
    assert not all(right)
    assert result.succeeded
    assert 0 < result.best_step < result.steps
    assert torch.equal(result.output, visited[result.best_step - 1])
    robust = [
        all(tp.metrics.topological_success(output >= level, prior) for level in (0.45, 0.5, 0.55)) for output in visited
    ]
    nearest = min(fidelity for fidelity, ok in zip(result.history["fidelity"][1:], robust, strict=True) if ok)
    assert result.history["fidelity"][result.best_step] == nearest


def test_patience_and_margin_decide_when_to_stop():
    def run(**changed):
        return tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1), **options(**changed))

    short, long = run(patience=1), run(patience=5)
    assert long.steps == short.steps + 4
    narrow, wide = run(margin=0.01, patience=1), run(margin=0.1, patience=1)
    assert narrow.steps < wide.steps
    for level in (0.4, 0.5, 0.6):
        assert tp.metrics.topological_success(wide.output >= level, tp.BettiPrior(1, 1)).item()


def test_an_already_right_output_comes_back_at_once():
    network = Blend()
    result = tp.refine(network, ring_image(), tp.BettiPrior(1, 0), **options())
    assert (result.stop_reason, result.steps, result.pixels_changed) == ("already right", 0, 0)
    assert torch.equal(result.output, result.reference)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), result.network.parameters(), strict=True))


def test_a_run_that_brings_nothing_rolls_back_to_the_reference():
    network = Blend()
    result = tp.refine(network, ring_image(), tp.BettiPrior(40, 0), **options(max_steps=5, learning_rate=1e-6))
    assert (result.succeeded, result.stop_reason, result.steps, result.best_step) == (False, "no more steps", 5, 0)
    assert torch.equal(result.output, result.reference)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), result.network.parameters(), strict=True))


def test_a_step_into_nan_stops_the_run_and_keeps_the_best_state():
    class Root(nn.Module):
        """Its scale falls below 0 at the first step of 0.5, where the square root is not a number."""

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.1))

        def forward(self, image):
            return self.scale.sqrt() * image

    image = torch.tensor([[[2.0, 0.5, 1.9, 0.2]]])
    result = tp.refine(Root(), image, tp.BettiPrior(0), weight=1, learning_rate=0.5)
    assert (result.stop_reason, result.succeeded, result.best_step) == ("not finite", False, 0)
    assert (result.steps, len(result.history["loss"])) == (1, 1)  # the step was taken; its state has no loss
    assert torch.equal(result.output, result.reference)
    assert torch.isfinite(result.network.scale)
    json.dumps(result.summary(), allow_nan=False)


FIRST = {"first.weight", "first.bias"}
NORMALISATION = {"normalisation.weight", "normalisation.bias"}
LAST = {"last.weight", "last.bias"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("all", FIRST | NORMALISATION | LAST),
        ("normalisation", NORMALISATION),
        ("last", LAST),
        ("first", FIRST),
        (["first", "last.bias"], FIRST | {"last.bias"}),
        (lambda name, parameter: parameter.ndim == 1 and name != "last.bias", NORMALISATION | {"first.bias"}),
    ],
)
def test_only_the_selected_parameters_move(parameters, expected):
    network = Blend()
    for parameter in network.parameters():
        parameter.requires_grad_(False)  # a network loaded for prediction only can be refined all the same
    result = tp.refine(network, ring_image(), tp.BettiPrior(1, 1), **options(parameters=parameters))
    assert result.best_step > 0
    adapted = dict(result.network.named_parameters())
    assert {name for name, value in network.named_parameters() if not torch.equal(value, adapted[name])} == expected
    assert not any(parameter.requires_grad for parameter in adapted.values())


def test_two_runs_give_the_same():
    first, second = (tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1), **options()) for _ in range(2))
    assert torch.equal(first.output, second.output)
    assert first.history == second.history


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_the_caller_records_no_gradients(mode):
    with mode():
        result = tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1), **options())
    assert result.succeeded


def test_softmax_channels_with_a_prior_each_or_without_the_background():
    class TwoClasses(Blend):
        def forward(self, image):
            logits = super().forward(image)
            return torch.cat((torch.zeros_like(logits), logits), dim=1)

    changed = options(activation="softmax")
    result = tp.refine(TwoClasses(), ring_image(), tp.BettiPrior(1, 1), include_background=False, **changed)
    assert result.output.shape == result.mask.shape == (1, 2, 24, 30)
    assert torch.allclose(result.output.sum(1), torch.ones(1, 24, 30))
    assert result.betti_after.tolist() == [[[1, 1]]]
    assert tp.betti_numbers(result.mask[:, 1:]).tolist() == [[[1, 1]]]
    priors = [[tp.BettiPrior(None, (0, 2)), tp.BettiPrior(1, 1)]]
    result = tp.refine(TwoClasses(), ring_image(), priors, **changed)
    assert result.succeeded
    assert result.betti_after.shape == (1, 2, 2)
    assert torch.equal(result.betti_after, tp.betti_numbers(result.output >= 0.5))


def test_threshold_and_construction_reach_the_result():
    result = tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1), **options(threshold=0.4, construction="V"))
    assert result.succeeded
    assert torch.equal(result.mask, result.output >= 0.4)
    assert tp.betti_numbers(result.output >= 0.4, construction="V").tolist() == [[[1, 1]]]


def test_a_meta_tensor_goes_in_and_plain_tensors_come_out():
    result = tp.refine(Blend(), MetaTensor(ring_image()), tp.BettiPrior(1, 1), **options())
    assert result.succeeded
    assert type(result.output) is type(result.mask) is torch.Tensor


def test_a_volume():
    network = nn.Conv3d(1, 1, 1)
    with torch.no_grad():
        network.weight.fill_(1)
        network.bias.zero_()
    image = torch.full((1, 1, 7, 8, 9), -3.0)
    image[..., 1:6, 1:6, 1:6] = 3.0
    image[..., 5, 6, 7] = 0.5
    result = tp.refine(network, image, tp.BettiPrior(1, 0, 0), **options(weight=1))
    assert result.betti_before.tolist() == [[[2, 0, 0]]]
    assert result.betti_after.tolist() == [[[1, 0, 0]]]


def test_summary_is_json():
    result = tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1), **options())
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert summary["stop_reason"] == "topology right"
    assert summary["steps"] == result.steps == len(summary["history"]["loss"]) - 1
    assert summary["betti_after"] == [[1, 1]]
    assert summary["seconds"] > 0


def test_logits_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], got values from -\d.*activation='sigmoid'"):
        tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1))


class Constant(nn.Module):
    """Returns what it is told to, whatever the image."""

    def __init__(self, output):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.output = output

    def forward(self, image):  # noqa: ARG002
        return self.output


@pytest.mark.parametrize(
    ("network", "image", "changed", "error", "message"),
    [
        (torch.sigmoid, ring_image(), {}, TypeError, "network must be a torch.nn.Module, got builtin_function"),
        (Blend(), ring_image().numpy(), {}, TypeError, "image must be a torch tensor, got ndarray"),
        (Blend(), ring_image()[0, 0], {}, ValueError, r"must have shape \(1, channel, \*spatial\), got \(24, 30\)"),
        (Blend(), ring_image().repeat(2, 1, 1, 1), {}, ValueError, r"got \(2, 1, 24, 30\).*call refine once for each"),
        (
            Blend(),
            ring_image(),
            {"activation": "softmax"},
            ValueError,
            (
                r"activation='softmax' needs at least 2 channels, got an output of shape .*: one channel goes "
                "with activation='sigmoid'"
            ),
        ),
        (Blend(), ring_image(), {"activation": "relu"}, ValueError, "'sigmoid', 'softmax' or None, got 'relu'"),
        (Blend(), ring_image(), {"parameters": "decoder"}, ValueError, "got 'decoder', which names none"),
        (Blend(), ring_image(), {"parameters": ()}, ValueError, "selects no parameter"),
        (Blend(), ring_image(), {"parameters": 3}, TypeError, "parameters must be .* a function, got 3"),
        (Blend(), ring_image(), {"parameters": [3]}, TypeError, "their names must be text, got 3"),
        (nn.Conv2d(1, 1, 1), ring_image(), {"parameters": "normalisation"}, ValueError, "selects no parameter"),
        (Blend(), ring_image(), {"include_background": False}, ValueError, "leaves no channel"),
        (Blend(), ring_image(), {"weight": float("nan")}, ValueError, "weight must be positive and finite, got nan"),
        (Blend(), ring_image(), {"construction": "W"}, ValueError, "construction must be one of 'T', 'V', got 'W'"),
        (Blend(), ring_image(), {"essential": "no"}, ValueError, "essential must be one of"),
        (Constant([1]), ring_image(), {}, TypeError, "network must return one tensor .* got list"),
        (Constant(torch.zeros(2, 1, 4, 4)), ring_image(), {}, ValueError, r"spatial\), got \(2, 1, 4, 4\)"),
        (Constant(torch.zeros(1, 1, 4, 4)), ring_image(), {}, ValueError, "does not depend on the 1 selected"),
        (Constant(torch.full((1, 1, 4, 4), torch.nan)), ring_image(), {}, ValueError, "got values from nan to nan"),
    ],
)
def test_bad_input_is_refused(network, image, changed, error, message):
    with pytest.raises(error, match=message):
        tp.refine(network, image, tp.BettiPrior(1, 1), **options(**changed))


def test_a_prior_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="2 spatial axes"):
        tp.refine(Blend(), ring_image(), tp.BettiPrior(1, 1, 0), **options())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_in_cuda_out():
    result = tp.refine(Blend().cuda(), ring_image().cuda(), tp.BettiPrior(1, 1), **options())
    assert result.succeeded
    assert result.output.is_cuda
    assert F.mse_loss(result.output, result.reference).is_cuda


def test_a_network_of_half_precision_is_refined_where_it_is_sure():
    """Logits of 9 where nothing is wanted: the sigmoid of 9 is 1 in bfloat16, without a slope."""
    network = torch.nn.Conv1d(1, 1, 1).to(torch.bfloat16)
    network.load_state_dict({"weight": torch.ones(1, 1, 1), "bias": torch.zeros(1)})
    row = torch.full((1, 1, 4), 9.0, dtype=torch.bfloat16)
    result = tp.refine(network, row, tp.BettiPrior(0), activation="sigmoid", learning_rate=0.5, max_steps=40, weight=9)
    assert (result.output.dtype, result.network.weight.dtype) == (torch.float32, torch.bfloat16)
    assert result.succeeded
