"""Callbacks room (floor 4): progress a person can read: one line an epoch, and a bar above it on a terminal."""

import sys
import time
from typing import Any, cast

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar, TQDMProgressBar

from memcom_rank.callbacks.checkpoint import best_score
from memcom_rank.tasks import Task


class _EpochReport(ProgressBar):
    """Base: prints a line an epoch, on rank 0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._best = float("-inf")
        self._started = 0.0
        self._validated = self._is_best = False
        self._score = float("nan")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Know the best epoch of the run that this one goes on from."""
        super().on_train_start(trainer, pl_module)
        before = best_score(trainer)
        self._best = float("-inf") if before is None else before
        self._started = time.perf_counter()  # of the rest of an epoch, after a resume inside it

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        super().on_train_epoch_start(trainer, pl_module)
        self._started, self._validated = time.perf_counter(), False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Know that this epoch has a score of its own."""
        super().on_validation_end(trainer, pl_module)
        self._validated = True
        self._score = float(trainer.callback_metrics.get(_headline(pl_module), float("nan")))
        self._is_best = self._score > self._best
        self._best = self._score if self._is_best else self._best

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print loss, the validation's headline (* the best so far), rows per second and seconds of the epoch."""
        super().on_train_epoch_end(trainer, pl_module)
        values = {key: float(value) for key, value in trainer.callback_metrics.items()}
        if trainer.is_global_zero and "train/loss_epoch" in values:  # else nothing was left of it after a resume
            self.print(self._line(trainer, _headline(pl_module), values), flush=True)

    def _line(self, trainer: Trainer, headline: str, values: dict[str, float]) -> str:
        shown = f"{self._score:.4f}" if self._validated else "-"  # not an earlier epoch's
        mark = " *" if self._validated and self._is_best else ""
        of = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
        return (
            f"epoch {trainer.current_epoch + 1:3d}{of}"
            f"  loss {values.get('train/loss_epoch', float('nan')):.4f}"
            f"  {headline} {shown:>6}{mark:2s}"
            f"  {values.get('train/rows_per_second', 0):10,.0f} rows/s"
            f"  {time.perf_counter() - self._started:5.1f} s"
        )


class EpochLines(_EpochReport):
    """The lines alone: logs of batch systems stay short."""

    def enable(self) -> None:
        """Nothing to switch: only rank 0 prints."""

    def disable(self) -> None:
        """Nothing to switch: only rank 0 prints."""


class EpochBar(_EpochReport, TQDMProgressBar):
    """The lines, and Lightning's bar for the epoch that is running."""

    def __init__(self) -> None:
        super().__init__(leave=False)

    def print(self, *args: Any, sep: str = " ", flush: bool = True, **kwargs: Any) -> None:
        """Print above the bar, which has its own way of flushing."""
        super().print(*args, sep=sep, **kwargs)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Show the step's loss, and the last epoch's headline and speed."""
        known = trainer.callback_metrics
        shown = {"loss": "train/loss", _headline(pl_module): _headline(pl_module)}
        figures = {name: f"{float(known[key]):.4f}" for name, key in shown.items() if key in known}
        if (rate := known.get("train/rows_per_second")) is not None:
            figures["rows/s"] = f"{float(rate):,.0f}"
        return figures


def _headline(pl_module: LightningModule) -> str:
    return f"val/{cast(Task, pl_module).headline}"


def progress_bar() -> ProgressBar:
    """Return the progress display for where standard output goes."""
    return EpochBar() if sys.stdout.isatty() else EpochLines()
