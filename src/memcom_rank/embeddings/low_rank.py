"""Embedding room (floor 1): the table as a product of two thin ones, emb(i) = A[i] B.

The factorised embedding of ALBERT (Lan et al. 2020, arXiv 1909.11942).
"""

from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.tables import Rows, Tile


@final
class LowRank(CompressedEmbedding):
    """`rank` numbers r per id, and B that makes vectors of them; 4 r (v + e) bytes.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        target_ratio: bytes of the full table / bytes, below `dim`; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even rank 1 fits.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self, num_ids: int, dim: int, *, target_ratio: float | None = None, budget_bytes: int | str | None = None
    ) -> None:
        super().__init__(num_ids, dim)
        row_bytes = dim * FP32_BYTES
        self.rank = largest_size(
            "LowRank",
            lambda rank: rank * (num_ids * FP32_BYTES + row_bytes),
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=min(dim, num_ids - 1),
            table=(num_ids, dim),
            smaller={"Truncated": row_bytes},
        )
        self.factors = Rows(num_ids, self.rank)
        self.rows = Rows(self.rank, dim)
        with torch.no_grad():
            self.factors.rows_MW[PADDING_ID].zero_()

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        # the narrow rows are summed, their sum is widened
        pooled_BD: Tensor = self.factors.bag(ids_BL, weights_BL) @ self.rows()
        return pooled_BD

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: the query in the narrow space."""
        return self.rows.dots(queries_BD)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: a dot product of r numbers per id."""
        return self.factors.tiles(size, 1)
