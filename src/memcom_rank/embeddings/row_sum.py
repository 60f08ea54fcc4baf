"""Embedding room (floor 1): what techniques share whose vectors are sums of a few rows of one table.

    emb(i) = sum over k of w_k(i) U[r_k(i)]

Takes a technique's rows and weights of an id -> gives pooled histories, which are one bag of L x K rows, and scores,
which are sums of the K dot products of an id's rows: m dot products per query, not v.
"""

import abc
from functools import partial

import torch
from torch import Tensor

from memcom_rank.embeddings.bag import scores_of_bags
from memcom_rank.embeddings.base import CompressedEmbedding
from memcom_rank.embeddings.tables import Rows, Tile


class RowSum(CompressedEmbedding):
    """A technique that implements `_rows` and `_weights` and sets `rows`, its table U."""

    rows: Rows

    @abc.abstractmethod
    def _rows(self, ids_N: Tensor) -> Tensor:
        """Return the rows of int32 ids from 1 on (0 may come: any row will do): int32 [N, K]."""

    @abc.abstractmethod
    def _weights(self, ids_N: Tensor) -> Tensor:
        """Return how much each of them counts: [N, K], of the technique's type."""

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        ids_N = ids_BL.reshape(-1)
        weights_NK = self._weights(ids_N) * weights_BL.reshape(-1, 1)
        places = (ids_BL.shape[0], ids_BL.shape[1] * weights_NK.shape[1])
        return self.rows.bag(self._rows(ids_N).view(places), weights_NK.view(places))

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products."""
        # a row's products side by side in memory, for `scores_of_bags`
        return self.rows.dots(queries_BD).T.contiguous().T

    def tiles(self, size: int) -> list[Tile]:
        """See the base: K multiplies per id."""
        (ids_V,) = self._ids(self.num_ids)
        # split once: the gradient of a slice of learned weights per tile would each be as long as the catalogue
        parts = zip(self._ids(size), torch.split(self._weights(ids_V), size), strict=True)
        return [partial(self._tile, ids_T, weights_TK) for ids_T, weights_TK in parts]

    def _tile(self, ids_T: Tensor, weights_TK: Tensor, dots_BM: Tensor) -> Tensor:
        return scores_of_bags(dots_BM, self._rows(ids_T), weights_TK)
