"""Models room (floor 2): embedding + matcher = ranker. Plain nn.Modules that know no trainer."""

from memcom_rank.models.match import LogSumExpMatch, PoolMatch
from memcom_rank.models.ranker import Ranker

__all__ = ["LogSumExpMatch", "PoolMatch", "Ranker"]
