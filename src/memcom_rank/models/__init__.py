"""Models room (floor 2): embedding + matcher = ranker; embedding + dense layers = the paper's network. No trainer."""

from memcom_rank.models.finder import Finder, finder
from memcom_rank.models.match import LogSumExpMatch, Matcher, MixtureMatch, PoolMatch
from memcom_rank.models.paper_network import PaperNetwork
from memcom_rank.models.ranker import Ranker
from memcom_rank.models.scorer import Scorer

__all__ = [
    "Finder",
    "LogSumExpMatch",
    "Matcher",
    "MixtureMatch",
    "PaperNetwork",
    "PoolMatch",
    "Ranker",
    "Scorer",
    "finder",
]
