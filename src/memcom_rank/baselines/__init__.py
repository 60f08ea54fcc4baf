"""Baselines room (floor 2): rankers without training steps, in one form: fit(...), score(history_BL) -> scores_BV."""

from memcom_rank.baselines.ease import Ease, gram_matrix, select_ridge
from memcom_rank.baselines.label_counts import SMOOTHINGS, NaiveBayes
from memcom_rank.baselines.popularity import Popularity

__all__ = ["SMOOTHINGS", "Ease", "NaiveBayes", "Popularity", "gram_matrix", "select_ridge"]
