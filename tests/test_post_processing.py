import json
import sys

import pytest
import torch

import topoprior as tp
from topoprior.baselines import Closing, Components, DenseCRF, NoPostProcessing
from topoprior.baselines.post_processing import post_processing

EVERY_KIND = [
    NoPostProcessing(),
    Closing(radius=3),
    DenseCRF(1.0, 2.0, 3.0, 4.0, 5.0, 6, (1.5, 1.5)),
    DenseCRF(),
    Components(construction="V", boundary="foreground"),
]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_options_survive_json(kind):
    assert post_processing(json.loads(json.dumps(kind.as_dict()))) == kind


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_is_called_alike_and_leaves_its_input_alone(kind):
    probability = torch.rand(2, 1, 8, 9, generator=torch.Generator().manual_seed(0), requires_grad=True)
    before = probability.detach().clone()
    mask = kind(probability, image=torch.rand(2, 3, 8, 9), prior=tp.BettiPrior(1, 0))
    assert mask.dtype == torch.bool
    assert mask.shape == probability.shape
    assert torch.equal(probability, before)


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_kind_takes_half_and_double_precision(kind, dtype):
    probability = torch.tensor([[[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]])
    image = probability.clone()
    expected = kind(probability, image=image, prior=tp.BettiPrior(1, 0))
    assert torch.equal(kind(probability.to(dtype), image=image.to(dtype), prior=tp.BettiPrior(1, 0)), expected)


@pytest.mark.parametrize(
    "kind", [NoPostProcessing(), Closing(), DenseCRF(gaussian_weight=0, bilateral_weight=0), Components()]
)
def test_half_is_foreground(kind):
    probability = torch.tensor([[[0.49, 0.5, 0.51]]])
    mask = kind(probability, image=probability, prior=tp.BettiPrior(1))
    assert mask.tolist() == [[[False, True, True]]]


def test_options_left_out_have_their_defaults():
    assert post_processing({"name": "crf", "iterations": 2}) == DenseCRF(iterations=2)
    assert post_processing({"name": "closing"}) == Closing(radius=7)


def test_refuses_unknown_names_and_options():
    with pytest.raises(ValueError, match="one of 'none', 'closing', 'crf', 'components', got 'opening'"):
        post_processing({"name": "opening"})
    with pytest.raises(ValueError, match="got None"):
        post_processing({"radius": 7})
    with pytest.raises(ValueError, match="closing has no option 'radios': known are radius"):
        post_processing({"name": "closing", "radios": 7})
    with pytest.raises(ValueError, match="none has no option 'radius': known are none"):
        post_processing({"name": "none", "radius": 7})
    with pytest.raises(ValueError, match="got -1"):
        post_processing({"name": "closing", "radius": -1})
    with pytest.raises(TypeError, match=r"mapping such as .*, got 'closing'"):
        post_processing("closing")


@pytest.mark.parametrize(
    ("kind", "module", "message"),
    [
        (Closing(), "scipy.ndimage", "closing needs scipy"),
        (Components(), "scipy.ndimage", "components needs scipy"),
        (DenseCRF(), "pydensecrf.utils", "the CRF needs pydensecrf2"),
    ],
)
def test_a_missing_package_is_an_error_that_names_the_extra(kind, module, message, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    probability = torch.ones(1, 1, 3, 3)
    with pytest.raises(ImportError, match=rf"^{message}: pip install 'topoprior\[baselines\]'$"):
        kind(probability, image=probability, prior=tp.BettiPrior(1, 0))
