"""Metrics room (floor 1): mean reciprocal rank of a user's best held-out game over the whole catalogue.

Takes ranks of the held-out games -> gives the mean of 1 / position of the first hit. Equal scores: each game has the
mean of 1 / position over random orders, and the best game's mean counts. That is exact unless two held-out games of
one user have equal scores; then it is a little low.
"""

import torch
from torch import Tensor
from torch.nn import functional

from memcom_rank.metrics.target_ranks import TargetRanks, expected_weights
from memcom_rank.metrics.user_mean import UserMean


def reciprocal_rank(ranks: TargetRanks) -> Tensor:
    """Return 1 / position of the best held-out game per user, float64 [B]; 0 where none is found.

    Args:
        ranks: from `rank_targets`.
    """
    values_BT = expected_weights(ranks, torch.reciprocal, None)
    return functional.pad(values_BT, (1, 0)).amax(1)  # a column of zeros: T may be 0


class MRR(UserMean):
    """Mean reciprocal rank over users with held-out games."""

    def values(self, ranks: TargetRanks) -> Tensor:
        """See the base."""
        return reciprocal_rank(ranks)
