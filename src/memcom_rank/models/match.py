"""Models room (floor 2): how a history and a game are matched. Takes histories -> gives scores of games.

A matcher never asks for a game's vector: it hands queries to `against`, which scores them against the games wanted,
chosen ones in training and the whole catalogue through the technique's own structure in evaluation.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings import CompressedEmbedding

Against = Callable[[Tensor], Tensor]  # queries [Q, D] -> scores [Q, C]
_MAX_EXPONENT = 80.0  # exp stays finite in fp32


class PoolMatch(nn.Module):
    """One query per history: score = <tanh(sum_i emb(i) / n^power), emb(game)>.

    power 1 is average pooling (MEmCom, arXiv 2203.10135); 0.5 keeps a longer history louder. An empty history has
    the zero query, so that only the per-game bias speaks: a new user gets the popular games. The cheapest matcher,
    for catalogues of any size.

    Args:
        power: how far the sum is divided by the number of games n; 0 sums, 1 averages.
        dropout: share of the query's values dropped in training.
    """

    def __init__(self, *, power: float = 0.5, dropout: float = 0.1) -> None:
        super().__init__()
        self.power, self.dropout = power, nn.Dropout(dropout)

    def forward(self, embedding: CompressedEmbedding, history_BL: Tensor, against: Against) -> Tensor:
        """Return scores [B, C] for int64 histories padded with 0."""
        return against(self.query(embedding, history_BL))

    def query(self, embedding: CompressedEmbedding, history_BL: Tensor) -> Tensor:
        """Return queries [B, D]."""
        real_BL = (history_BL != PADDING_ID).float()
        count_B1 = real_BL.sum(1, keepdim=True).clamp(min=1)
        pooled_BD = embedding.pool(history_BL, real_BL / count_B1**self.power)
        return self.dropout(torch.tanh(pooled_BD))  # type: ignore[no-any-return]


class LogSumExpMatch(nn.Module):
    """A soft maximum over the history: the game must resemble some of what was played, not the average of it.

    The first `dim - match_dim` components are pooled as in `PoolMatch`; on the last `match_dim` each game i of the
    history is compared with the game j on its own, and log-sum-exp pooling joins the comparisons:

        score(h, j) = <pooled(h), emb(j)> + log(exp(floor) + sum_i exp(<gain * emb(i), emb(j)>) / n^power)

    One pooled vector has the rank of its width; this has not, and close relatives (sequels, bundles) find each other.
    Costs distinct history games x games scored.

    Args:
        match_dim: components compared game by game.
        power, dropout: as for `PoolMatch`.
    """

    def __init__(self, *, match_dim: int, power: float = 0.5, dropout: float = 0.1) -> None:
        super().__init__()
        self.match_dim, self.power = match_dim, power
        self.pool = PoolMatch(power=power, dropout=dropout)
        self.gain = nn.Parameter(torch.ones(match_dim))
        self.floor = nn.Parameter(torch.zeros(()))

    def forward(self, embedding: CompressedEmbedding, history_BL: Tensor, against: Against) -> Tensor:
        """Return scores [B, C] for int64 histories padded with 0."""
        pooled_dim = embedding.dim - self.match_dim
        query_BD = F.pad(self.pool.query(embedding, history_BL)[:, :pooled_dim], (0, self.match_dim))
        ids_U, place_BL = torch.unique(history_BL, return_inverse=True)  # each game of the batch compared once
        single_UD = F.pad(embedding(ids_U)[:, pooled_dim:] * self.gain, (pooled_dim, 0))
        scores_BC, likeness_UC = against(query_BD), against(single_UD)
        with torch.autocast(history_BL.device.type, enabled=False):  # a sum of exponentials is no place for bf16
            real_BL = (history_BL != PADDING_ID).float()
            count_B1 = real_BL.sum(1, keepdim=True).clamp(min=1)
            near_UC = likeness_UC.float().clamp(max=_MAX_EXPONENT).exp()
            weights_BL = real_BL / count_B1**self.power
            near_BC = F.embedding_bag(place_BL, near_UC, mode="sum", per_sample_weights=weights_BL)
            return scores_BC.float() + (near_BC + self.floor.exp()).log()
