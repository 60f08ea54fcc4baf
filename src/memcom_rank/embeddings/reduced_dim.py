"""Embedding room (floor 1): a narrower full table: emb(i) = T[i], of width w < e, and zeros up to e.

A baseline of MEmCom (arXiv 2203.10135): what a smaller `dim` would give. Zeros, so that every other part of the model
stays as it is; they add nothing to a pooled history or to a score.
"""

from typing import final

import torch

from memcom_rank.contract.schemas import PADDING_ID
from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.own_rows import OwnRows
from memcom_rank.embeddings.tables import Rows


@final
class ReducedDim(OwnRows):
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
            table=(num_ids, dim),
            smaller={"Truncated": dim * FP32_BYTES},
        )
        self.table = Rows(num_ids, self.width)
        with torch.no_grad():
            self.table.rows_MW[PADDING_ID].zero_()
