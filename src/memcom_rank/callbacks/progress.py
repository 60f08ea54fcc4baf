"""Callbacks room (floor 4): progress a person can read: a bar on a terminal, one line an epoch elsewhere."""

import sys
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar, TQDMProgressBar

MONITOR = "val/ndcg@10"


class EpochLines(ProgressBar):
    """Prints a line an epoch: logs of batch systems stay short."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._best = float("-inf")
        self._started = 0.0

    def enable(self) -> None:
        """Print (rank 0)."""
        self._enabled = True

    def disable(self) -> None:
        """Stay silent (the other ranks)."""
        self._enabled = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print loss, validation nDCG, rows per second and seconds of the epoch."""
        if self._enabled:
            print(self._line(trainer, {k: float(v) for k, v in trainer.callback_metrics.items()}), flush=True)

    def _line(self, trainer: Trainer, values: dict[str, float]) -> str:
        score = values.get(MONITOR, float("nan"))
        mark = " *" if score > self._best else ""
        self._best = max(self._best, score) if score == score else self._best
        return (
            f"epoch {trainer.current_epoch + 1:3d}/{trainer.max_epochs}"
            f"  loss {values.get('train/loss', float('nan')):.4f}"
            f"  {MONITOR} {score:.4f}{mark:2s}"
            f"  {values.get('train/rows_per_second', 0):10,.0f} rows/s"
            f"  {time.perf_counter() - self._started:5.1f} s"
        )


class EpochBar(TQDMProgressBar):
    """Lightning's bar without the version number, kept on screen epoch after epoch."""

    def __init__(self) -> None:
        super().__init__(leave=True)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Drop `v_num`, which says nothing: runs have folders."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


def progress_bar() -> ProgressBar:
    """Return the progress display for where standard output goes."""
    return EpochBar() if sys.stdout.isatty() else EpochLines()
