"""Embedding room (floor 1): frequency double hashing (Zhang et al. 2020, "Model Size Reduction Using Frequency Based
Double Hashing for Recommender Systems", arXiv 2007.14523).

    emb(i) = U[i - 2]                                for the K most popular games
    emb(i) = U[K + h1(i)] + U[K + m + h2(i)]         for all others, the unknown id among them
"""

from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, modulo, polynomial_hashes
from memcom_rank.embeddings.row_sum import RowSum
from memcom_rank.embeddings.tables import Rows


@final
class FrequencyDoubleHash(RowSum):
    """`num_own` rows K of single games and two hashed tables of `num_hashed` rows m each; 4 (K + 2 m) e bytes.

    The paper leaves open how the budget is shared between the two parts: `own_share` says it.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        own_share: share of the rows that belong to one game, from 0 to 1; each part has at least what makes it work,
            one row of its own and one of each hashed table.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: three rows do not fit.
        ConfigError: the size knob is missing, doubled or out of range, or the share is.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        own_share: float = 0.5,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if not 0 <= own_share <= 1:
            raise ConfigError(f"own_share is {own_share}", wanted="a number from 0 to 1", fix="try 0.5")
        row_bytes = dim * FP32_BYTES
        self.num_rows = 2 + largest_size(
            "FrequencyDoubleHash",
            lambda size: (2 + size) * row_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 2,  # as many rows as the full table
            table=(num_ids, dim),
            smaller={"DoubleHash": 2 * row_bytes},
        )
        self.num_hashed = min(max(round((1 - own_share) * self.num_rows / 2), 1), (self.num_rows - 1) // 2)
        self.num_own = self.num_rows - 2 * self.num_hashed
        self.rows = Rows(self.num_rows, dim)
        with torch.no_grad():
            self.rows.rows_MW[self.num_own :] *= 0.5**0.5  # so that the sum of two has norm 1
        self._hashes = hash_constants(0), hash_constants(1)

    def _rows(self, ids_N: Tensor) -> Tensor:
        own_N = self._number(ids_N)
        first_N, second_N = polynomial_hashes(ids_N, self._hashes, self.num_hashed)
        hashed_N2 = torch.stack([first_N, second_N + self.num_hashed], 1) + self.num_own
        return torch.where((own_N < self.num_own)[:, None], own_N[:, None], hashed_N2)

    def _weights(self, ids_N: Tensor) -> Tensor:
        # a popular game has one row, here twice: the second time it counts nothing
        hashed_N = self._number(ids_N) >= self.num_own
        return torch.stack([torch.ones_like(hashed_N), hashed_N], 1).to(self.like.dtype)

    def _number(self, ids_N: Tensor) -> Tensor:
        """Return the places in order of popularity, from 0 on; the unknown id comes last."""
        return modulo(ids_N, self.num_ids - 1)
