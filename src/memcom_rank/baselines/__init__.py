"""Baselines room (floor 2): rankers without training steps, in one form: fit(...), score(history_BL) -> scores_BV."""

from memcom_rank.baselines.ease import Ease, gram_matrix, select_ridge
from memcom_rank.baselines.popularity import Popularity

__all__ = ["Ease", "Popularity", "gram_matrix", "select_ridge"]
