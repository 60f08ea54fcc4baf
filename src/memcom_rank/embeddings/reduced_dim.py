"""Embedding room (floor 1): a narrower full table: emb(i) = T[i], of width w < e, and zeros up to e.

A baseline of MEmCom (arXiv 2203.10135): what a smaller `dim` would give. Zeros, so that every other part of the model
stays as it is; they add nothing to a pooled history or to a score.
"""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings.bag import weighted_bag
from memcom_rank.embeddings.base import FP32_BYTES, CompressedEmbedding, initial_rows
from memcom_rank.embeddings.budget import largest_size, limit_bytes


@final
class ReducedDim(CompressedEmbedding):
    """`width` numbers w per id; 4 v w bytes.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector, with its zeros.
        target_ratio: bytes of the full table / bytes, at most `dim`; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one number per id fits.
        ConfigError: the size knob is missing, doubled or out of range.
    """

    def __init__(
        self, num_ids: int, dim: int, *, target_ratio: float | None = None, budget_bytes: int | str | None = None
    ) -> None:
        super().__init__(num_ids, dim)
        self.width = largest_size(
            "ReducedDim",
            lambda width: width * num_ids * FP32_BYTES,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=dim,
            full_bytes=self.full_bytes,
            smaller={"Truncated": dim * FP32_BYTES, "NaiveHash": dim * FP32_BYTES},
        )
        self.table_VW = initial_rows(num_ids, self.width)
        with torch.no_grad():
            self.table_VW[PADDING_ID].zero_()

    def _pool(self, ids_BL: Tensor, weights_BL: Tensor) -> Tensor:
        return pad(weighted_bag(self.table_VW, ids_BL, weights_BL), (0, self.dim - self.width))

    def project(self, queries_BD: Tensor) -> Tensor:
        """See the base: the components that the table has."""
        return queries_BD[:, : self.width]

    def tiles(self, size: int) -> list[Callable[[Tensor], Tensor]]:
        """See the base: a dot product of w numbers per id."""
        # split once: the gradient of a slice per tile would each time be as long as the table
        return [partial(_tile, part_TW) for part_TW in torch.split(self.table_VW[1:], size)]


def _tile(part_TW: Tensor, projected_BW: Tensor) -> Tensor:
    return projected_BW @ part_TW.T
