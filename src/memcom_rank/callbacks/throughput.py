"""Callbacks room (floor 4): training rows per second, validation not counted."""

import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import TrainBatch


class Throughput(Callback):
    """Logs `train/rows_per_second`; a row is one (history, held game), compared with K negatives.

    Counted on this rank and multiplied by the number of ranks, whose steps are of equal size.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._seconds = 0.0
        self._since = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting anew."""
        self._rows, self._seconds, self._since = 0, 0.0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: TrainBatch, batch_idx: int
    ) -> None:
        """Count the rows of a step."""
        self._rows += int((batch.held != PADDING_ID).sum())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock and log what was reached so far in the epoch."""
        self._seconds += time.perf_counter() - self._since

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock again."""
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's rate."""
        seconds = self._seconds + time.perf_counter() - self._since
        pl_module.log("train/rows_per_second", self._rows * trainer.world_size / max(seconds, 1e-9))
