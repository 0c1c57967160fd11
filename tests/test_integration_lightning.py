"""The callback and the mixin in Lightning's own Trainer, under both of its names."""

import importlib
import sys

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import topoprior as tp
from topoprior.imaging import networks
from topoprior.integrations.lightning import TopologyMetrics, TopologyPriorMixin

pytestmark = [
    # Of MONAI, when a network is made; of Lightning, which advises workers, GPUs and shorter logging intervals.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
]

RING = torch.tensor([[[1.0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]]])
GAP = torch.tensor([[[1.0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 0]]])
PIECES = torch.tensor([[[1.0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]]])
PRIOR = tp.BettiPrior(1, 1)


def pytorch(name):
    return importlib.import_module(name)


def segmenter(base):
    """A plain supervised module, as users have it."""

    class Segmenter(base):
        def __init__(self, *, learning_rate=0.01):
            super().__init__()
            self.network = networks.unet(channels=(4, 8))
            self.learning_rate = learning_rate

        def forward(self, images):
            return self.network(images)

        def training_step(self, batch, _):
            images, labels = batch
            return torch.nn.functional.binary_cross_entropy_with_logits(self(images), labels)

        def validation_step(self, batch, _):
            return {"pred": self(batch[0])}

        test_step = validation_step

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=self.learning_rate)

    return Segmenter


def given(base):
    class Module(base):
        def validation_step(self, batch, _):
            return {"pred": batch[0]}

        test_step = validation_step

    return Module()


def trainer(name, **options):
    return pytorch(name).Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def loader(*tensors, size=2):
    return DataLoader(TensorDataset(*tensors), batch_size=size)


@pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
def test_an_epoch_is_summed_up_image_by_image(name):
    metrics = TopologyMetrics(PRIOR, activation=None)
    run = trainer(name, callbacks=[metrics])
    module = given(pytorch(name).LightningModule)
    images = torch.stack([RING, GAP, PIECES])  # the last batch is smaller: means of batch means would be wrong
    (found,) = run.validate(module, loader(images), verbose=False)
    # GAP lacks its loop, PIECES has a component too many and no loop.
    expected = {"topological_success": 1 / 3, "betti_error": 1.0, "betti_error_0": 1 / 3, "betti_error_1": 2 / 3}
    assert found == pytest.approx({f"val_{key}": value for key, value in expected.items()})
    (found,) = run.test(module, loader(images), verbose=False)
    assert found == pytest.approx({f"test_{key}": value for key, value in expected.items()})


def test_every_image_may_have_its_own_prior_and_the_prediction_come_from_a_function():
    texts = ["1,1", "1,0", "1,0"]
    metrics = TopologyMetrics(
        lambda batch: [tp.BettiPrior.parse(texts[int(k)]) for k in batch[1]],
        prediction=lambda _, batch, __: 20 * batch[0] - 10,
    )
    run = trainer("lightning.pytorch", callbacks=[metrics])
    module = given(pytorch("lightning.pytorch").LightningModule)
    data = loader(torch.stack([RING, GAP, PIECES]), torch.arange(3), size=3)
    (found,) = run.validate(module, data, verbose=False)
    assert found["val_topological_success"] == pytest.approx(2 / 3)
    assert found["val_betti_error"] == pytest.approx(1 / 3)


def test_class_priors_judge_the_label_map():
    priors = tp.ClassPriors({1: (1, 1), 2: (1, 0), (1, 2): (1, 0)}, classes=3)
    closed = torch.tensor([[1, 1, 1], [1, 2, 1], [1, 1, 1]])
    broken = torch.tensor([[1, 0, 1], [1, 2, 1], [1, 1, 1]])  # only the ring itself loses its loop
    output = torch.nn.functional.one_hot(torch.stack([closed, broken]), 3).movedim(-1, 1) * 9.0
    found = TopologyMetrics(priors, activation="softmax").measure(output, priors)
    assert found == {"topological_success": 0.5, "betti_error": 0.5, "betti_error_0": 0.0, "betti_error_1": 0.5}


def test_what_is_no_prediction_is_refused():
    run = trainer("lightning.pytorch", callbacks=[TopologyMetrics(PRIOR, prediction="logits")])
    module = given(pytorch("lightning.pytorch").LightningModule)
    with pytest.raises(TypeError, match=r"network's output as 'logits', got one with \['pred'\]"):
        run.validate(module, loader(RING[None]), verbose=False)
    with pytest.raises(ValueError, match=r"prediction must hold probabilities in \[0, 1\], got values from 0.0 to 3.0"):
        TopologyMetrics(PRIOR, activation=None).measure(RING[None] * 3, PRIOR)
    with pytest.raises(ValueError, match="construction must be one of"):
        TopologyMetrics(PRIOR, construction="t")


@pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
def test_the_prior_of_unlabelled_images_is_trained_and_logged(name):
    images, masks = (torch.from_numpy(array).float() for array in tp.phantoms.ring_segmentation(4, size=40, seed=3))
    loss = tp.BettiPriorLoss(PRIOR, sigmoid=True)

    class WithPrior(TopologyPriorMixin, segmenter(pytorch(name).LightningModule)):
        def training_step(self, batch, batch_idx):
            labelled = super().training_step({**batch, "labelled": batch["labelled"]}, batch_idx)
            self.seen.append(self.trainer.callback_metrics["train_topology_loss"].item())
            return labelled

    torch.manual_seed(0)
    module = WithPrior(learning_rate=0.005, prior_loss=loss, prior_weight=0.05)
    module.seen = []
    combined = pytorch(name).utilities.CombinedLoader(
        {"labelled": loader(images[:2], masks[:2]), "unlabelled": loader(images[2:])}, "max_size_cycle"
    )
    with torch.no_grad():
        before = loss(module(images[2:])).item()
    metrics = TopologyMetrics(PRIOR)
    run = trainer(name, max_epochs=8, num_sanity_val_steps=0, callbacks=[metrics])
    run.fit(module, combined, loader(images, masks, size=4))
    with torch.no_grad():
        after = loss(module(images[2:])).item()
    assert module.seen[0] == pytest.approx(before, rel=1e-4)
    assert after < 0.8 * before
    assert {"val_topological_success", "val_betti_error", "val_betti_error_1"} <= set(run.callback_metrics)


@pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
def test_a_checkpoint_is_read_again_also_by_the_module_without_the_prior(name, tmp_path):
    class Segmenter(segmenter(pytorch(name).LightningModule)):
        def __init__(self, learning_rate):
            super().__init__(learning_rate=learning_rate)
            self.save_hyperparameters()

    class WithPrior(TopologyPriorMixin, Segmenter): ...

    images, masks = (torch.from_numpy(array).float() for array in tp.phantoms.ring_segmentation(4, size=40, seed=3))
    loss = tp.BettiPriorLoss(PRIOR, sigmoid=True)
    combined = {"labelled": loader(images[:2], masks[:2]), "unlabelled": loader(images[2:])}
    batches = pytorch(name).utilities.CombinedLoader(combined, "max_size_cycle")
    first = WithPrior(learning_rate=0.02, prior_loss=loss, prior_weight=0.05)
    assert dict(first.hparams) == {"learning_rate": 0.02, "prior_weight": 0.05, "prior_from_epoch": 0}
    run = trainer(name, max_epochs=1)
    run.fit(first, batches)
    run.save_checkpoint(tmp_path / "one.ckpt")

    again = WithPrior(learning_rate=0.02, prior_loss=loss, prior_weight=0.05)
    run = trainer(name, max_epochs=2)
    run.fit(again, batches, ckpt_path=tmp_path / "one.ckpt")
    assert (run.current_epoch, run.global_step) == (2, 2)
    whole = WithPrior.load_from_checkpoint(tmp_path / "one.ckpt", prior_loss=loss)
    plain = Segmenter.load_from_checkpoint(tmp_path / "one.ckpt")
    assert (whole.prior_weight, plain.hparams.learning_rate) == (0.05, 0.02)
    for found in (whole, plain):
        torch.testing.assert_close(found.state_dict(), first.state_dict())


def test_hyperparameters_that_the_module_leaves_out_stay_out():
    class Segmenter(segmenter(pytorch("lightning.pytorch").LightningModule)):
        def __init__(self, learning_rate, secret):
            super().__init__(learning_rate=learning_rate)
            self.secret = secret
            self.save_hyperparameters(ignore="secret")

    class WithPrior(TopologyPriorMixin, Segmenter): ...

    module = WithPrior(0.02, secret="t", prior_loss=tp.BettiPriorLoss(PRIOR))
    assert set(module.hparams) == {"learning_rate", "prior_weight", "prior_from_epoch"}


@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
def test_two_processes_tell_what_one_tells_and_learn_the_same(tmp_path):
    """Lightning forks them; they talk by gloo. The means are over the images of both."""
    name = "lightning.pytorch"
    two = {"devices": 2, "strategy": "ddp_fork", "default_root_dir": tmp_path}
    images = torch.stack([RING, GAP, PIECES, GAP])
    module = given(pytorch(name).LightningModule)
    found = [
        trainer(name, callbacks=[TopologyMetrics(PRIOR, activation=None)], **options).validate(
            module, loader(images, size=size), verbose=False
        )
        for size, options in ((4, {}), (1, two))
    ]
    assert found[1] == [pytest.approx(found[0][0])]
    assert found[0][0]["val_topological_success"] == 0.25

    class WithPrior(TopologyPriorMixin, segmenter(pytorch(name).LightningModule)):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    rings = torch.from_numpy(tp.phantoms.ring_segmentation(2, size=40, seed=3)[0]).float()
    weights = []
    for size, options in ((2, {}), (1, two)):
        torch.manual_seed(0)
        learner = WithPrior(prior_loss=tp.BettiPriorLoss(PRIOR, sigmoid=True), prior_weight=0.05)
        batches = {"labelled": loader(rings, rings, size=size), "unlabelled": loader(rings, size=size)}
        combined = pytorch(name).utilities.CombinedLoader(batches, "max_size_cycle")
        trainer(name, max_epochs=1, **options).fit(learner, combined)
        weights.append(learner.state_dict())
    torch.testing.assert_close(weights[1], weights[0])


class Base:
    """What the mixin needs of Lightning, without a trainer."""

    current_epoch = 0

    def __init__(self, loss):
        self.loss = loss
        self.logged = {}

    def __call__(self, images):
        return images

    def log(self, name, value, **_):
        self.logged[name] = value.item()

    def training_step(self, *_):
        return self.loss


class Prior(TopologyPriorMixin, Base):
    pass


def test_equation_6_in_numbers():
    images = torch.stack([RING, GAP])  # losses 0 and 1
    module = Prior(torch.tensor(2.0), prior_loss=tp.BettiPriorLoss(PRIOR), prior_weight=0.5)
    batch = {"labelled": None, "unlabelled": {"image": images}}
    assert module.training_step(batch, 0).item() == pytest.approx(2 + 0.5 * 0.5)
    assert module.logged == {"train_topology_loss": 0.5}
    for form in (images, [images, "name"]):
        assert module.training_step({**batch, "unlabelled": form}, 0).item() == pytest.approx(2.25)
    module.loss = {"loss": torch.tensor(2.0), "pred": 7}
    step = module.training_step(batch, 0)
    assert step["loss"].item() == pytest.approx(2.25)
    assert step["pred"] == 7


def test_the_prior_can_begin_later_and_differ_between_images():
    class Each(Prior):
        def topology_loss(self, prediction, batch):
            return tp.betti_prior_loss(prediction, batch["prior"])

    module = Each(torch.tensor(2.0), prior_loss=tp.BettiPriorLoss(PRIOR), prior_weight=1, prior_from_epoch=1)
    unlabelled = {"image": torch.stack([RING, GAP]), "prior": [PRIOR, tp.BettiPrior(1, 0)]}
    assert module.training_step({"labelled": None, "unlabelled": unlabelled}, 0).item() == 2
    assert module.logged == {}
    module.current_epoch = 1
    assert module.training_step({"labelled": None, "unlabelled": unlabelled}, 0).item() == 2
    assert module.logged == {"train_topology_loss": 0.0}


def test_what_cannot_be_trained_is_refused():
    loss = tp.BettiPriorLoss(PRIOR)
    with pytest.raises(ValueError, match="prior_weight must be positive, got 0"):
        Prior(None, prior_loss=loss, prior_weight=0)
    with pytest.raises(TypeError, match="prior_loss must be callable, got BettiPrior"):
        Prior(None, prior_loss=PRIOR)
    module = Prior(None, prior_loss=loss)
    with pytest.raises(TypeError, match=r"'labelled' and 'unlabelled', got \['image'\]"):
        module.training_step({"image": RING}, 0)
    with pytest.raises(ValueError, match="training_step must return a loss to which the prior is added, got NoneType"):
        module.training_step({"labelled": None, "unlabelled": RING[None]}, 0)


def test_without_lightning_the_extra_is_named(monkeypatch):
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "topoprior.integrations.lightning.metrics")
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[lightning\]'"):
        importlib.import_module("topoprior.integrations.lightning.metrics")
