"""Metrics room (floor 1): graded nDCG, a held-out game counts its play-time grade.

Takes ranks of the held-out games -> gives nDCG@k with linear gain = grade (1 owned, 2.. play-time bins), the other
choices as in binary nDCG.
"""

from typing import Any

from torch import Tensor

from memcom_rank.metrics.ndcg import discounted_gain
from memcom_rank.metrics.target_ranks import TargetRanks
from memcom_rank.metrics.user_mean import UserMean


def graded_ndcg(ranks: TargetRanks, k: int | None) -> Tensor:
    """Return graded nDCG@k per user, float64 [B] in [0, 1]; 0 for users without held-out games.

    Args:
        ranks: from `rank_targets`.
        k: cutoff; None for the full catalogue.
    """
    return discounted_gain(ranks, ranks.gains_BT, k)


class GradedNDCG(UserMean):
    """Mean graded nDCG@k over users with held-out games.

    Args:
        k: cutoff; None for the full catalogue.
        kwargs: options of `torchmetrics.Metric`.
    """

    def __init__(self, k: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k

    def values(self, ranks: TargetRanks) -> Tensor:
        """See the base."""
        return graded_ndcg(ranks, self.k)
