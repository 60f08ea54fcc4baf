"""Models room (floor 2): a history of games -> one query vector."""

import torch
from torch import Tensor, nn

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings import CompressedEmbedding


class PoolEncoder(nn.Module):
    """Pool the embeddings of a history, drop out, squash: query = tanh(dropout(sum_i emb(i) / n^power)).

    The pooled lookup is the technique's own fused one. power = 1 is the paper's average pooling (MEmCom, arXiv
    2203.10135); power = 0.5 keeps a longer history louder. An empty history gives the zero query, so that only the
    per-game bias speaks: a cold user gets the popular games.

    Args:
        power: how far the sum is divided by the number of games n; 0 sums, 1 averages.
        dropout: share of the pooled vector's values set to 0 in training.
    """

    def __init__(self, *, power: float = 0.5, dropout: float = 0.0) -> None:
        super().__init__()
        self.power = power
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Tensor:
        """Return queries [B, D] for histories of int64 ids padded with 0."""
        real_BL = (history_BL != PADDING_ID).to(torch.get_default_dtype())
        count_B1 = real_BL.sum(1, keepdim=True).clamp(min=1)
        pooled_BD = embedding.pool(history_BL, real_BL / count_B1**self.power)
        return torch.tanh(self.dropout(pooled_BD))
