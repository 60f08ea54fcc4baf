"""Tasks room (floor 3): what every task shares: evaluation, optimizer, log keys, and checkpoints true to their dataset.

A task adds its scorer and its loss.
"""

import abc
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from memcom_rank.contract.errors import CheckpointError
from memcom_rank.data import QueryBatch, RankingData, TrainBatch
from memcom_rank.metrics import RankingMetrics, top_games
from memcom_rank.models import Scorer


class RankingTask(LightningModule, abc.ABC):
    """Trains a scorer of games on hidden games, and measures how it ranks the whole catalogue.

    A subclass sets `self.ranker` in its constructor and implements `loss` and `begin`.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included.
        learning_rate: of Adam.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    ranker: Scorer

    def __init__(self, num_ids: int, *, learning_rate: float, ks: Sequence[int | None], top_k: int) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(logger=False)  # those of the subclass's constructor
        # settings where the command line made them; made in Python they are objects, which no checkpoint should hold
        self.remove_ignored_hparams([name for name, value in self.hparams.items() if callable(value)])
        self.learning_rate, self.top_k = learning_rate, top_k
        self.validation_metrics = RankingMetrics(ks, num_ids)
        self.test_metrics = RankingMetrics(ks, num_ids)

    @abc.abstractmethod
    def loss(self, batch: TrainBatch) -> Tensor:
        """Return the loss of a training step, a scalar."""

    @staticmethod
    def over_processes(mean: Tensor, total: Tensor) -> Tensor:
        """Scale a weighted mean so that DDP, which averages gradients over processes, gives the mean over all of them.

        Every process must call it alike.

        Args:
            mean: this process's weighted mean, a scalar.
            total: the sum of its weights, a scalar.
        """
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return mean
        own = total.detach().to(mean.dtype)
        everyone = own.clone()
        torch.distributed.all_reduce(everyone)
        return mean * (own * torch.distributed.get_world_size() / torch.where(everyone > 0, everyone, 1.0))

    @abc.abstractmethod
    def begin(self, data: RankingData) -> None:
        """Look at the dataset before training; refuse settings that do not fit this task with a ConfigError."""

    def setup(self, stage: str) -> None:
        """Let the task look at what it will train on."""
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and data is not None:
            self.begin(data)

    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, num_ids] of all games for histories of ids padded with 0."""
        scores_BV: Tensor = self.ranker(history_BL)
        return scores_BV

    def training_step(self, batch: TrainBatch, batch_index: int) -> Tensor:
        """Return and log the loss."""
        torch.manual_seed(batch.seed)  # dropout: a step taken again, after a crash say, is the same step
        loss = self.loss(batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.history))
        return loss

    def validation_step(self, batch: QueryBatch, batch_index: int) -> None:
        """Add a batch of validation users to the metrics."""
        self.validation_metrics.update(self(batch.history), batch.targets, batch.grades, batch.history)

    def on_validation_epoch_end(self) -> None:
        """Log `val/ndcg@10` and the other metrics, over all ranks."""
        self._log_metrics("val", self.validation_metrics)

    def test_step(self, batch: QueryBatch, batch_index: int) -> dict[str, Tensor]:
        """Add a batch of test users to the metrics; return their rows [B] under "row", and each metric of each [B]."""
        ranks = self.test_metrics.update(self(batch.history), batch.targets, batch.grades, batch.history)
        return {"row": batch.rows, **self.test_metrics.per_user(ranks)}

    def on_test_epoch_end(self) -> None:
        """Log `test/ndcg@10` and the other metrics, over all ranks."""
        self._log_metrics("test", self.test_metrics)

    def predict_step(self, batch: QueryBatch, batch_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return user rows [B], the best `top_k` game ids [B, k] and their scores [B, k], seen games removed."""
        ids_Bk, scores_Bk = top_games(self(batch.history), batch.history, self.top_k)
        return batch.rows, ids_Bk, scores_Bk

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, in its fused form where it can be: the fastest measured."""
        fused = not self.trainer.gradient_clip_val  # Lightning refuses to clip for it in mixed precision
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=fused)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write into the checkpoint which dataset its ids belong to."""
        checkpoint["dataset_digest"] = self._dataset_digest()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights whose ids belong to another dataset."""
        trained, here = checkpoint.get("dataset_digest"), self._dataset_digest()
        if here is not None and trained != here:
            raise CheckpointError(
                f"the checkpoint was trained on the dataset {trained}, and this one is {here}",
                wanted="the same dataset: game ids mean nothing on another one",
                fix="pass --data.path with the dataset it was trained on, or train anew",
            )

    def _dataset_digest(self) -> str | None:
        data = getattr(self._trainer, "datamodule", None)
        return None if data is None else str(data.dataset.manifest.digest)

    def _log_metrics(self, stage: str, metrics: RankingMetrics) -> None:
        values = metrics.compute()  # over all ranks; sync_dist averages equal values and spares a warning
        self.log_dict({f"{stage}/{key}": value for key, value in values.items()}, sync_dist=True)
        metrics.reset()
