"""Tasks room (floor 3): the classification of MEmCom (arXiv 2203.10135), its kind of network and loss.

The yardstick beside `Classifier`: a dense output layer that no embedding compresses, and plain cross entropy. Widths,
dropout and learning rate are ours.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.data import RankingData, TrainBatch
from memcom_rank.embeddings import CompressedEmbedding
from memcom_rank.losses import softmax_loss
from memcom_rank.models import PaperNetwork
from memcom_rank.tasks.classifier import refuse_sampling
from memcom_rank.tasks.ranking import RankingTask


@final
class PaperClassifier(RankingTask):
    """Names the games that are hidden from a user's history, by a dense softmax layer.

    Args:
        num_ids: vocabulary of the dataset, padding and unknown included; the command line fills it in.
        embedding: technique with its knobs, called with (num_ids, dim).
        dim: embedding width D.
        widths: of the dense blocks between pooling and the output layer.
        dropout: share of values dropped in training, after pooling and in every block.
        learning_rate: of Adam's first step; it falls to 0 over the run.
        ks: cutoffs of the metrics; null is the full catalogue.
        top_k: games per user that `predict` returns.
    """

    def __init__(
        self,
        num_ids: int,
        embedding: Callable[[int, int], CompressedEmbedding],
        *,
        dim: int = 256,
        widths: Sequence[int] = (256,),
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        ks: Sequence[int | None] = (10, 20, None),
        top_k: int = 10,
    ) -> None:
        super().__init__(num_ids, learning_rate=learning_rate, ks=ks, top_k=top_k)
        self.ranker = PaperNetwork(embedding(num_ids, dim), widths=widths, dropout=dropout)

    def begin(self, data: RankingData) -> None:
        """Look at the batches.

        Raises:
            ConfigError: negatives or graded pairs are drawn, or batch normalisation would see one user at a time.
        """
        refuse_sampling(data)
        refuse_single_users(data)

    def loss(self, batch: TrainBatch) -> Tensor:
        """Return the cross entropy of the hidden games, every one counting 1."""
        everyone_B = torch.ones(len(batch.held), device=self.device)
        loss = softmax_loss(self(batch.history), batch.held, batch.owned, everyone_B)
        return self.over_processes(loss, (batch.held != PADDING_ID).sum())


def refuse_single_users(data: RankingData) -> None:
    """Refuse batches that cannot be normalised.

    Raises:
        ConfigError: batch normalisation would see one user at a time.
    """
    if data.batch_size < 2:
        raise ConfigError("data.batch_size is 1", wanted="2 or more for BatchNorm", fix="try 1024")
