"""Embedding room (floor 1): the full table, the uncompressed twin of every comparison: emb(i) = T[i]."""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings.bag import weighted_bag
from memcom_rank.embeddings.base import CompressedEmbedding, initial_rows


@final
class Full(CompressedEmbedding):
    """One row per id.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
    """

    def __init__(self, num_ids: int, dim: int) -> None:
        super().__init__(num_ids, dim)
        self.table_VD = initial_rows(num_ids, dim)
        with torch.no_grad():
            self.table_VD[PADDING_ID].zero_()

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return weighted_bag(self.table_VD, ids_BL, weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: nothing."""
        return queries_BD

    def tiles(self, size: int) -> list[Callable[[Tensor], Tensor]]:
        """See the base."""
        # split once: the gradient of a slice per tile would each time be as long as the table
        return [partial(_tile, part_TD) for part_TD in torch.split(self.table_VD[1:], size)]


def _tile(part_TD: Tensor, queries_BD: Tensor) -> Tensor:
    return queries_BD @ part_TD.T
