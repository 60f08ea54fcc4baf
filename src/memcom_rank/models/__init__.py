"""Models room (floor 2): encoder + candidate side = ranker. Plain nn.Modules that know no trainer."""

from memcom_rank.models.encoder import PoolEncoder
from memcom_rank.models.ranker import Ranker

__all__ = ["PoolEncoder", "Ranker"]
