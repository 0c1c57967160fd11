"""Networks with one fault each, and a sound one."""

import pytest
import torch
from torch import nn

import topoprior as tp
from topoprior.doctor import diagnose_network

IMAGES = torch.randn(1, 1, 8, 11, generator=torch.Generator().manual_seed(1))


class Network(nn.Module):
    """A convolution, and something done to what comes of it."""

    def __init__(self, then=lambda output: output):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layer, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 1)
        self.then = then

    def forward(self, images):
        return self.then(self.head(self.layer(images)))


def no_longer_finite(network):
    with torch.no_grad():
        network.layer.weight[0, 0, 0, 0] = float("nan")
    return network


def found(network, prior=None, **options):
    return [each.name for each in diagnose_network(network, IMAGES, prior, **{"activation": "sigmoid", **options})]


def test_nothing_is_found_in_a_sound_network():
    network = Network(lambda output: 5 * output)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert [name for name in found(network) if name != "connectivity"] == []
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("frozen", Network().requires_grad_(False)),
        ("weights not finite", no_longer_finite(Network())),
        ("network fails", nn.Conv2d(3, 1, 3, padding=1)),
        ("output", Network(lambda output: (output, output))),
        ("output of another size", Network(lambda output: output[..., ::2, ::2])),
        ("cut graph", Network(lambda output: output.detach())),
        ("cut graph", Network(lambda output: (output > 0).float())),
        ("dead gradient", Network(lambda output: torch.relu(output - 100))),
        ("image ignored", Network(lambda output: 0 * output + 1)),
        ("activated twice", Network(torch.sigmoid)),
        ("constant", Network(lambda output: 0 * output + 1)),
    ],
)
def test_each_finding_has_a_network(name, network):
    assert name in found(network)


def test_probabilities_are_asked_for():
    assert found(Network(lambda output: 50 * output), activation=None)[0] == "logits"
    assert found(Network(), activation="softmax")[0] == "softmax of one channel"


def test_parameters_that_do_nothing_are_named():
    network = Network()
    network.unused = nn.Conv2d(1, 1, 1)
    (finding,) = [
        each
        for each in diagnose_network(network, IMAGES, activation="sigmoid")
        if each.name == "parameters without a gradient"
    ]
    assert (finding.severity, finding.measured["cut"]) == ("note", 2)
    assert "unused.weight, unused.bias" in finding.what


def test_the_topology_of_the_output_is_looked_at():
    bowl = (torch.arange(8.0)[:, None] - 4) ** 2 + (torch.arange(11.0) - 5) ** 2
    disc = Network(lambda output: 1e-3 * output + 3 - bowl / 2)
    assert "no trace" in found(disc, tp.BettiPrior(1, 1))
    assert "no trace" not in found(disc, tp.BettiPrior(1, 0))
