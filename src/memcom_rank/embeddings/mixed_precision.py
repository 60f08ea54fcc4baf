"""Embedding room (floor 1): mixed precision, popular games in fp32 and the rest in few bits (arXiv 2010.11305).

    emb(i) = H[i - 1]                for the K most popular ids, the unknown id first
             rounded(T[i - 1 - K])   for the others        4 K e + ceil((v - 1 - K) e bits / 8) + 2 (v - 1 - K) bytes

The paper's fp32 rows are a cache of the table and change as it is used, and updates are rounded at random when they are
written back. Here ids come by popularity, so that the cache is the first K of them and stays; and training keeps latent
floats, which are rounded at random on every use and gradients pass straight through (`low_bit_rows.py`). Evaluation
takes the nearest level: what is stored.
"""

from typing import final

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.stacked_rows import StackedRows
from memcom_rank.embeddings.tables import Rows


@final
class MixedPrecision(OwnRows):
    """`num_rows` fp32 rows for the most popular ids, at most all but one, and `bits` bits per value for the rest.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        bits: 1, 2, 3, 4 or 8 per value of the less popular ids. The ratio stays below `32 dim / (bits dim + 16)`.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: one fp32 row and the others in `bits` bits do not fit.
        ConfigError: the size knob is missing, doubled or out of range, or another number of bits.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        bits: int = 4,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)

        def bytes_of(rows: int, bits: int = bits) -> int:
            return rows * dim * FP32_BYTES + LowBitRows.bytes_of(num_ids - 1 - rows, dim, bits)

        self.num_rows = largest_size(
            f"MixedPrecision with bits: {bits}",
            bytes_of,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 2,
            table=(num_ids, dim),
            smaller={"MixedPrecision with bits: 1": bytes_of(1, 1)},
        )
        exact = Rows(self.num_rows, dim)
        self.table = StackedRows([exact, LowBitRows(num_ids - 1 - self.num_rows, dim, bits, stochastic=True)])
