"""Embedding room (floor 1): what techniques share whose vectors are made of one row of each of two tables.

    add:       emb(i) = F[f(i)] + S[s(i)]
    concat:    emb(i) = F[f(i)] and S[s(i)] side by side, each of width e / 2
    multiply:  emb(i) = F[f(i)] * S[s(i)], component by component

Takes a technique's two rows of an id -> gives pooled histories and scores. Sums of rows, also side by side, are scored
through as many dot products as there are rows; products have no such structure, so their vectors are made.
"""

import abc
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import pool_made, scores_of_bags
from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.tables import Rows, Tile


class RowPair(CompressedEmbedding):
    """A technique that implements `_rows` and makes its two tables with `_start_tables`.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        combine: how the two rows become a vector, see above.
        ways: of combining that the technique has.

    Raises:
        ConfigError: another way to combine, or an odd width that is to be halved.
    """

    def __init__(self, num_ids: int, dim: int, combine: str, ways: Sequence[str]) -> None:
        super().__init__(num_ids, dim)
        if combine not in ways:
            raise ConfigError(f"combine is {combine!r}", wanted=f"one of {', '.join(ways)}", fix="try add")
        if combine == "concat" and dim % 2:
            raise ConfigError(
                f"combine is concat and dim is {dim}", wanted="an even dim", fix="use another dim, or add"
            )
        self.combine = combine
        self.row_width = dim // 2 if combine == "concat" else dim

    def _start_tables(self, num_first: int, num_second: int) -> None:
        norm = self.dim**0.25 if self.combine == "multiply" else 0.5**0.5  # so that the vectors have norm 1
        self.first = Rows(num_first, self.row_width, norm=norm)
        self.second = Rows(num_second, self.row_width, norm=norm)

    @abc.abstractmethod
    def _rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two rows of int32 ids of any shape from 1 on (0 may come: any row will do): int32, that shape."""

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        if self.combine == "multiply":
            return pool_made(self._products, ids_BL, weights_BL)
        first_BL, second_BL = self._rows(ids_BL)
        first_BD = self.first.bag(first_BL, weights_BL)
        second_BD = self.second.bag(second_BL, weights_BL)
        return first_BD + second_BD if self.combine == "add" else torch.cat([first_BD, second_BD], dim=1)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: a dot product per row; for products of rows nothing."""
        if self.combine == "multiply":
            return queries_BD
        first_BD, second_BD = queries_BD.chunk(2, dim=1) if self.combine == "concat" else (queries_BD, queries_BD)
        # a row's products side by side in memory, for `scores_of_bags`
        return torch.cat([self.first.dots(first_BD).T, self.second.dots(second_BD).T]).T

    def tiles(self, size: int) -> list[Tile]:
        """See the base: one addition per id; for products of rows its vector."""
        return [partial(self._tile, ids_T) for ids_T in self._ids(size)]

    def _tile(self, ids_T: Tensor, projected_BS: Tensor) -> Tensor:
        if self.combine == "multiply":
            return projected_BS @ self._products(ids_T).T
        first_T, second_T = self._rows(ids_T)
        columns_T2 = torch.stack([first_T, second_T + self.first.num_rows], dim=1)
        return scores_of_bags(projected_BS, columns_T2, torch.ones_like(columns_T2, dtype=projected_BS.dtype))

    def _products(self, ids_N: Tensor) -> Tensor:
        first_N, second_N = self._rows(ids_N)
        products_ND: Tensor = self.first(first_N) * self.second(second_N)
        return products_ND
