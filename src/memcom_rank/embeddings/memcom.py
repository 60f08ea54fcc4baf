"""Embedding room (floor 1): MEmCom, multi-embedding compression (arXiv 2203.10135).

Games share rows, and one or two scalars per id tell them apart:

    no bias:  emb(i) = U[(i - 2) mod m] * V[i]             4 (m e + v) bytes
    bias:     emb(i) = U[(i - 2) mod m] * V[i] + W[i]      4 (m e + 2 v) bytes
"""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, pad

from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding, initial_rows
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import modulo


@final
class MEmCom(CompressedEmbedding):
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
        smaller = {"NaiveHash": row_bytes}
        if bias:
            smaller = {"MEmCom with bias: false": scalar_bytes + row_bytes, **smaller}
        self.num_rows = largest_size(
            f"MEmCom with bias: {str(bias).lower()}",
            lambda rows: rows * row_bytes + (1 + bias) * scalar_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            full_bytes=self.full_bytes,
            smaller=smaller,
        )
        self.rows_MD = initial_rows(self.num_rows, dim)
        self.scale_V = nn.Parameter(torch.ones(num_ids))
        self.bias_V = nn.Parameter(torch.zeros(num_ids)) if bias else None

    def forward(self, ids: Tensor) -> Tensor:
        """See the base."""
        flat_N = ids.reshape(-1)
        mask_N = flat_N != 0
        scale_N = self.scale_V.index_select(0, flat_N) * mask_N
        vectors_ND = embedding(modulo(flat_N, self.num_rows), self.rows_MD) * scale_N.unsqueeze(-1)
        if self.bias_V is not None:
            vectors_ND = vectors_ND + (self.bias_V.index_select(0, flat_N) * mask_N).unsqueeze(-1)
        return vectors_ND.reshape(*ids.shape, self.dim)

    def pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """See the base: the multipliers become the weights of one bag, so [B, L, dim] is never built."""
        weights_BL = weights_BL.to(self.rows_MD.dtype).masked_fill(ids_BL == 0, 0.0)
        # index_select, not embedding: its backward over scalars is several times faster on a CPU
        scale_BL = self.scale_V.index_select(0, ids_BL.reshape(-1)).view_as(ids_BL) * weights_BL
        pooled_BD: Tensor = embedding_bag(
            modulo(ids_BL, self.num_rows), self.rows_MD, mode="sum", per_sample_weights=scale_BL
        )
        if self.bias_V is not None:
            bias_BL = self.bias_V.index_select(0, ids_BL.reshape(-1)).view_as(ids_BL) * weights_BL
            pooled_BD = pooled_BD + bias_BL.sum(dim=1, keepdim=True)
        return pooled_BD

    def score(self, queries_BD: Tensor) -> Tensor:
        """See the base: m dot products per query, then one or two multiplies per id."""
        dots_BM = queries_BD @ self.rows_MD.T
        ids_V = torch.arange(1, self.num_ids, device=queries_BD.device)
        scores_BV = dots_BM.index_select(1, modulo(ids_V, self.num_rows)) * self.scale_V[1:]
        if self.bias_V is not None:
            scores_BV = scores_BV + queries_BD.sum(dim=1, keepdim=True) * self.bias_V[1:]
        return pad(scores_BV, (1, 0))
