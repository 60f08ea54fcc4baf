"""Embedding room (floor 1): a number per id in 8 bits, in training as at rest.

Takes ids -> gives their numbers as they are stored: 256 levels and one step for all. See `low_bit_rows.py`.
"""

from typing import final

import torch
from torch import Tensor, nn

from memcom_rank.embeddings.quantise import STEP_BYTES, best_step, pack, quantise, rounded
from memcom_rank.embeddings.tables import Stored, pick

_BITS = 8


@final
class LowBitScalars(Stored):
    """`num` trainable numbers of 8 bits, one for each id, and an fp16 step; to be used as `Scalars` are.

    Args:
        num: ids N.
        start: what all numbers are at first.
    """

    def __init__(self, num: int, start: float = 1.0) -> None:
        super().__init__()
        self.values_N = nn.Parameter(torch.full((num,), start))  # latent: the floats that are rounded

    def forward(self, ids: Tensor | None = None) -> Tensor:
        """Return the numbers of ids of any shape, in that shape; by default all, [N]."""
        step_1 = best_step(self.values_N.detach().float(), _BITS)
        values_N = self.values_N if ids is None else pick(self.values_N, ids.reshape(-1))
        return rounded(values_N, _BITS, step=step_1).view(values_N.shape if ids is None else ids.shape)

    def split(self, size: int, first: int = 0) -> tuple[Tensor, ...]:
        """Return the numbers of ids from `first` on, [T] each, `size` in turn; gradients take one pass over all."""
        return torch.split(self.forward()[first:], size)

    def at_rest(self) -> dict[str, Tensor]:
        """Return codes, uint8, and the step [1], fp16."""
        codes_N, step_1 = quantise(self.values_N.detach().float(), _BITS)
        return {"codes": pack(codes_N, _BITS), "step": step_1}

    @staticmethod
    def bytes_of(num: int) -> int:
        """Return the bytes at rest of so many numbers."""
        return num + STEP_BYTES
