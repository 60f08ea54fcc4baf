"""Metrics room (floor 1): binary nDCG, every held-out game counts 1.

Takes ranks of the held-out games -> gives nDCG@k with the discount 1 / log2(1 + position) of Jarvelin & Kekalainen
(2002). Equal scores: the mean over random orders, as scikit-learn's `ndcg_score`.
"""

from typing import Any

import torch
from torch import Tensor

from memcom_rank.metrics.target_ranks import TargetRanks, expected_weights
from memcom_rank.metrics.user_mean import UserMean


def discount(positions: Tensor) -> Tensor:
    """Return 1 / log2(1 + position) for positions 1, 2, ..."""
    return 1.0 / torch.log2(1.0 + positions)


def discounted_gain(ranks: TargetRanks, gains_BT: Tensor, k: int | None) -> Tensor:
    """Return DCG@k / ideal DCG@k per user, float64 [B]; 0 where the ideal is 0.

    Args:
        ranks: from `rank_targets`.
        gains_BT: float64 gain of each held-out game, 0 where not present. The ideal ranks the min(k, present) best,
            unknown games included.
        k: cutoff; None for the full catalogue.
    """
    dcg_B = (expected_weights(ranks, discount, k) * gains_BT).sum(1)
    best_BT = gains_BT.sort(dim=1, descending=True).values[:, :k]
    positions = torch.arange(1, best_BT.shape[1] + 1, dtype=torch.float64, device=best_BT.device)
    ideal_B = (best_BT * discount(positions)).sum(1)
    return torch.where(ideal_B > 0, dcg_B / ideal_B, 0.0)


def ndcg(ranks: TargetRanks, k: int | None) -> Tensor:
    """Return binary nDCG@k per user, float64 [B] in [0, 1]; 0 for users without held-out games.

    Args:
        ranks: from `rank_targets`.
        k: cutoff; None for the full catalogue.
    """
    return discounted_gain(ranks, ranks.present_BT.double(), k)


class NDCG(UserMean):
    """Mean binary nDCG@k over users with held-out games.

    Args:
        k: cutoff; None for the full catalogue.
        kwargs: options of `torchmetrics.Metric`.
    """

    def __init__(self, k: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k

    def values(self, ranks: TargetRanks) -> Tensor:
        """See the base."""
        return ndcg(ranks, self.k)
