"""Embedding room (floor 1): tables that stand on one another: the rows of the first come first, then those of the next.

Takes row numbers, weights and queries -> gives rows and products, as one table. The tables may be of different widths
and stored in different ways: popular ids wide or exact, rare ones narrow or in few bits.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import cast, final

import torch
from torch import Tensor, nn

from memcom_rank.embeddings.tables import Table, Tile, widened


@final
class StackedRows(Table):
    """One table of several, as wide as the widest; the last values of narrower rows are 0.

    Args:
        tables: at least one, from the first rows to the last.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        parts = list(tables)
        super().__init__(sum(table.num_rows for table in parts), max(table.width for table in parts))
        self.tables = nn.ModuleList(parts)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """See the base."""
        if rows is None:
            return torch.cat([widened(table(), self.width) for table in self.parts()])
        found, start = None, 0
        for table in self.parts():
            own = widened(table((rows - start).clamp(0, table.num_rows - 1)), self.width)
            found = own if found is None else torch.where((rows < start)[..., None], found, own)
            start += table.num_rows
        assert found is not None
        return found

    def bag(self, rows_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base: a bag of each table's own rows, the others' weighing nothing."""
        bags, start = [], 0
        for table in self.parts():
            own_BL, own_weights_BL, end = rows_BL, weights_BL, start + table.num_rows
            if start > 0:  # a graph has no operation that is not needed: on a device a lookup is made of little else
                own_BL, own_weights_BL = (rows_BL - start).clamp(min=0), own_weights_BL * (rows_BL >= start)
            if end < self.num_rows:
                own_BL, own_weights_BL = own_BL.clamp(max=table.num_rows - 1), own_weights_BL * (rows_BL < end)
            bags.append(widened(table.bag(own_BL, own_weights_BL), self.width))
            start = end
        return sum(bags[1:], start=bags[0])

    def tiles(self, size: int | list[int], first: int = 0) -> list[Tile]:
        """See the base."""
        return [partial(self._tile, pieces) for pieces in stacked_tiles(self.parts(), size, first)]

    def _tile(self, pieces: Sequence[tuple[int, Tile]], queries_BW: Tensor) -> Tensor:
        widths = [table.width for table in self.parts()]
        return torch.cat([tile(queries_BW[:, : widths[number]]) for number, tile in pieces], dim=1)

    def parts(self) -> list[Table]:
        """Return the tables."""
        return [cast(Table, table) for table in self.tables]


def stacked_tiles(tables: Sequence[Table], size: int | list[int], first: int = 0) -> list[list[tuple[int, Tile]]]:
    """Return the pieces of each tile of stacked tables: a table's number, and what makes the products of its rows.

    Args:
        tables, size, first: as for `StackedRows`.
    """
    end = sum(table.num_rows for table in tables)
    sizes = [min(size, end - at) for at in range(first, end, size)] if isinstance(size, int) else size
    cuts = list(accumulate(sizes, initial=first))
    pieces: list[list[tuple[int, Tile]]] = [[] for _ in sizes]
    start = 0
    for number, table in enumerate(tables):
        inside = [(max(a - start, 0), min(b - start, table.num_rows)) for a, b in pairwise(cuts)]
        own = [(n, left, right) for n, (left, right) in enumerate(inside) if left < right]
        if own:
            made = table.tiles([right - left for _, left, right in own], own[0][1])
            for (n, _, _), tile in zip(own, made, strict=True):
                pieces[n].append((number, tile))
        start += table.num_rows
    return pieces
