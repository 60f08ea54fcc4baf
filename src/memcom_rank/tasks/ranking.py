"""Tasks room (floor 3): what every task that ranks games shares: steps and evaluation over the whole catalogue.

A task adds its scorer and its loss.
"""

import abc
from collections.abc import Sequence

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.data import QueryBatch, RankingData, TrainBatch
from memcom_rank.metrics import RankingMetrics
from memcom_rank.models import Finder, Scorer, finder
from memcom_rank.tasks.task import Task


class RankingTask(Task):
    """Trains a scorer of games on hidden games, and measures how it ranks the whole catalogue.

    A subclass sets `self.ranker` in its constructor and implements `loss` and `begin`.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included.
        learning_rate: of Adam's first step; it falls to 0 over the run.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    role = "ranker"
    headline = "ndcg@10"
    columns = ("ndcg@10", "ndcg", "recall@10", "mrr", "coverage@10")
    ranker: Scorer
    validation_metrics: RankingMetrics
    _find: Finder

    def __init__(self, num_ids: int, *, learning_rate: float, ks: Sequence[int | None], top_k: int) -> None:
        super().__init__(learning_rate=learning_rate, top_k=top_k)
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

    @property
    def scorer(self) -> Scorer:
        """See the base."""
        return self.ranker

    def check(self, data: RankingData) -> None:
        """Look at the dataset.

        Raises:
            ConfigError: it has labels, and no held-out games.
        """
        if data.num_labels:
            raise ConfigError(
                f"{type(self).__name__} on '{data.path}', a dataset of {data.num_labels} labels",
                wanted="a dataset of held-out games, built without --label",
                fix="use --config classifier_label.yaml, or pass another --data.path",
            )

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

    def on_predict_start(self) -> None:
        """Prepare to find the best games."""
        self._find = finder(self.ranker)

    def predict_step(self, batch: QueryBatch, batch_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return user rows [B], the best `top_k` game ids [B, k] and their scores [B, k], seen games removed."""
        ids_Bk, scores_Bk = self._find(batch.history, self.top_k)
        return batch.rows, ids_Bk, scores_Bk
