"""Embedding room (floor 1): popular games keep a row each, of few bits; rare ones that grew alike merge into one.

    emb(i) = T[i]          for the K most popular ids, `bits` bits a value
    emb(i) = U[b(i)]       for the rest: m shared rows, 4 bits a value, and the map b

The map is learned from rows that were trained, where Learning to Collide (arXiv 2203.15837) and RecJPQ (arXiv
2312.06165) learn theirs from who has what before training: up to `merge_at` of the steps every rare game has a row of
its own, then these are clustered and training goes on with the clusters' centres (`merging_rows.py`). The combination
is this project's own, see docs/merge_rare.md.
"""

from collections.abc import Callable
from typing import cast, final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.low_bit_rows import LowBitRows
from memcom_rank.embeddings.merging_rows import MergingRows
from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.stacked_rows import StackedRows

_SHARED_BITS = 4
_WIDE = 128  # values: narrower rows have more to lose from few bits
_MASS = 0.75  # a game counts as often as it was trained on, to this power


def best_share(dim: int) -> float:
    """Return the share of the bytes for shared rows that lost least at this width (docs/merge_rare.md): 0.1, or 0.5."""
    return 0.1 if dim >= _WIDE else 0.5


def fewest_bits(dim: int) -> int:
    """Return the bits a value of rows of this width that are worth their loss (docs/merge_rare.md): 2, or 4."""
    return 2 if dim >= _WIDE else 4


@final
class MergeRare(OwnRows):
    """K popular rows of `bits` bits a value, m shared rows of 4 bits and ceil(log2 m) bits a rare id.

    Every stored row has an fp16 step: ceil(K e bits / 8) + ceil(m e / 2) + 2 (K + m) + ceil((v - 1 - K) b / 8) bytes,
    where b = ceil(log2 m). Training holds a row per id, and its optimizer's moments, as a full table does.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        bits: 1, 2, 3, 4 or 8 per value of the popular ids; None takes `fewest_bits(dim)`.
        shared_share: of the bytes, for shared rows; above 0 and below 1. None takes `best_share(dim)`.
        merge_at: share of the training's steps after which rare rows merge, at the next validation or end of an epoch;
            from 0 to 1.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: a popular row, a shared row and the map do not fit.
        ConfigError: a share or the number of bits out of range; the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        bits: int | None = None,
        shared_share: float | None = None,
        merge_at: float = 0.5,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        shared_share = best_share(dim) if shared_share is None else shared_share
        if not (0 < shared_share < 1 and 0 <= merge_at <= 1):
            raise ConfigError(
                f"shared_share is {shared_share} and merge_at is {merge_at}",
                wanted="the first between 0 and 1, the second from 0 to 1",
                fix="try 0.1 and 0.5",
            )
        self.merge_at = merge_at
        bits = fewest_bits(dim) if bits is None else bits
        own_bytes, shared_bytes = LowBitRows.bytes_of(1, dim, bits), LowBitRows.bytes_of(1, dim, _SHARED_BITS)

        def parts(size: int) -> tuple[int, int]:
            """Popular ids and shared rows of `size` bytes or so; neither falls as the size grows."""
            return 1 + int((1 - shared_share) * size / own_bytes), 1 + int(shared_share * size / shared_bytes)

        def bytes_of(popular: int, shared: int) -> int:
            rare = MergingRows.bytes_of(num_ids - 1 - popular, dim, shared, _SHARED_BITS)
            return LowBitRows.bytes_of(popular, dim, bits) + rare

        limit = limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes)

        def largest(bytes_of_size: Callable[[int], int], at_most: int) -> int:
            return largest_size(
                f"MergeRare with bits: {bits}",
                bytes_of_size,
                limit,
                at_most=at_most,
                table=(num_ids, dim),
            )

        # no more shared rows than rare ids
        most = int((num_ids - 3) / ((1 - shared_share) / own_bytes + shared_share / shared_bytes))
        _, num_shared = parts(largest(lambda size: bytes_of(*parts(size)), max(most, 1)))
        if bytes_of(num_ids - 2, 1) <= limit:  # a row for each id: where that fits, none has to share
            num_shared = 1
        # where a shared row more costs each rare id a bit, that line ends early: what is left are popular rows
        num_popular = largest(lambda popular: bytes_of(popular, num_shared), num_ids - 1 - num_shared)
        self.sizes = num_popular, num_shared
        rare = MergingRows(num_ids - 1 - num_popular, dim, num_shared, _SHARED_BITS)
        self.table = StackedRows([LowBitRows(num_popular, dim, bits), rare])
        self.mass_N = torch.ones(rare.num_rows)  # of the training games, as soon as they are known

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """See the base: how often each rare game is trained on, which is how much it counts."""
        counts_V = torch.bincount(ids_N, minlength=self.num_ids)
        self.mass_N = counts_V[1 + self.sizes[0] :].float().clamp(min=0.1) ** _MASS

    def advance(self, progress: float) -> bool:
        """See the base: find what the rare rows would merge into, and, when it is time, merge them."""
        rare = cast(MergingRows, cast(StackedRows, self.table).parts()[1])
        return rare.cluster(self.mass_N, merge=progress >= self.merge_at)
