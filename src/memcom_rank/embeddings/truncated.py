"""Embedding room (floor 1): the rare games share one row: emb(i) = T[min(i - 2, K)], K the games with a row each.

A baseline of MEmCom (arXiv 2203.10135): what a catalogue that is cut to its most popular games gives.
"""

from typing import final

import torch
from torch import Tensor

from memcom_rank.embeddings.base import FP32_BYTES
from memcom_rank.embeddings.budget import largest_size, limit_bytes
from memcom_rank.embeddings.hashing import modulo
from memcom_rank.embeddings.row_sum import RowSum
from memcom_rank.embeddings.tables import Rows


@final
class Truncated(RowSum):
    """`num_rows` rows: one each for the K most popular games and the last for all others; 4 (K + 1) e bytes.

    The unknown id is one of the others.

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
            "Truncated",
            lambda rows: rows * dim * FP32_BYTES,
            limit_bytes(num_ids, dim, target_ratio=target_ratio, budget_bytes=budget_bytes),
            at_most=num_ids - 1,
            table=(num_ids, dim),
        )
        self.rows = Rows(self.num_rows, dim)

    def _rows(self, ids_N: Tensor) -> Tensor:
        # modulo the number of ids that have a vector: the unknown id comes after the last game
        return modulo(ids_N, self.num_ids - 1).clamp(max=self.num_rows - 1)[:, None]

    def _weights(self, ids_N: Tensor) -> Tensor:
        return torch.ones(ids_N.shape[0], 1, dtype=self.like.dtype, device=ids_N.device)
