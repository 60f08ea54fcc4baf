"""Embedding room (floor 1): a table whose rows share those of a smaller one, by a stored map.

Takes row numbers, weights and queries -> gives rows and products: M products for a query, then a pick for each row.
"""

from functools import partial
from typing import final

from torch import Tensor

from memcom_rank.embeddings.bag import scores_of_rows
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.tables import Table, Tile


@final
class SharedTable(Table):
    """Row i is row `row_of(i)` of `rows`.

    Args:
        rows: the table that is shared.
        row_of: from the rows N of this table to those of the other.
    """

    def __init__(self, rows: Table, row_of: IdMap) -> None:
        super().__init__(row_of.num_ids, rows.width)
        self.rows = rows
        self.row_of = row_of

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        (every_N1,) = self.row_of.split(self.num_rows)
        found: Tensor = self.rows((every_N1 if rows is None else self.row_of(rows))[..., 0])
        return found

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base."""
        return self.rows.bag(self.row_of(rows_BL)[..., 0], weights_BL)

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base."""
        return [partial(self._tile, rows_T1) for rows_T1 in self.row_of.split(size, first)]

    def _tile(self, rows_T1: Tensor, queries_BW: Tensor) -> Tensor:
        return scores_of_rows(self.rows.dots(queries_BW), rows_T1[:, 0])
