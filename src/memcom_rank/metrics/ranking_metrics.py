"""Metrics room (floor 1): all ranking metrics of an evaluation, from one pass over the scores.

Takes scores and held-out games of batches of users -> gives {"ndcg@10": ..., "ndcg": ..., "mrr": ..., ...}.
"""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from torchmetrics import Metric

from memcom_rank.contract.errors import ConfigError
from memcom_rank.metrics.coverage import Coverage
from memcom_rank.metrics.graded_ndcg import GradedNDCG
from memcom_rank.metrics.mrr import MRR
from memcom_rank.metrics.ndcg import NDCG
from memcom_rank.metrics.recall import Recall
from memcom_rank.metrics.target_ranks import TargetRanks, rank_targets, top_games
from memcom_rank.metrics.user_mean import UserMean


class RankingMetrics(nn.Module):
    """Every metric of the project at every cutoff; ranks are computed once per batch.

    Keys: `ndcg@k`, `graded_ndcg@k` for each k (`ndcg`, `graded_ndcg` for the full catalogue), `recall@k` and
    `coverage@k` for each finite k, and `mrr`. As an attribute of a LightningModule it follows the device; `compute`
    sums over ranks, so every rank must call it.

    Args:
        ks: cutoffs; None is the full catalogue.
        num_ids: ids of the vocabulary, padding and unknown included.
        kwargs: options of `torchmetrics.Metric`; `sync_on_compute=False` where one rank evaluates alone.

    Raises:
        ConfigError: no cutoff, one below 1, or one given twice.
    """

    def __init__(self, ks: Sequence[int | None], num_ids: int, **kwargs: Any) -> None:
        super().__init__()
        if not ks or len(set(ks)) < len(ks) or any(k is not None and k < 1 for k in ks):
            raise ConfigError(
                f"ranking cutoffs {list(ks)}",
                wanted="different whole numbers from 1, or null for the full catalogue",
                fix="set the cutoffs to, for example, [10, 20, null]",
            )
        ranked: dict[str, Metric] = {"mrr": MRR(**kwargs)}
        covered: dict[str, Metric] = {}
        for k in ks:
            at = "" if k is None else f"@{k}"
            ranked[f"ndcg{at}"], ranked[f"graded_ndcg{at}"] = NDCG(k, **kwargs), GradedNDCG(k, **kwargs)
            if k is not None:
                ranked[f"recall{at}"], covered[f"coverage{at}"] = Recall(k, **kwargs), Coverage(k, num_ids, **kwargs)
        self.ranked, self.covered = nn.ModuleDict(ranked), nn.ModuleDict(covered)
        self.max_k = max((k for k in ks if k is not None), default=0)

    def update(self, scores_BV: Tensor, targets_BT: Tensor, grades_BT: Tensor, seen_BL: Tensor) -> TargetRanks:
        """Add a batch of users and return their ranks; arguments and errors as for `rank_targets`."""
        ranks = rank_targets(scores_BV, targets_BT, grades_BT, seen_BL)
        for metric in _metrics(self.ranked).values():
            metric.update(ranks)
        if self.covered:
            # users without held-out games are no part of the evaluation
            evaluated_B = ranks.present_BT.any(1)
            if not bool(evaluated_B.all()):
                scores_BV, seen_BL = scores_BV[evaluated_B], seen_BL[evaluated_B]
            top_ids_BN, _ = top_games(scores_BV, seen_BL, self.max_k)
            for metric in _metrics(self.covered).values():
                metric.update(top_ids_BN)
        return ranks

    def per_user(self, ranks: TargetRanks) -> dict[str, Tensor]:
        """Return the values of each user, float64 [B], by key; coverage is no metric of a user and is left out."""
        return {key: cast(UserMean, metric).values(ranks) for key, metric in self.ranked.items()}

    def keys(self) -> list[str]:
        """Return the keys of `compute`."""
        return [*self.ranked, *self.covered]

    def compute(self) -> dict[str, Tensor]:
        """Return all values over all batches and ranks, float64 scalars, by key."""
        return {key: metric.compute() for part in (self.ranked, self.covered) for key, metric in _metrics(part).items()}

    def reset(self) -> None:
        """Forget all batches."""
        for metric in [*_metrics(self.ranked).values(), *_metrics(self.covered).values()]:
            metric.reset()


def _metrics(part: nn.ModuleDict) -> dict[str, Metric]:
    return cast(dict[str, Metric], dict(part.items()))  # ModuleDict forgets the type of its values
