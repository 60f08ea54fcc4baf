"""Baselines room (floor 2): rankers without training steps, in one form: fit(...), score(history_BL) -> scores_BV."""

from memcom_rank.baselines.bpr import Bpr
from memcom_rank.baselines.ease import Ease, gram_matrix, select_ridge
from memcom_rank.baselines.ials import Ials
from memcom_rank.baselines.item_knn import ItemKnn
from memcom_rank.baselines.label_counts import SMOOTHINGS, NaiveBayes
from memcom_rank.baselines.popularity import Popularity, popular_when_cold
from memcom_rank.baselines.search import CONTENDERS, Baseline, Trial, search, trainers

__all__ = [
    "CONTENDERS",
    "SMOOTHINGS",
    "Baseline",
    "Bpr",
    "Ease",
    "Ials",
    "ItemKnn",
    "NaiveBayes",
    "Popularity",
    "Trial",
    "gram_matrix",
    "popular_when_cold",
    "search",
    "select_ridge",
    "trainers",
]
