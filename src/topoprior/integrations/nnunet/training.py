"""A mixin for trainers of nnU-Net: their loss with the prior, and a line about it in their log for each epoch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch.distributed

from topoprior.integrations.nnunet.asked import Asked
from topoprior.integrations.nnunet.labels import Labels
from topoprior.integrations.nnunet.loss import PriorLoss, Tally
from topoprior.integrations.nnunet.settings import FILE, PriorSettings, settings_file


class BettiPriorMixin:
    """Adds the prior of topoprior.json to the loss of any trainer of nnU-Net; write it before the trainer.

        class nnUNetTrainerMine(BettiPriorMixin, nnUNetTrainerNoMirroring):
            pass

    Where the file is, and what is in it: `topoprior.integrations.nnunet.settings`. A copy of it goes to the folder of
    the fold. Data, augmentation, network, optimiser, deep supervision, the ignored label and the cascade are as the
    trainer has them.

    Raises:
        FileNotFoundError: When the training begins, if there are no settings.
        TypeError, ValueError: If they are wrong, or do not fit the data set.
        RuntimeError: After an epoch in which nothing was asked of any patch.
    """

    loss: Any  # these are nnU-Net's
    print_to_log_file: Any

    def _build_loss(self) -> PriorLoss:
        """nnU-Net's hook."""
        trainer: Any = self
        folder = trainer.preprocessed_dataset_folder_base
        path = settings_file(None if folder is None else Path(folder))
        settings = PriorSettings.read(path)
        try:
            axes = len(trainer.configuration_manager.patch_size)
            asked = Asked.of(settings, Labels.of(trainer.dataset_json), axes=axes)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        stated = [f"{name} {prior or 'as its label'}" for name, prior in zip(asked.names, asked.priors, strict=True)]
        self.print_to_log_file(
            f"topology: priors {'; '.join(stated)}; asked in {settings.patches} patches; weight {settings.weight:g}, "
            f"from {settings.start:.0%} of the epochs on, in full at {settings.full:.0%} ({path})"
        )
        if trainer.local_rank == 0:
            kept = Path(trainer.output_folder) / FILE
            if kept.resolve() != path.resolve():
                shutil.copyfile(path, kept)
        return PriorLoss(super()._build_loss(), asked)  # type: ignore[misc]

    def on_train_epoch_start(self) -> None:
        """nnU-Net's hook."""
        super().on_train_epoch_start()  # type: ignore[misc]
        trainer: Any = self
        self.loss.factor = self.loss.asked.settings.factor(trainer.current_epoch, trainer.num_epochs)
        self.loss.take_tally()

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's hook."""
        super().on_train_epoch_end(train_outputs)  # type: ignore[misc]
        tally = self._report("training")
        if self.loss.factor and not tally.asked:
            raise RuntimeError(
                f"the prior was asked of none of the {tally.patches} patches of this epoch: no patch holds enough of "
                f"the organ for its label to have the wanted Betti numbers, or labels have others. Look at the labels "
                f"with `topoprior audit`; take a configuration with larger patches; ask for numbers that a patch can "
                f'have (ranges, or "label"); or say "patches": "all" if you know that they hold in every patch'
            )

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's hook."""
        super().on_validation_epoch_end(val_outputs)  # type: ignore[misc]
        self._report("validation")

    def _report(self, what: str) -> Tally:
        """Write what the prior did, in all processes together, to the log."""
        trainer: Any = self
        tally: Tally = self.loss.take_tally()
        if trainer.is_ddp:
            each: list[Any] = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(each, tally)
            tally = sum(each, Tally())
        if not self.loss.factor:
            self.print_to_log_file(f"topology ({what}): the prior has not come in yet")
            return tally
        weight = self.loss.factor * self.loss.asked.settings.weight
        self.print_to_log_file(
            f"topology ({what}): loss {tally.mean:.4f}, asked of {tally.asked} of {tally.patches} patches, "
            f"weight {weight:.3g}"
        )
        for logger in getattr(trainer.logger, "loggers", []):  # those beside nnU-Net's own, such as Weights & Biases
            logger.log(f"topology_loss_{what}", tally.mean, trainer.current_epoch)
        return tally
