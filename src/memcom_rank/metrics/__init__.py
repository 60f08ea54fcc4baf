"""Metrics room (floor 1): full-catalogue ranking metrics with summable states. Pure tensors and torchmetrics."""

from memcom_rank.metrics.coverage import Coverage
from memcom_rank.metrics.graded_ndcg import GradedNDCG, graded_ndcg
from memcom_rank.metrics.label_accuracy import LabelAccuracy, LabelMetrics
from memcom_rank.metrics.mrr import MRR, reciprocal_rank
from memcom_rank.metrics.ndcg import NDCG, ndcg
from memcom_rank.metrics.ranking_metrics import RankingMetrics
from memcom_rank.metrics.recall import Recall, recall
from memcom_rank.metrics.target_ranks import TargetRanks, rank_targets, top_games

__all__ = [
    "MRR",
    "NDCG",
    "Coverage",
    "GradedNDCG",
    "LabelAccuracy",
    "LabelMetrics",
    "RankingMetrics",
    "Recall",
    "TargetRanks",
    "graded_ndcg",
    "ndcg",
    "rank_targets",
    "recall",
    "reciprocal_rank",
    "top_games",
]
