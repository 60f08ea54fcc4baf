"""Embedding room (floor 1): the quotient-remainder trick (Shi et al. 2020, "Compositional Embeddings Using
Complementary Partitions", arXiv 1909.02107).

    emb(i) = F[n div m] o S[n mod m],    n = i - 1,    o: multiply, add or concat

Quotient and remainder together are different for all ids, so that no two games have the same vector; the unknown id is
number 0.
"""

from math import isqrt
from typing import Literal, final

from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.row_pair import RowPair


@final
class QuotientRemainder(RowPair):
    """`num_rows` rows m of remainders and ceil((v - 1) / m) of quotients; half as wide with `concat`.

    m is never below the root of v - 1, where both tables are equally long and their bytes fewest. Of the two m that
    a budget allows the larger is taken: the m most popular games then differ in their remainder.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        combine: how the two rows become a vector; `concat` halves the width of both, which doubles m.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs. It stays below about
            `num_ids ** 0.5 / 2`, with `concat` `num_ids ** 0.5`.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even two tables of equal length fit.
        ConfigError: the size knob is missing, doubled or out of range, or `dim` is odd and to be halved.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        combine: Literal["multiply", "add", "concat"] = "multiply",
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim, combine, ways=("multiply", "add", "concat"))
        count = num_ids - 1
        row_bytes = self.row_width * FP32_BYTES
        below = isqrt(count - 1)  # the root, rounded up, less 1: sizes count from there

        def rows_of(size: int) -> int:
            return -(-count // (below + size)) + below + size

        halves = {"QuotientRemainder with combine: concat": rows_of(1) * dim // 2 * FP32_BYTES}
        self.num_rows = below + largest_size(
            f"QuotientRemainder with combine: {combine}",
            lambda size: rows_of(size) * row_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=count - below,
            table=(num_ids, dim),
            smaller=halves if combine != "concat" and dim % 2 == 0 else {},
        )
        self._start_tables(-(-count // self.num_rows), self.num_rows)

    def _rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        numbers = (ids - 1).clamp(min=0)  # the padding id needs some row too
        return numbers // self.num_rows, numbers % self.num_rows
