"""Embedding room (floor 1): a row per id, of few bits a value: emb(i) = step_i * (code_i + 1/2 - 2^(bits - 1)).

Trained quantisation-aware: the latent floats are rounded on every use (`low_bit_rows.py`). Where a row of full width
does not fit, the vectors are narrower and the rest is 0.
"""

from typing import final

from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.own_rows import OwnRows


@final
class LowBit(OwnRows):
    """A table of `bits` bits a value and an fp16 step per id; ceil(v w bits / 8) + 2 v bytes at width w.

    The last `dim - w` values of a vector are 0; w is `dim` where that fits.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        bits: 1, 2, 3, 4 or 8 per value.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one value per id fits.
        ConfigError: another number of bits; the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        bits: int = 2,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        width = largest_size(
            f"LowBit with bits: {bits}",
            lambda width: LowBitRows.bytes_of(num_ids, width, bits),
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=dim,
            table=(num_ids, dim),
            smaller={"LowBit with bits: 1": LowBitRows.bytes_of(num_ids, 1, 1)} if bits > 1 else {},
        )
        self.table = LowBitRows(num_ids, width, bits)
