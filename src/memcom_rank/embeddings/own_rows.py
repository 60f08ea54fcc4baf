"""Embedding room (floor 1): what techniques share whose ids have a row each: emb(i) = T[i], and zeros up to e.

Takes a table, of whatever storage -> gives pooled histories and scores.
"""

import abc

from torch import Tensor

from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.tables import Table, Tile, widened


class OwnRows(CompressedEmbedding):
    """A technique that sets `table`, of at most `dim` values per row: a row for each id, or for each but padding."""

    table: Table

    @abc.abstractmethod
    def __init__(self, num_ids: int, dim: int) -> None:
        super().__init__(num_ids, dim)

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        rows_BL = (ids_BL - self._without()).clamp(min=0)
        return widened(self.table.bag(rows_BL, weights_BL), self.dim)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: the components that the table has."""
        return queries_BD[:, : self.table.width]

    def tiles(self, size: int) -> list[Tile]:
        """See the base."""
        return self.table.tiles(size, 1 - self._without())

    def _without(self) -> int:
        """Return how many of the first ids have no row: 1 if padding has none, else 0."""
        return self.num_ids - self.table.num_rows
