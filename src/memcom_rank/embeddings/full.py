"""Embedding room (floor 1): the full table, the uncompressed twin of every comparison: emb(i) = T[i]."""

from typing import final

import torch

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.tables import Rows


@final
class Full(OwnRows):
    """One row per id.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
    """

    def __init__(self, num_ids: int, dim: int) -> None:
        super().__init__(num_ids, dim)
        self.table = Rows(num_ids, dim)
        with torch.no_grad():
            self.table.rows_MW[PADDING_ID].zero_()
