"""Losses, metrics, transforms and the handler, each through MONAI's own interface."""

import importlib
import sys
import warnings

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.engines import SupervisedTrainer
from monai.handlers import IgniteMetricHandler
from monai.inferers import SlidingWindowInferer, sliding_window_inference
from monai.losses import DeepSupervisionLoss, DiceLoss
from monai.transforms import Activationsd, AsDiscreted, Compose, EnsureTyped, Invertd, Spacingd
from monai.utils import LossReduction

import topoprior as tp
from topoprior.imaging import networks
from topoprior.integrations.monai import (
    BettiErrorMetric,
    BettiPriorLoss,
    ClassPriorLoss,
    KeepTopology,
    KeepTopologyd,
    RefineTopology,
    RefineTopologyd,
    TopologicalSuccessMetric,
    TopologyPriorHandler,
)

# Of what MONAI and ignite import, and of MONAI at resampling.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRIOR = tp.BettiPrior(1, 1)
RING = torch.tensor([[[0.9, 0.9, 0.9, 0.0, 0.0], [0.9, 0.0, 0.3, 0.0, 0.6], [0.9, 0.9, 0.9, 0.0, 0.0]]])
KEPT = [[1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]]
AFFINE = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0]))


def meta(values):
    return MetaTensor(values, affine=AFFINE, meta={"filename_or_obj": "ring.nii.gz"})


class TestLosses:
    raw = torch.randn(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))

    @pytest.mark.parametrize("reduction", list(LossReduction))
    def test_reductions_in_words_of_monai(self, reduction):
        loss = BettiPriorLoss(PRIOR, softmax=True, include_background=False, reduction=reduction)
        each = tp.betti_prior_loss(torch.softmax(self.raw, 1)[:, 1:], PRIOR, reduction="none")
        expected = {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction.value]
        torch.testing.assert_close(loss(self.raw, torch.zeros(2, 3, 8, 9)), expected)

    def test_flags_mean_what_they_mean_in_monai(self):
        for flags in ({"sigmoid": True}, {"softmax": True}, {"other_act": torch.sigmoid}):
            ours = BettiPriorLoss(PRIOR, include_background=False, **flags)
            theirs = DiceLoss(include_background=False, **flags)
            assert ours(self.raw, self.raw > 0).shape == theirs(self.raw, (self.raw > 0).float()).shape
        for both in (BettiPriorLoss, ClassPriorLoss, DiceLoss):
            first = () if both is DiceLoss else (PRIOR,)
            with pytest.raises(TypeError, match="other_act must be None or callable"):
                both(*first, other_act="sigmoid")

    def test_deep_supervision_weighs_the_levels(self):
        raw = meta(self.raw).requires_grad_()
        levels = [raw, raw[..., ::2, ::2], raw[..., ::4, ::4]]
        loss = BettiPriorLoss(PRIOR, sigmoid=True)
        deep = DeepSupervisionLoss(loss, weight_mode="exp")(levels, torch.zeros(2, 3, 8, 9))
        expected = sum(weight * loss(level) for weight, level in zip((1, 0.5, 0.25), levels, strict=True))
        torch.testing.assert_close(deep.item(), expected.item())
        deep.backward()
        assert raw.grad.abs().sum() > 0

    def test_the_gradient_passes_through_sliding_windows(self):
        network = torch.nn.Conv2d(1, 1, 3, padding=1)
        image = meta(torch.rand(1, 1, 20, 17, generator=torch.Generator().manual_seed(1)))
        output = sliding_window_inference(image, (8, 8), 2, network, overlap=0.5)
        BettiPriorLoss(PRIOR, sigmoid=True)(output).backward()
        assert network.weight.grad.abs().sum() > 0


def test_metrics_at_work_in_an_engine():
    from ignite.engine import Engine

    # As MONAI's evaluators do it: lists of channel-first items, decollated.
    engine = Engine(lambda _, batch: batch)
    for name, metric in (("success", TopologicalSuccessMetric(PRIOR)), ("error", BettiErrorMetric(PRIOR))):
        IgniteMetricHandler(metric, output_transform=lambda items: (items, items)).attach(engine, name)
    kept = torch.tensor([KEPT]).float()
    state = engine.run([[meta(kept), meta((RING > 0.5).float())], [meta(kept)]])
    assert state.metrics == pytest.approx({"success": 2 / 3, "error": 2 / 3})
    assert state.metric_details["error"].flatten().tolist() == [0.0, 2.0, 0.0]


class TestItems:
    @pytest.mark.parametrize("transform", [KeepTopology(PRIOR), RefineTopology(PRIOR, weight=1, guarantee=True)])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
    def test_type_and_metadata_are_kept(self, transform, dtype):
        found = transform(meta(RING.to(dtype)))
        assert type(found) is MetaTensor
        assert found.affine.tolist() == AFFINE.tolist()
        assert found.meta["filename_or_obj"] == "ring.nii.gz"
        # The values next to the threshold have no place in half precision.
        assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert tp.betti_numbers((found >= 0.5)[None]).tolist() == [[[1, 1]]]
        array = transform(RING.to(dtype).numpy())
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(array, found.numpy())

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.uint8, torch.bool])
    def test_masks_go_in_and_come_out_in_their_own_dtype(self, dtype):
        found = KeepTopology("1,1", output="mask")((RING > 0.2).to(dtype))
        assert found.dtype == dtype
        assert found.int().tolist() == [KEPT]

    def test_every_channel_may_have_its_own_prior(self):
        found = KeepTopology(["1,1", tp.BettiPrior(2, 0)], output="mask")(torch.cat((RING, RING)))
        assert tp.betti_numbers(found[None]).tolist() == [[[1, 1], [2, 0]]]

    def test_one_hot_classes(self):
        labels = torch.tensor([[1, 1, 1, 0], [1, 2, 0, 0], [1, 1, 1, 2]])
        priors = tp.ClassPriors({1: (1, 1), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
        found = KeepTopology(priors, output="mask")(torch.nn.functional.one_hot(labels, 3).movedim(-1, 0).float())
        assert found.sum(0).eq(1).all()
        assert tp.class_topology(found[None], priors).success.item()

    def test_a_network_is_adapted_on_its_device_and_left_alone(self):
        network = torch.nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            network.weight.fill_(1.0)
            network.bias.fill_(0.0)
        image = torch.full((1, 6, 7), -2.0)
        image[:, 1:5, 1:6] = 2.0
        image[:, 2:4, 2:5] = -2.0
        image[:, 1, 3] = -0.5
        options = {"activation": "sigmoid", "weight": 1, "learning_rate": 0.05}
        found = RefineTopology(PRIOR, network=network, **options)(meta(image))
        expected = tp.refine(network, image[None], PRIOR, **options).output[0]
        torch.testing.assert_close(found.as_tensor(), expected)
        assert found.affine.tolist() == AFFINE.tolist()
        assert network.weight.item() == 1.0
        windows = SlidingWindowInferer((4, 4), sw_batch_size=3, overlap=0.5)
        patches = []

        def inferer(whole, adapted):
            return windows(whole, lambda patch: patches.append(patch.shape) or adapted(patch))

        slid = RefineTopology(PRIOR, network=network, inferer=inferer, **options)(image)
        assert set(patches) == {(3, 1, 4, 4)}
        assert tp.betti_numbers((slid >= 0.5)[None]).tolist() == [[[1, 1]]]
        torch.testing.assert_close(slid, expected, atol=1e-4, rtol=0)  # a pixel of its own: windows change nothing

    def test_what_is_not_reached_is_said(self):
        transform = RefineTopology("1,1", max_steps=0)
        with pytest.warns(RuntimeWarning, match=r"RefineTopology did not reach the prior 1,1: .*\[\[2, 0\]\]"):
            transform(RING)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = RefineTopology("1,1", max_steps=0, guarantee=True)(RING)
        assert tp.betti_numbers((found >= 0.5)[None]).tolist() == [[[1, 1]]]

    def test_bad_arguments_are_refused_at_once(self):
        with pytest.raises(TypeError, match="needs a prior"):
            KeepTopology()(RING)
        with pytest.raises(TypeError, match="prior must be a BettiPrior, text such as"):
            KeepTopology(3)
        with pytest.raises(ValueError, match="output must be one of 'probability', 'mask', got 'labels'"):
            KeepTopology(PRIOR, output="labels")
        with pytest.raises(TypeError, match="activation"):
            RefineTopology(PRIOR, activation="sigmoid")  # only networks have one
        with pytest.raises(TypeError, match="weihgt"):
            RefineTopology(PRIOR, network=torch.nn.Identity(), weihgt=1)
        with pytest.raises(ValueError, match="give network= too"):
            RefineTopology(PRIOR, inferer=SlidingWindowInferer(8))
        for priors in ({}, {"prior": PRIOR, "prior_key": "wanted"}):
            with pytest.raises(ValueError, match="either prior or prior_key"):
                KeepTopologyd("pred", **priors)


class TestDictionaries:
    def test_priors_travel_with_their_items_through_a_loader(self):
        logits = torch.logit(RING, eps=1e-3)
        items = [{"pred": logits, "wanted": wanted} for wanted in ("1,1", "2,0", "1,0")]
        loader = DataLoader(Dataset(items, EnsureTyped("pred")), batch_size=3)
        steps = Compose([
            Activationsd("pred", sigmoid=True),
            RefineTopologyd("pred", prior_key="wanted", weight=1, guarantee=True, summary_postfix="topology"),
            AsDiscreted("pred", threshold=0.5),
        ])  # fmt: skip
        found = [steps(item) for item in decollate_batch(next(iter(loader)))]
        numbers = [tp.betti_numbers(item["pred"][None])[0, 0].tolist() for item in found]
        assert numbers == [[1, 1], [2, 0], [1, 0]]
        assert [item["pred_topology"]["stop_reason"] for item in found][1] == "already right"
        assert all(item["pred_topology"]["betti_before"] == [[2, 0]] for item in found)

    def test_summaries_pass_through_a_loader(self):
        items = [{"pred": RING}, {"pred": RING.clamp(max=0.5)}, {"pred": torch.zeros(1, 3, 5)}]
        keep = KeepTopologyd("pred", "1,1", summary_postfix="topology")
        assert len({keep(item)["pred_topology"]["steps"] for item in items}) > 1
        batch = next(iter(DataLoader(Dataset(items, keep), batch_size=3)))
        assert batch["pred_topology"]["pixels_changed"].tolist() == [2, 1, 4]
        found = [item["pred_topology"] for item in decollate_batch(batch)]
        numbers = [[[int(number) for number in row] for row in one["betti_before"]] for one in found]
        assert numbers == [[[2, 0]], [[2, 0]], [[0, 0]]]
        assert [one["stop_reason"] for one in found] == ["topology right"] * 3

    def test_the_image_refines_the_prediction_of_the_network(self):
        network = torch.nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            network.weight.fill_(1.0)
            network.bias.fill_(0.0)
        image = torch.logit(RING.clamp(0.4, 0.9))
        steps = RefineTopologyd("pred", tp.BettiPrior(1), prior_key=None, network=network, activation="sigmoid")
        with pytest.raises(ValueError, match="Betti numbers"):
            steps({"image": image, "pred": RING})
        steps = RefineTopologyd("pred", "1,0", network=network, activation="sigmoid", weight=1, learning_rate=0.05)
        found = steps({"image": image, "pred": torch.zeros(1, 1)})
        assert found["image"] is image
        assert tp.betti_numbers((found["pred"] >= 0.5)[None]).tolist() == [[[1, 0]]]

    def test_spatial_transforms_are_still_undone(self):
        before = Spacingd("image", pixdim=(1.0, 1.0), mode="nearest")
        item = before({"image": meta(RING)})
        assert item["image"].shape == (1, 5, 13)
        item["pred"] = KeepTopologyd("image", "1,1")(item)["image"]
        undone = Invertd("pred", before, orig_keys="image", nearest_interp=True)(item)["pred"]
        assert undone.shape == RING.shape
        assert undone.affine.tolist() == AFFINE.tolist()

    def test_missing_keys_are_an_error_unless_allowed(self):
        with pytest.raises(KeyError, match="pred"):
            KeepTopologyd("pred", "1,1")({"other": RING})
        assert set(KeepTopologyd("pred", "1,1", allow_missing_keys=True)({"other": RING})) == {"other"}


def test_the_prior_joins_the_loss_of_a_trainer():
    images, masks = (torch.from_numpy(array).float() for array in tp.phantoms.ring_segmentation(4, size=40, seed=3))
    loss = BettiPriorLoss(PRIOR, sigmoid=True)
    torch.manual_seed(0)
    network = networks.unet(channels=(4, 8))
    with torch.no_grad():
        before = loss(network(images[2:])).item()
    seen = []
    handler = TopologyPriorHandler(loss, [{"image": images[2:]}], weight=0.05, first_epoch=2)
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=9,
        train_data_loader=[{"image": images[:2], "label": masks[:2]}],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.005),
        # Nothing is learnt from the labels: what falls, the prior lets fall.
        loss_function=lambda output, _: 0 * output.mean(),
        train_handlers=[handler],
        decollate=False,
    )
    trainer.add_event_handler("ITERATION_COMPLETED", lambda engine: seen.append(dict(engine.state.output)))
    trainer.run()
    with torch.no_grad():
        after = loss(network(images[2:])).item()
    assert "topology" not in seen[0]
    assert seen[1]["topology"].item() == pytest.approx(before, rel=1e-4)  # the first epoch moved nothing
    assert seen[1]["loss"].item() == pytest.approx(0.05 * before, rel=1e-4)
    assert after < 0.8 * before


def test_a_handler_without_sense_is_refused():
    loss = BettiPriorLoss(PRIOR)
    with pytest.raises(ValueError, match="weight must be positive, got 0"):
        TopologyPriorHandler(loss, [], weight=0)
    with pytest.raises(TypeError, match="loss must be callable, got BettiPrior"):
        TopologyPriorHandler(PRIOR, [])
    with pytest.raises(ValueError, match="unlabelled must hold at least one batch"):
        TopologyPriorHandler(loss, [])._next_images()
    with pytest.raises(TypeError, match="must be a tensor, got list"):
        TopologyPriorHandler(loss, [[RING]])._next_images()


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("transforms", "monai.transforms"),
        ("dictionary", "monai.transforms"),
        ("prior_handler", "monai.engines.utils"),
    ],
)
def test_without_monai_the_extra_is_named(monkeypatch, module, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"topoprior.integrations.monai.{module}")
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[monai\]'"):
        importlib.import_module(f"topoprior.integrations.monai.{module}")
