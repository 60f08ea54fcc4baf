"""Data room (floor 2): a dataset folder -> padded batches of this rank. Reads with pyarrow, never polars."""

from memcom_rank.data.batches import QueryBatch, TrainBatch
from memcom_rank.data.dataset import RankingDataset
from memcom_rank.data.labels import LabelBatch
from memcom_rank.data.module import RankingData

__all__ = ["LabelBatch", "QueryBatch", "RankingData", "RankingDataset", "TrainBatch"]
