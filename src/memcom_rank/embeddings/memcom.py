"""Embedding room (floor 1): MEmCom, multi-embedding compression (arXiv 2203.10135).

Games share rows, and one or two scalars per id tell them apart:

    no bias:  emb(i) = U[(i - 2) mod m] * V[i]             4 (m e + v) bytes
    bias:     emb(i) = U[(i - 2) mod m] * V[i] + W[i]      4 (m e + 2 v) bytes

The paper's abstract gives the two tables, one hashed and one with a weight per entity. The hash (modulo, over ids by
popularity), the offset W, and the start of V and W are this project's reading of it.
"""

from collections.abc import Iterable
from functools import partial
from itertools import repeat
from typing import final

import torch
from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import modulo
from memcom_rank.embeddings.shared_rows import LinearForm, SharedRowEmbedding
from memcom_rank.embeddings.spread import spread_scaled
from memcom_rank.embeddings.tables import Rows, Scalars, Tile


@final
class MEmCom(SharedRowEmbedding):
    """`num_rows` shared rows U, a multiplier V and, with `bias`, an offset W per id.

    V starts at 1 and W at 0: the first step equals naive hashing.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        bias: whether each id has an offset, added to every component. The ratio stays below `dim` without and below
            `dim / 2` with it.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: the scalars and one row do not fit.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        bias: bool = True,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        scalar_bytes = num_ids * FP32_BYTES
        row_bytes = dim * FP32_BYTES
        self.num_rows = largest_size(
            f"MEmCom with bias: {str(bias).lower()}",
            lambda rows: rows * row_bytes + (1 + bias) * scalar_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
            smaller={"MEmCom with bias: false": scalar_bytes + row_bytes} if bias else {},
        )
        self.rows = Rows(self.num_rows, dim)
        self.scale = Scalars(num_ids)
        self.bias = Scalars(num_ids, 0.0) if bias else None

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        # the multipliers become the weights of one bag
        rows_BL = modulo(ids_BL, self.num_rows)
        pooled_BD = self.rows.bag(rows_BL, self.scale(ids_BL) * weights_BL)
        if self.bias is not None:
            bias_B1 = (self.bias(ids_BL) * weights_BL).sum(dim=1, keepdim=True)
            pooled_BD = pooled_BD + bias_B1.to(pooled_BD.dtype)
        return pooled_BD

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products and, for the offsets, the sum of the query."""
        dots_BM = self.rows.dots(queries_BD)
        if self.bias is None:
            return dots_BM
        return torch.cat([dots_BM, queries_BD.sum(dim=1, keepdim=True).to(dots_BM.dtype)], dim=1)

    def tiles(self, size: int) -> list[Tile]:
        """See the base: one or two multiplies per id."""
        scales = self.scale.split(size, 1)
        biases: Iterable[Tensor | None] = repeat(None) if self.bias is None else self.bias.split(size, 1)
        firsts = range(1, self.num_ids, size)
        return [partial(self._tile, *parts) for parts in zip(firsts, scales, biases, strict=False)]

    def linear_form(self) -> LinearForm:
        """See the base."""
        ids_V = torch.arange(self.num_ids, dtype=torch.int32, device=self.like.device)
        return LinearForm(modulo(ids_V, self.num_rows), self.scale(), None if self.bias is None else self.bias())

    def _tile(self, first: int, scale_T: Tensor, bias_T: Tensor | None, projected_BS: Tensor) -> Tensor:
        dots_BM = projected_BS[:, : self.num_rows]
        scores_BT = spread_scaled(dots_BM, scale_T, first=first)
        return scores_BT if bias_T is None else scores_BT + projected_BS[:, self.num_rows :] * bias_T
