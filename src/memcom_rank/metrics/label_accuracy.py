"""Metrics room (floor 1): accuracy and top-k accuracy of labels, each user counting once.

Takes scores of all labels and the true label of batches of users -> gives {"accuracy": ..., "accuracy@3": ...}. Sums
and counts are kept, so that ranks may hold different numbers of users.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from memcom_rank.contract.errors import ConfigError


class LabelAccuracy(Metric):
    """Share of users whose label is among the k that score highest.

    Of labels that score alike each is equally likely to come first: one score for all C is right k / C times.

    Args:
        k: how many labels may be named.
        kwargs: options of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    total: Tensor
    users: Tensor

    def __init__(self, k: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("users", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def values(self, scores_BC: Tensor, labels_B: Tensor) -> Tensor:
        """Return how likely each user's label is among the first k, float64 [B]: 0 or 1 where no scores are equal."""
        own_B1 = scores_BC.gather(1, labels_B[:, None])
        # so that what is not a number is a miss
        above_B, level_B = (~(scores_BC <= own_B1)).sum(1).double(), (scores_BC == own_B1).sum(1).clamp(min=1)
        return ((self.k - above_B) / level_B).clamp(0, 1)

    def update(self, scores_BC: Tensor, labels_B: Tensor) -> None:
        """Add a batch of users."""
        self.total = self.total + self.values(scores_BC, labels_B).sum()
        self.users = self.users + len(labels_B)

    def compute(self) -> Tensor:
        """Return the mean over users, float64 scalar; NaN where there was none."""
        return self.total / self.users


class LabelMetrics(nn.Module):
    """`accuracy`, and `accuracy@k` for each cutoff below the number of labels: at and above it nobody can be wrong.

    Args:
        ks: cutoffs above 1.
        num_labels: C.
        kwargs: options of `torchmetrics.Metric`; `sync_on_compute=False` where one rank evaluates alone.

    Raises:
        ConfigError: a cutoff below 2, or given twice.
    """

    def __init__(self, ks: Sequence[int], num_labels: int, **kwargs: Any) -> None:
        super().__init__()
        if len(set(ks)) < len(ks) or any(k < 2 for k in ks):
            raise ConfigError(f"cutoffs {list(ks)}", wanted="different whole numbers from 2", fix="try [3]")
        at_k = {f"accuracy@{k}": LabelAccuracy(k, **kwargs) for k in ks if k < num_labels}
        self.metrics = nn.ModuleDict({"accuracy": LabelAccuracy(1, **kwargs), **at_k})

    def update(self, scores_BC: Tensor, labels_B: Tensor) -> dict[str, Tensor]:
        """Add a batch of users; return each metric of each of them, float64 [B].

        Args:
            scores_BC: scores of all labels, higher is better.
            labels_B: int64, the true labels.
        """
        for metric in self._all().values():
            metric.update(scores_BC, labels_B)
        return {key: metric.values(scores_BC, labels_B) for key, metric in self._all().items()}

    def keys(self) -> list[str]:
        """Return the keys of `compute`."""
        return list(self.metrics)

    def compute(self) -> dict[str, Tensor]:
        """Return all values over all batches and ranks, float64 scalars, by key."""
        return {key: metric.compute() for key, metric in self._all().items()}

    def reset(self) -> None:
        """Forget all batches."""
        for metric in self._all().values():
            metric.reset()

    def _all(self) -> dict[str, LabelAccuracy]:
        return cast(dict[str, LabelAccuracy], dict(self.metrics.items()))
