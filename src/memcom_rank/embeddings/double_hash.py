"""Embedding room (floor 1): two hashed tables, so that games that share one row seldom share both.

    add:     emb(i) = F[h1(i)] + S[h2(i)]                         8 m e bytes
    concat:  emb(i) = F[h1(i)] and S[h2(i)] side by side          4 m e bytes

A baseline of MEmCom (arXiv 2203.10135); the two hashes for all games alike, as in Zhang et al. 2020 (arXiv 2007.14523).
"""

from typing import Literal, final

from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, polynomial_hashes
from memcom_rank.embeddings.row_pair import RowPair


@final
class DoubleHash(RowPair):
    """`num_rows` rows in each of two tables.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        combine: whether the rows of an id are added, or stand side by side, each of half the width: twice the rows.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one row in each table fits.
        ConfigError: the size knob is missing, doubled or out of range, or `dim` is odd and to be halved.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        combine: Literal["add", "concat"] = "add",
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim, combine, ways=("add", "concat"))
        row_bytes = self.row_width * FP32_BYTES
        self.num_rows = largest_size(
            f"DoubleHash with combine: {combine}",
            lambda rows: 2 * rows * row_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        self._start_tables(self.num_rows, self.num_rows)
        self._hashes = hash_constants(0), hash_constants(1)

    def _rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        first, second = polynomial_hashes(ids, self._hashes, self.num_rows)
        return first, second
