"""Metrics room (floor 1): the mean of a per-user value over users, batches and ranks.

Takes values of some users -> gives their mean over all users seen on all ranks. Sums and counts are kept, never
per-rank means, so that ranks may hold different numbers of users.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from memcom_rank.metrics.target_ranks import TargetRanks


class UserMean(Metric, ABC):
    """Base of the metrics that are a mean over users who have at least one held-out game.

    A metric implements `values`.

    Args:
        kwargs: options of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    total: Tensor
    users: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("users", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def values(self, ranks: TargetRanks) -> Tensor:
        """Return the metric of every user, float64 [B]."""

    def update(self, ranks: TargetRanks) -> None:
        """Add a batch of users; those without a held-out game are not counted."""
        counted_B = ranks.present_BT.any(1)
        # out of place: a float64 addend keeps the sum in float64 even if someone cast the module to half precision
        self.total = self.total + (self.values(ranks) * counted_B).sum()
        self.users = self.users + counted_B.sum()

    def compute(self) -> Tensor:
        """Return the mean over users, float64 scalar; NaN where no user was counted."""
        return self.total / self.users
