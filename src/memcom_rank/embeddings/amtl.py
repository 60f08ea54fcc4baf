"""Embedding room (floor 1): AMTL, adaptively masked twins-based layer (arXiv 2108.11513).

Vectors have widths that training finds: emb(i) = sqrt(e / k) * T[i] with all but its first k values masked. The width
k belongs to a bucket of ids of about the same popularity, and two small networks, mixed by popularity, choose it
(softmax, the largest wins, the gradient passes straight through it to a lower-triangular mask).

    4 * (sum over buckets of ids times width) + 6 per bucket bytes

This project's reading: buckets are halvings of the training count; the networks see a bucket's popularity and tilt
logits that start at 4 log k; in place of a penalty on size, every forward subtracts price * k from the logits, with the
lowest price, found by bisection, at which the widths fit the bytes, and what is then left widens the most popular
buckets. So the budget holds, and is spent, at every step. The factor sqrt(e / k) keeps the scale of a vector
when its width changes.
"""

from typing import final

import torch
from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.prefixes import BUCKETS, Prefixes

_BUCKET_BYTES = 6  # at rest: where it ends, int32, and its width, int16


@final
class Amtl(OwnRows):
    """A prefix of a row per id, of a width that training finds; until `start` counts are taken to follow Zipf's law.

    Training holds the full table, with its gradient and its optimizer's moments.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector. The ratio stays below it.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: a width of 1 does not fit.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self, num_ids: int, dim: int, *, target_ratio: float | None = None, budget_bytes: int | str | None = None
    ) -> None:
        super().__init__(num_ids, dim)
        overhead = min(BUCKETS, num_ids - 1) * _BUCKET_BYTES
        num_values = largest_size(
            "Amtl",
            lambda extra: (num_ids - 2 + extra) * FP32_BYTES + overhead,  # a value per id but padding, and more
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=(num_ids - 1) * dim - (num_ids - 2),
            table=(num_ids, dim),
        )
        self.table: Prefixes = Prefixes(num_ids - 1, dim, num_ids - 2 + num_values)

    def start(self, users_N: Tensor, ids_N: Tensor) -> None:
        """Make the buckets: see the base."""
        self.table.bucket(torch.bincount(ids_N, minlength=self.num_ids)[1:])

    @property
    def num_unmasked(self) -> int:
        """Values that are stored."""
        return int((self.table.sizes() * self.table.widths()).sum())
