"""Tasks room (floor 3): classification of users into a few labels, as in MEmCom (arXiv 2203.10135).

History of games -> compressed embedding -> average -> dense blocks -> softmax over the labels. Widths, dropout and
learning rate are ours.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from memcom_rank.contract.errors import ConfigError, diverged
from memcom_rank.data import LabelBatch, RankingData
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.metrics import LabelMetrics
from memcom_rank.models import PaperNetwork
from memcom_rank.tasks.classifier import refuse_sampling
from memcom_rank.tasks.paper_classifier import refuse_single_users
from memcom_rank.tasks.task import Task


@final
class LabelClassifier(Task):
    """Tells a user's label (genre, churn, country, ...) from the games of its history.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included; the command line fills it in.
        num_labels: C, labels of the dataset; the command line fills it in.
        embedding: technique with its knobs, called with (num_ids, dim).
        dim: embedding width D.
        widths: of the dense blocks between pooling and the output layer.
        dropout: share of values dropped in training, after pooling and in every block.
        learning_rate: of Adam's first step; it falls to 0 over the run.
        ks: cutoffs of `accuracy@k`; those not below C are left out.
        top_k: most probable labels per user that `predict` returns.

    Raises:
        ConfigError: the dataset has no labels, or `top_k` is below 1.
    """

    role = "classifier"
    headline = "accuracy"
    validation_metrics: LabelMetrics

    def __init__(
        self,
        num_ids: int,
        num_labels: int,
        embedding: Callable[[int, int], CompressedEmbedding],
        *,
        dim: int = 64,
        widths: Sequence[int] = (),
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        ks: Sequence[int] = (3,),
        top_k: int = 1,
    ) -> None:
        if num_labels < 2:
            raise ConfigError(
                "LabelClassifier on a dataset without labels",
                wanted="a dataset built with: python -m data_prep build --source table ... --label COL",
                fix="pass its folder with --data.path; to rank games, use --config ranknet.yaml",
            )
        super().__init__(learning_rate=learning_rate, top_k=min(top_k, num_labels))
        self.network = PaperNetwork(embedding(num_ids, dim), widths=widths, dropout=dropout, num_outputs=num_labels)
        self.validation_metrics, self.test_metrics = LabelMetrics(ks, num_labels), LabelMetrics(ks, num_labels)
        self.columns = tuple(self.test_metrics.keys())

    @property
    def scorer(self) -> PaperNetwork:
        """See the base."""
        return self.network

    def check(self, data: RankingData) -> None:
        """Nothing to refuse: without labels there would be no classifier."""

    def begin(self, data: RankingData) -> None:
        """Look at the batches.

        Raises:
            ConfigError: negatives or graded pairs are drawn, or batch normalisation would see one user at a time.
        """
        refuse_sampling(data)
        refuse_single_users(data)

    def forward(self, history_BL: Tensor) -> Tensor:
        """Return scores [B, C] of all labels for histories of ids padded with 0; fp32 also under autocast."""
        scores_BC: Tensor = self.network(history_BL)
        return scores_BC.float()

    def training_step(self, batch: LabelBatch, batch_index: int) -> Tensor:
        """Return and log the cross entropy, every user counting 1."""
        torch.manual_seed(batch.seed)  # dropout: a step taken again, after a crash say, is the same step
        loss = cross_entropy(self(batch.history), batch.labels)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: LabelBatch, batch_index: int) -> None:
        """Add a batch of validation users to the metrics."""
        self.validation_metrics.update(self._scores(batch), batch.labels)

    def on_validation_epoch_end(self) -> None:
        """Log `val/accuracy` and the other metrics, over all ranks."""
        self._log_metrics("val", self.validation_metrics)

    def test_step(self, batch: LabelBatch, batch_index: int) -> dict[str, Tensor]:
        """Add a batch of test users to the metrics; return their rows [B] under "row", and each metric of each [B]."""
        return {"row": batch.rows, **self.test_metrics.update(self._scores(batch), batch.labels)}

    def on_test_epoch_end(self) -> None:
        """Log `test/accuracy` and the other metrics, over all ranks."""
        self._log_metrics("test", self.test_metrics)

    def predict_step(self, batch: LabelBatch, batch_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return user rows [B], the `top_k` most probable labels [B, k] and their probabilities [B, k]."""
        probabilities_Bk, labels_Bk = self._scores(batch).softmax(1).topk(self.top_k)
        return batch.rows, labels_Bk, probabilities_Bk

    def _scores(self, batch: LabelBatch) -> Tensor:
        """Score the labels of users whose labels are told; NaN is refused, as in a ranking."""
        scores_BC: Tensor = self(batch.history)
        if bool(scores_BC.isnan().any()):
            raise diverged()
        return scores_BC
