"""Embedding room (floor 1): games share rows and nothing tells them apart: emb(i) = U[(i - 2) mod m].

The weakest baseline of MEmCom (arXiv 2203.10135), and what MEmCom is at its first step.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import modulo
from memcom_rank.embeddings.shared_rows import LinearForm, SharedRowEmbedding
from memcom_rank.embeddings.spread import spread_modulo
from memcom_rank.embeddings.tables import Rows, Tile


@final
class NaiveHash(SharedRowEmbedding):
    """`num_rows` shared rows; 4 m e bytes.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one row fits.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self, num_ids: int, dim: int, *, target_ratio: float | None = None, budget_bytes: int | str | None = None
    ) -> None:
        super().__init__(num_ids, dim)
        self.num_rows = largest_size(
            "NaiveHash",
            lambda rows: rows * dim * FP32_BYTES,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        self.rows = Rows(self.num_rows, dim)

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return self.rows.bag(modulo(ids_BL, self.num_rows), weights_BL)

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products."""
        return self.rows.dots(queries_BD)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: a copy per id."""
        firsts = range(1, self.num_ids, size)
        return [partial(spread_modulo, first=first, count=min(size, self.num_ids - first)) for first in firsts]

    def linear_form(self) -> LinearForm:
        """See the base: every multiplier is 1."""
        ids_V = torch.arange(self.num_ids, dtype=torch.int32, device=self.like.device)
        return LinearForm(modulo(ids_V, self.num_rows), self.like.new_ones(self.num_ids))
