"""Embedding room (floor 1): Learning to Collide, learned hash functions (arXiv 2203.15837).

Games that the same users have share a row: emb(i) = U[b(i)]            4 m e + ceil(v ceil(log2 m) / 8) bytes

The map b is learned before the first step: cheap factors of games, then clusters of them in which popular games count
more. It is stored, where a hash is computed: ceil(log2 m) bits per id. This project's reading: factors are a truncated
SVD of who has what, a game counts as often as it was trained on, the rows start as in every other technique (the map
alone is learned ahead), and ids that nobody has, the unknown id among them, stay where the modulo put them.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.bag import scores_of_rows
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.clustering import game_factors, kmeans
from memcom_rank.embeddings.id_map import IdMap
from memcom_rank.embeddings.tables import Rows, Tile


@final
class LearnedHash(CompressedEmbedding):
    """`num_rows` shared rows U and a learned map; until `start` the map is id mod m.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_factors: width of the factors that are clustered.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: the map and one row do not fit.
        ConfigError: `num_factors` is below 1; the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_factors: int = 32,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_factors < 1:
            raise ConfigError(f"num_factors is {num_factors}", wanted="at least 1", fix="try 32")
        self.num_factors = num_factors
        self.num_rows = largest_size(
            "LearnedHash",
            lambda rows: rows * dim * FP32_BYTES + IdMap.bytes_of(num_ids, rows),
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        self.rows = Rows(self.num_rows, dim)
        self.row_of = IdMap(num_ids, self.num_rows)

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """Learn the map: see the base."""
        if self.row_of.learned:
            return
        counts_V = torch.bincount(ids_N, minlength=self.num_ids)
        owned_U = counts_V.nonzero()[:, 0]
        factors_VF = game_factors(users_N, ids_N, num_ids=self.num_ids, width=self.num_factors)
        _, cluster_U = kmeans(factors_VF[owned_U], self.num_rows, counts_V[owned_U])
        rows_V = self.row_of.codes[:, 0].to(owned_U.device, copy=True)
        rows_V[owned_U] = cluster_U.int()
        self.row_of.set(rows_V)

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return self.rows.bag(self.row_of(ids_BL)[..., 0], weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products."""
        return self.rows.dots(queries_BD)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: a copy per id."""
        return [partial(_tile, rows_T1[:, 0]) for rows_T1 in self.row_of.split(size, 1)]


def _tile(rows_T: Tensor, dots_BM: Tensor) -> Tensor:
    return scores_of_rows(dots_BM, rows_T)
