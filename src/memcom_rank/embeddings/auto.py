"""Embedding room (floor 1): a technique for a budget, by a rule that measurements justify (docs/merge_rare.md).

Takes a budget -> gives the technique that lost least at its ratio: every id keeps a row in as many bits as fit; below 2
bits a value, or 4 of narrow rows, rare ones merge.
"""

import abc

from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding
from memcom_rank.embeddings.budget import limit_bytes
from memcom_rank.embeddings.full import Full
from memcom_rank.embeddings.low_bit import LowBit
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.merge_rare import MergeRare, fewest_bits

_BITS = (8, 4, 2)
_NARROWEST = 15 / 16  # of the width: so much of a row may be missing before fewer bits are better


class Auto(CompressedEmbedding, abc.ABC):
    """Makes, in place of itself, `Full` where it fits, else `LowBit` of 8, 4 or 2 bits a value, else `MergeRare`.

    Rows narrower than 128 have at least 4 bits a value.

    A class, as configurations name classes; none is ever made of it.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even `MergeRare` fits.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __new__(  # type: ignore[misc]
        cls,
        num_ids: int,
        dim: int,
        *,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> CompressedEmbedding:
        """Make the technique."""
        limit = limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes)
        if limit >= num_ids * dim * FP32_BYTES:
            return Full(num_ids, dim)
        for bits in _BITS:
            if bits >= fewest_bits(dim) and LowBitRows.bytes_of(num_ids, round(_NARROWEST * dim), bits) <= limit:
                return LowBit(num_ids, dim, bits=bits, budget_bytes=limit)
        return MergeRare(num_ids, dim, budget_bytes=max(limit, 1))
