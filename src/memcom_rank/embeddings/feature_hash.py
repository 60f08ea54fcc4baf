"""Embedding room (floor 1): signed feature hashing (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
Learning", arXiv 0902.2206), followed by a dense layer U.

    emb(i) = c^-1/2  sum over k < c of s_k(i) U[h_k(i)],    s_k(i) = -1 or 1

A game is the feature; c hashes are the paper's "multiple hashing". The signs keep dot products unbiased: what two
games of a bucket add to a history cancels on average.
"""

from math import sqrt
from typing import final

import torch
from torch import Tensor

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, polynomial_hashes
from memcom_rank.embeddings.row_sum import RowSum
from memcom_rank.embeddings.tables import Rows


@final
class FeatureHash(RowSum):
    """`num_rows` buckets, each a row; 4 m e bytes. Rows are signed by a second hash, that costs none.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_hashes: buckets c of a game. With 1, games of a bucket have the same vector or opposite ones.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: not even one row fits.
        ConfigError: the size knob is missing, doubled or out of range, or there is no hash.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_hashes: int = 1,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_hashes < 1:
            raise ConfigError(f"num_hashes is {num_hashes}", wanted="at least 1", fix="try 1 or 2")
        self.num_rows = largest_size(
            "FeatureHash",
            lambda rows: rows * dim * FP32_BYTES,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        self.rows = Rows(self.num_rows, dim)
        self._bucket_hashes = [hash_constants(2 * k) for k in range(num_hashes)]
        self._sign_hashes = [hash_constants(2 * k + 1) for k in range(num_hashes)]

    def _rows(self, ids_N: Tensor) -> Tensor:
        return torch.stack(polynomial_hashes(ids_N, self._bucket_hashes, self.num_rows), 1)

    def _weights(self, ids_N: Tensor) -> Tensor:
        bits_NK = torch.stack(polynomial_hashes(ids_N, self._sign_hashes, 2), 1)
        return (2 * bits_NK - 1).to(self.like.dtype) / sqrt(len(self._sign_hashes))
