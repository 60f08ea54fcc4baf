"""Embedding room (floor 1): hash embeddings (Svenstrup et al. 2017, arXiv 1709.03933).

    emb(i) = sum over k < c of w[i]_k U[h_k(i)]

Each game weighs the shared rows that its hashes give it. The paper hashes ids to weights too, where there are more
ids than it wants weights; here each id has its own. Its variant that appends the weights to the vector is left out.
"""

from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.contract.errors import ConfigError
from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import hash_constants, polynomial_hashes
from memcom_rank.embeddings.row_sum import RowSum
from memcom_rank.embeddings.tables import Rows, Scalars


@final
class HashEmbedding(RowSum):
    """`num_rows` shared rows U and `num_hashes` weights c per id; 4 (m e + v c) bytes.

    The weights start equal, at c^-1/2: the first step is that of a sum of c hashes.

    Args:
        num_ids: size of the vocabulary.
        dim: width of a vector.
        num_hashes: rows and weights of an id. The ratio stays below `dim / num_hashes`.
        target_ratio: bytes of the full table / bytes; exactly one of the two size knobs.
        budget_bytes: bytes at rest, e.g. 500000 or "500kB".

    Raises:
        BudgetError: the weights and one row do not fit.
        ConfigError: the size knob is missing, doubled or out of range, or there is no hash.
    """

    def __init__(
        self,
        num_ids: int,
        dim: int,
        *,
        num_hashes: int = 2,
        target_ratio: float | None = None,
        budget_bytes: int | str | None = None,
    ) -> None:
        super().__init__(num_ids, dim)
        if num_hashes < 1:
            raise ConfigError(f"num_hashes is {num_hashes}", wanted="at least 1", fix="try 2")
        row_bytes = dim * FP32_BYTES
        weight_bytes = num_ids * num_hashes * FP32_BYTES
        self.num_rows = largest_size(
            f"HashEmbedding with num_hashes: {num_hashes}",
            lambda rows: rows * row_bytes + weight_bytes,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
            smaller={"MEmCom with bias: false": row_bytes + num_ids * FP32_BYTES},
        )
        self.rows = Rows(self.num_rows, dim)
        self.weights = nn.ModuleList(Scalars(num_ids, num_hashes**-0.5) for _ in range(num_hashes))
        self._hashes = [hash_constants(k) for k in range(num_hashes)]

    def _rows(self, ids_N: Tensor) -> Tensor:
        return torch.stack(polynomial_hashes(ids_N, self._hashes, self.num_rows), 1)

    def _weights(self, ids_N: Tensor) -> Tensor:
        return torch.stack([weights(ids_N) for weights in self.weights], 1)
