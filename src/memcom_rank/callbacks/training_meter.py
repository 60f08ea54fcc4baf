"""Callbacks room (floor 4): what an epoch of training amounts to: its mean loss, and its rows per second."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from memcom_rank.data import LabelBatch, TrainBatch


class TrainingMeter(Callback):
    """Logs `train/loss_epoch`, the mean over steps and ranks, and `train/rows_per_second`, validation not counted.

    A row is one (history, held game), whatever it is compared with, or one (history, label); rows of all ranks count.
    After a resume inside an epoch both figures cover the rest of it; where nothing was left of it, there are none.
    """

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._rows: list[Tensor] = []
        self._seconds = 0.0
        self._since: float | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting anew."""
        self._losses, self._rows, self._seconds, self._since = [], [], 0.0, time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Mapping[str, Any],  # type: ignore[override]  # what Lightning makes of our tasks' loss
        batch: TrainBatch | LabelBatch,
        batch_idx: int,
    ) -> None:
        """Keep what a step came to; not read before the end of the epoch, so that a GPU is not waited for."""
        self._losses.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)  # which Lightning divides by
        self._rows.append(batch.examples)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._stop()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock again."""
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's loss and rate."""
        self._stop()
        if not self._rows:
            return
        rate = torch.stack(self._rows).sum().float() / max(self._seconds, 1e-9)
        pl_module.log("train/rows_per_second", rate, reduce_fx="sum", sync_dist=True)
        pl_module.log("train/loss_epoch", torch.stack(self._losses).mean(), sync_dist=True)

    def _stop(self) -> None:
        if self._since is not None and self._losses:
            self._losses[-1].item()  # waits for the steps that a GPU has still to do
            self._seconds += time.perf_counter() - self._since
        self._since = None
