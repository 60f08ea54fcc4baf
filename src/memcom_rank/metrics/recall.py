"""Metrics room (floor 1): recall, the share of a user's held-out games that are in the top k.

Takes ranks of the held-out games -> gives hits / held-out games, unknown games counted as misses. Equal scores: the
mean over random orders.
"""

from typing import Any

import torch
from torch import Tensor

from memcom_rank.metrics.target_ranks import TargetRanks, expected_weights
from memcom_rank.metrics.user_mean import UserMean


def recall(ranks: TargetRanks, k: int) -> Tensor:
    """Return recall@k per user, float64 [B] in [0, 1]; 0 for users without held-out games.

    Divides by the number of held-out games, not by min(k, that number).

    Args:
        ranks: from `rank_targets`.
        k: cutoff.
    """
    hits_B = expected_weights(ranks, torch.ones_like, k).sum(1)
    return hits_B / ranks.present_BT.sum(1).clamp(min=1)


class Recall(UserMean):
    """Mean recall@k over users with held-out games.

    Args:
        k: cutoff.
        kwargs: options of `torchmetrics.Metric`.
    """

    def __init__(self, k: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k

    def values(self, ranks: TargetRanks) -> Tensor:
        """See the base."""
        return recall(ranks, self.k)
